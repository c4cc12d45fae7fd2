#!/usr/bin/env python3
"""Write the tables of this folder from PROJ's database.

Usage: python3 generate.py [/usr/share/proj/proj.db]

Source: the EPSG Geodetic Parameter Dataset as carried by the proj.db of the
PROJ library (Debian package proj-data). The EPSG Dataset is owned by the
International Association of Oil & Gas Producers (IOGP); its terms of use
(https://epsg.org/terms-of-use.html) allow it to be included in a product free
of charge, provided that the data is attributed to EPSG and is not changed
while keeping its codes. The numbers are therefore copied, with units reduced
to degrees and metres only; names and codes are those of EPSG.

Each table is a text file: one comment line, then one record a line, fields
divided by "|", sorted by the code in the first field (crs reads them by
binary search, without any start-up work).
"""
import sqlite3
import sys
from decimal import Decimal
from pathlib import Path

DB = sys.argv[1] if len(sys.argv) > 1 else "/usr/share/proj/proj.db"
OUT = Path(__file__).resolve().parent
db = sqlite3.connect(DB)
meta = dict(db.execute("select key, value from metadata"))
HEAD = (f"# EPSG Dataset {meta['EPSG.VERSION']} of {meta['EPSG.DATE']}, (c) IOGP, "
        f"through PROJ {meta['PROJ.VERSION']}; written by generate.py: ")

# Methods of coordinate operation that package crs implements.
METHODS = (9801, 9802, 9803, 9804, 9805, 1024, 9806, 9807, 9808, 9809,
           9810, 9829, 9830, 9812, 9815, 1041, 9820, 9822)

# EPSG parameter code -> short name in conversion.txt.
PARAMS = {8801: "lat0", 8811: "lat0", 8821: "lat0",
          8802: "lon0", 8812: "lon0", 8822: "lon0", 8833: "lon0",
          8823: "lat1", 8832: "lat1", 8818: "lat1", 8824: "lat2",
          8805: "k", 8815: "k", 8819: "k",
          8806: "fe", 8816: "fe", 8826: "fe", 8807: "fn", 8817: "fn", 8827: "fn",
          8813: "az", 8814: "rect", 1036: "colat"}

# Transformations to WGS 84 picked by hand where the rule in shift() would
# pick a regional one, or where practice is to take the frames as equal
# (the NAD83 and GDA families; a null shift, as PROJ's ballpark).
CHOSEN = {4267: 1173, 4149: 1766, 4156: 5239, 4289: 15934, 4283: 1150,
          4269: 1188, 4230: 1133, 4313: 15929, 4202: 15788}

units = {c: (n, t, f) for c, n, t, f in db.execute(
    "select code, name, type, conv_factor from unit_of_measure where auth_name='EPSG'")}


def num(v):
    """A float in its shortest exact form."""
    s = repr(float(v))
    return s[:-2] if s.endswith(".0") else s


def degrees(v, uom):
    """An angle in degrees; sexagesimal DMS (9110) is a decimal notation."""
    if uom == 9110:
        d = Decimal(repr(float(v)))
        sign = -1 if d < 0 else 1
        d = abs(d)
        deg = int(d)
        rest = (d - deg) * 100
        minute = int(rest)
        sec = (rest - minute) * 100
        return sign * float(deg + Decimal(minute) / 60 + sec / 3600)
    if uom in (9102, 9122):
        return float(v)
    if uom in (9105, 9106):
        return float(Decimal(repr(float(v))) * 9 / 10)
    if uom == 9104:
        return float(v) / 3600
    raise SystemExit(f"angle unit {uom}")


def metres(v, uom):
    if uom == 9003:  # exactly 1200/3937 m
        return float(Decimal(repr(float(v))) * 1200 / 3937)
    return float(v) * units[uom][2]


def write(name, what, rows):
    rows = sorted(rows)
    with open(OUT / name, "w", encoding="utf-8", newline="\n") as f:
        f.write(HEAD + what + "\n")
        for r in rows:
            for v in r:
                assert "|" not in str(v), r
            f.write("|".join(str(v) for v in r) + "\n")
    print(name, len(rows))


def axes(cs):
    """Order of the authority: which axis comes first, and the unit code."""
    rows = db.execute("select orientation, uom_code, name from axis where coordinate_system_auth_name='EPSG'"
                      " and coordinate_system_code=? order by coordinate_system_order", (cs,)).fetchall()
    return rows


