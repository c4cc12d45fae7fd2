"""Compares with peers in the same run and prints a table in Markdown.

usage: compare.py [FILE.laz]

Machines are shared and noisy: read the ratios, not the times. Peers that are not
installed are left out with a line.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEFAULT = os.path.join(os.environ.get("SLATE360_TESTDATA", os.path.join(ROOT, "..", "shared", "data")), "pointcloud", "autzen.laz")


def lazrs(path, rounds=3):
    """Seconds that laspy takes with lazrs on all cores, from a file in memory and to
    one: the little that laspy does beside is counted, too."""
    import io

    import laspy

    backend = laspy.LazBackend.LazrsParallel
    with open(path, "rb") as f:
        data = f.read()
    best = {"decode": 1e9, "encode": 1e9}
    for _ in range(rounds):
        start = time.perf_counter()
        cloud = laspy.read(io.BytesIO(data), laz_backend=backend)
        best["decode"] = min(best["decode"], time.perf_counter() - start)
        start = time.perf_counter()
        cloud.write(io.BytesIO(), do_compress=True, laz_backend=backend)
        best["encode"] = min(best["encode"], time.perf_counter() - start)
    return best


def run(args):
    """Wall seconds and peak resident bytes of a program."""
    start = time.perf_counter()
    process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"{args[0]} failed: {errors.decode()[-400:]}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else DEFAULT
    if not os.path.exists(path):
        sys.exit(f"{path} is absent: give a LAZ file, or set SLATE360_TESTDATA")
    rows = []
    speed = subprocess.run(["go", "run", "./bench/lazspeed", path], cwd=ROOT, check=True, capture_output=True, text=True)
    ours = json.loads(speed.stdout)
    theirs = lazrs(path)
    for what in ("decode", "encode"):
        rows.append((f"LAZ {what}, all cores", f"{ours[what]:.2f} s", "lazrs", f"{theirs[what]:.2f} s", theirs[what] / ours[what]))
    with tempfile.TemporaryDirectory() as work:
        seconds, peak = run([os.path.join(ROOT, "bin", "slate360-worker"), "process", path, "--out", os.path.join(work, "ours")])
        mine = f"{seconds:.1f} s, {peak / 1e9:.2f} GB"
        rows.append(("all outputs", mine, "", "", None))
        peers = [
            ("PDAL outlier, elm, smrf", "pdal", lambda: ["pdal", "translate", path, os.path.join(work, "pdal.laz"), "outlier", "elm", "smrf"]),
            ("COPC", "untwine", lambda: ["untwine", "-i", path, "-o", os.path.join(work, "untwine.copc.laz")]),
            ("EPT", "entwine", lambda: ["entwine", "build", "-i", path, "-o", os.path.join(work, "entwine")]),
            ("3D Tiles", "py3dtiles", lambda: ["py3dtiles", "convert", path, "--srs_out", "4978", "--out", os.path.join(work, "py3dtiles")]),
        ]
        for what, program, command in peers:
            if shutil.which(program) is None:
                print(f"{program} is not installed: left out", file=sys.stderr)
                continue
            try:
                s, p = run(command())
                rows.append((what, "part of the above", program, f"{s:.1f} s, {p / 1e9:.2f} GB", s / seconds))
            except RuntimeError as e:
                print(e, file=sys.stderr)
    print("| work | slate360-worker | peer | peer's | ratio |\n|---|---|---|---|---|")
    for what, a, peer, b, ratio in rows:
        print(f"| {what} | {a} | {peer} | {b} | {'' if ratio is None else f'{ratio:.2f}'} |")


main()
