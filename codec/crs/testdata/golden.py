#!/usr/bin/env python3
"""Write golden.txt: what PROJ's cs2cs gives for projected CRSs of the EPSG tables.

Usage: golden.py [all] > golden.txt; needs cs2cs (Debian proj-bin) and proj.db.
Each line: code|lon|lat|x|y in units of the CRS and of its base geographic CRS,
brought into the order east, north whatever the order of the authority. Three
points in each area of use. Without "all": a sample (see WANTED and STRIDE).
"""
import sqlite3
import subprocess
import sys
from pathlib import Path

DB = "/usr/share/proj/proj.db"
HERE = Path(__file__).resolve().parent
STRIDE = 23  # one of so many CRSs that nobody names
WANTED = {3857, 3395, 3031, 3413, 3995, 5041, 5042, 32661, 32761, 2985, 5070, 6350, 3577, 3005, 3338, 3035, 27700,
          2154, 2056, 21781, 28992, 28991, 31466, 31467, 31468, 31469, 2193, 31370, 3812, 5514, 5221, 2992,
          2994, 2270, 2926, 26931, 29871, 3375, 3167, 3168, 2046, 2053, 27572, 3346, 2180, 3765, 3844, 31700,
          28193, 30200, 3068, 2006, 3408, 6931, 3832, 3994, 3079, 3078, 5490, 25884, 3006, 31256, 31287, 8353}
WANTED |= set(range(6330, 6349)) | set(range(25828, 25839)) | {32600 + z for z in (1, 10, 17, 31, 33, 60)}
WANTED |= {32700 + z for z in (1, 19, 34, 56, 60)} | {26900 + z for z in (3, 10, 19)} | {28350, 28356, 7850, 7856}
WANTED |= set(range(26929, 26999)) | set(range(32100, 32162)) | set(range(2222, 2290))


def records(name):
    for line in (HERE.parent / "epsg" / name).read_text().splitlines()[1:]:
        yield line.split("|")


db = sqlite3.connect(DB)
geod = {r[0]: r for r in records("geodetic.txt")}
conv = {r[0]: r for r in records("conversion.txt")}
print("# PROJ", db.execute("select value from metadata where key='PROJ.VERSION'").fetchone()[0],
      "cs2cs; written by golden.py: code|lon|lat|x|y")
extents = {str(r[0]): r[1:] for r in db.execute(
    "select object_code, south_lat, north_lat, west_lon, east_lon from usage u join extent e on e.auth_name="
    "u.extent_auth_name and e.code=u.extent_code where u.object_table_name='projected_crs' and"
    " u.object_auth_name='EPSG'")}
for i, (code, name, base, cv, unit, order) in enumerate(records("projected.txt")):
    # Each method with each ellipsoid family at least once, through the stride.
    if len(sys.argv) < 2 and int(code) not in WANTED and i % STRIDE:
        continue
    if conv[cv][2] == "9803":  # PROJ 9.1 leaves out the Belgian angle; crs_test.go has its proof
        continue
    e = extents.get(code)
    if e is None or None in e:
        continue
    s, n, w, o = e
    if o < w:
        o += 360
    pts = []
    for fx, fy in ((0.5, 0.5), (0.12, 0.85), (0.9, 0.1)):
        lon, lat = w + fx * (o - w), s + fy * (n - s)
        if lon > 180:
            lon -= 360
        if geod[base][4] == "9105":
            lon -= 2.33722917
        pts.append((f"{lon:.6f}", f"{lat:.6f}"))
    swap = geod[base][5] == "ne"
    text = "".join((f"{lat} {lon}\n" if swap else f"{lon} {lat}\n") for lon, lat in pts)
    r = subprocess.run(["cs2cs", "-f", "%.10f", "EPSG:" + base, "EPSG:" + code], input=text, capture_output=True, text=True)
    if r.returncode or "*" in r.stdout:
        print("golden: EPSG:" + code, name, r.stderr.strip() or r.stdout.split()[0], file=sys.stderr)
        continue
    for (lon, lat), line in zip(pts, r.stdout.splitlines()):
        x, y = line.split()[:2]
        if order == "ne":
            x, y = y, x
        if geod[base][4] == "9105":  # grads; cs2cs takes degrees all the same
            lon, lat = f"{float(lon) / 0.9:.12f}", f"{float(lat) / 0.9:.12f}"
        print(f"{code}|{lon}|{lat}|{x}|{y}")