def area(table, code):
    r = db.execute("select south_lat, north_lat, west_lon, east_lon from usage u join extent e"
                   " on e.auth_name=u.extent_auth_name and e.code=u.extent_code where"
                   " u.object_auth_name='EPSG' and u.object_table_name=? and u.object_code=?",
                   (table, code)).fetchall()
    best = 0
    for s, n, w, e in r:
        if e < w:
            e += 360
        best = max(best, (n - s) * (e - w))
    return best


def shift(crs, name):
    """Helmert transformation to WGS 84 of a geographic CRS: (code, accuracy, 7 numbers) or None.

    Of the EPSG transformations with three or seven constant parameters, those
    whose extent is at least 0.6 of the largest; of these the most accurate."""
    if name.startswith("NAD83") and crs != 4269:
        return None
    rows = db.execute(
        "select code, accuracy, method_code, tx, ty, tz, rx, ry, rz, scale_difference,"
        " rotation_uom_code, scale_difference_uom_code from helmert_transformation_table"
        " where auth_name='EPSG' and deprecated=0 and source_crs_auth_name='EPSG' and source_crs_code=?"
        " and target_crs_code=4326 and method_code in (9603, 9606, 9607) and accuracy<=100", (crs,)).fetchall()
    if crs in CHOSEN:
        rows = [r for r in rows if r[0] == CHOSEN[crs]]
        assert rows, crs
    if not rows:
        return None
    areas = {r[0]: area("helmert_transformation", r[0]) for r in rows}
    big = max(areas.values())
    rows = [r for r in rows if areas[r[0]] >= 0.6 * big]
    r = min(rows, key=lambda r: (r[1], -r[0]))
    code, acc, method, tx, ty, tz, rx, ry, rz, ds, ru, su = r
    rot = [0.0 if v is None else float(v) for v in (rx, ry, rz)]
    if any(rot) and ru != 9104:
        f = {1031: 1e-3, 9109: 1e-6 * 180 * 3600 / 3.141592653589793, 9101: 180 * 3600 / 3.141592653589793}[ru]
        rot = [float(f"{v * f:.12g}") for v in rot]
    scale = 0.0 if ds is None else float(ds) * {None: 1, 9202: 1, 1028: 1e-3, 9201: 1e6}[su]
    if method == 9607:  # coordinate frame -> position vector
        rot = [-v for v in rot]
    return code, acc, [float(tx), float(ty), float(tz), *rot, scale]


ELLIPSOIDS, PMS, DATUMS, GEODETIC = set(), set(), {}, []
names = {}
for code, name, typ, cs, datum, dep in db.execute(
        "select code, name, type, coordinate_system_code, datum_code, deprecated from geodetic_crs"
        " where auth_name='EPSG' and datum_auth_name='EPSG' and coordinate_system_auth_name='EPSG'"):
    ax = axes(cs)
    uom = ax[0][1]
    if typ == "geographic 2D":
        kind = "2"
    elif typ == "geographic 3D":
        kind = "3"
    elif typ == "geocentric":
        kind = "c"
    else:
        continue
    if kind != "c":
        uom = {9122: 9102, 9108: 9102, 9106: 9105}.get(uom, uom)
    order = "en" if kind != "c" and ax[0][0] == "east" else "ne"
    GEODETIC.append((code, name, kind, datum, uom, order))
    DATUMS.setdefault(datum, None)
    if kind == "2" and (not dep or DATUMS[datum] is None):
        s = shift(code, name)
        if s:
            DATUMS[datum] = s
write("geodetic.txt", "code|name|2D,3D or geocentric|datum|unit|authority's axis order", GEODETIC)

crs_datum = {g[1]: g[3] for g in GEODETIC}
rows = []
for code, name, ell, pm, ens in db.execute(
        "select code, name, ellipsoid_code, prime_meridian_code, ensemble_accuracy from geodetic_datum"
        " where auth_name='EPSG'"):
    if code not in DATUMS:
        continue
    ELLIPSOIDS.add(ell)
    PMS.add(pm)
    s = DATUMS[code]
    # An alias that is the name of another datum's CRS would mislead.
    aliases = [a for (a,) in db.execute(
        "select distinct alt_name from alias_name where table_name='geodetic_datum' and auth_name='EPSG'"
        " and code=? and source in ('EPSG','ESRI') order by alt_name", (code,))
        if crs_datum.get(a, code) == code]
    rows.append((code, name, ell, pm, s[0] if s else "", num(s[1]) if s else "",
                 ",".join(num(v) for v in s[2]) if s else "", ";".join(a.replace(";", ",") for a in aliases)))
write("datum.txt", "code|name|ellipsoid|prime meridian|EPSG code of the transformation to WGS 84|its accuracy, m"
      "|dx,dy,dz m,rx,ry,rz arc-seconds,ds ppm (position vector)|aliases", rows)

rows = []
for code, name, a, uom, inv, b in db.execute(
        "select code, name, semi_major_axis, uom_code, inv_flattening, semi_minor_axis from ellipsoid"
        " where auth_name='EPSG'"):
    if code in ELLIPSOIDS:
        if inv is None:
            inv = 0 if a == b else a / (a - b)
        rows.append((code, name, num(metres(a, uom)), num(inv)))
write("ellipsoid.txt", "code|name|semi-major axis, m|inverse flattening, 0 for a sphere", rows)

write("meridian.txt", "code|name|degrees east of Greenwich", [
    (c, n, num(degrees(v, u))) for c, n, v, u in db.execute(
        "select code, name, longitude, uom_code from prime_meridian where auth_name='EPSG'") if c in PMS])

conv, proj, used, unit_codes = {}, [], set(), {9001, 9002, 9003, 9102, 9105, 9101, 9104}
cols = ", ".join(f"param{i}_code, param{i}_value, param{i}_uom_code" for i in range(1, 8))
for r in db.execute(f"select code, name, method_code, {cols} from conversion_table"
                    " where auth_name='EPSG' and method_auth_name='EPSG'"):
    code, name, method = r[:3]
    if method not in METHODS:
        continue
    ps = []
    for i in range(7):
        p, v, u = r[3 + 3 * i:6 + 3 * i]
        if p is None:
            continue
        key = PARAMS[p]
        if key == "k":
            v = float(v) * {9202: 1e-6}.get(u, 1)
        elif key in ("fe", "fn"):
            v = metres(v, u)
        else:
            v = degrees(v, u)
        ps.append(f"{key}={num(v)}")
    conv[code] = (code, name, method, ",".join(ps))
geod = {g[0] for g in GEODETIC}
for code, name, cs, base, c in db.execute(
        "select code, name, coordinate_system_code, geodetic_crs_code, conversion_code from projected_crs"
        " where auth_name='EPSG' and coordinate_system_auth_name='EPSG' and geodetic_crs_auth_name='EPSG'"
        " and conversion_auth_name='EPSG'"):
    if c not in conv or base not in geod:
        continue
    ax = axes(cs)
    # Westings and southings mirror the map; only method 9808 means them so.
    if conv[c][2] != 9808 and {a[0] for a in ax} & {"west", "south"}:
        continue
    order = "en" if ax[0][2].lower()[:4] in ("east", "west") else "ne"
    proj.append((code, name, base, c, ax[0][1], order))
    unit_codes.add(ax[0][1])
write("projected.txt", "code|name|base geographic CRS|conversion|unit|authority's axis order", proj)
for p in proj:
    used.add(p[3])
write("conversion.txt", "code|name|method|parameters in degrees and metres", [conv[c] for c in used])

vert = []
for code, name, cs, datum, dname in db.execute(
        "select v.code, v.name, v.coordinate_system_code, v.datum_code, d.name from vertical_crs v"
        " join vertical_datum d on d.auth_name=v.datum_auth_name and d.code=v.datum_code"
        " where v.auth_name='EPSG'"):
    ax = axes(cs)[0]
    vert.append((code, name, datum, dname, ax[1], "d" if ax[0] == "down" else "u"))
    unit_codes.add(ax[1])
write("vertical.txt", "code|name|datum|its name|unit|up or down", vert)

pc, vc = {p[0] for p in proj} | geod, {v[0] for v in vert}
write("compound.txt", "code|name|horizontal CRS|vertical CRS", [
    r for r in db.execute("select code, name, horiz_crs_code, vertical_crs_code from compound_crs"
                          " where auth_name='EPSG' and horiz_crs_auth_name='EPSG' and vertical_crs_auth_name='EPSG'")
    if r[2] in pc and r[3] in vc])

write("unit.txt", "code|name|metres, or radians of an angle", [
    (c, units[c][0], num(1200 / 3937) if c == 9003 else
     {9102: "0.017453292519943295", 9105: "0.015707963267948967"}.get(c) or num(units[c][2])) for c in unit_codes])
