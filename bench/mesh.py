"""Compares the mesh pipeline with the platform's recipe of nine Node commands, and with
gltfpack, in the same run, and prints a table in Markdown.

usage: mesh.py [MODEL.glb ...]

Machines are shared and noisy: read the ratios, not the times. Peers that are not
installed are left out with a line.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DATA = os.path.join(os.environ.get("SLATE360_TESTDATA", os.path.join(ROOT, "..", "shared", "data")), "mesh")
DEFAULTS = [os.path.join(DATA, name) for name in ("terrain-2m-draco.glb", "2CylinderEngine.glb")]
OURS = os.path.join(ROOT, "bin", "slate360-worker")
BIN = os.path.join(ROOT, ".tools", "node_modules", ".bin")
RECIPE = "glb_draco,lod_0,lod_1,lod_2,glb_preview"


def run(commands):
    """Wall seconds of all commands, and peak resident bytes of the largest."""
    start, peak = time.perf_counter(), 0
    for args in commands:
        process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            raise RuntimeError(f"{args[0]} failed: {errors.decode()[-400:]}")
        peak = max(peak, usage.ru_maxrss * 1024)
    return time.perf_counter() - start, peak


def guide(model, out):
    """The nine commands of the platform's guide."""
    pipeline, transform = os.path.join(BIN, "gltf-pipeline"), os.path.join(BIN, "gltf-transform")
    commands = [[pipeline, "-i", model, "-o", f"{out}/draco.glb", "--draco.compressionLevel", "7"]]
    for ratio in ("1", "0.1", "0.01", "0.001"):
        commands.append([transform, "simplify", model, f"{out}/s{ratio}.glb", "--ratio", ratio, "--error", "1"])
        commands.append([pipeline, "-i", f"{out}/s{ratio}.glb", "-o", f"{out}/d{ratio}.glb", "--draco.compressionLevel", "7"])
    return commands


def size(folder, prefix=""):
    return sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder) if f.endswith(".glb") and f.startswith(prefix))


def main():
    models = sys.argv[1:] or DEFAULTS
    print("| model | work | seconds | of ours | peak | bytes |")
    print("|---|---|---|---|---|---|")
    for model in models:
        if not os.path.exists(model):
            print(f"{model} is absent: give a GLB, or set SLATE360_TESTDATA", file=sys.stderr)
            continue
        name = os.path.basename(model)
        with tempfile.TemporaryDirectory() as temp:
            plain = os.path.join(temp, "plain")
            run([[OURS, "process", model, "--out", plain, "-q", "--outputs", "glb_draco", "--set", "dracoCompression=0", "--set", "quality=1"]])
            source = os.path.join(temp, "source.glb")
            shutil.move(next(os.path.join(plain, f) for f in os.listdir(plain) if f.endswith(".glb")), source)
            out = os.path.join(temp, "ours")
            ours, peak = run([[OURS, "process", source, "--out", out, "-q", "--outputs", RECIPE, "--set", "quality=0.5"]])
            print(f"| {name} | ours | {ours:.2f} | 1 | {peak / 1e9:.2f} GB | {size(out):,} |")
            peers = {}
            if os.path.exists(os.path.join(BIN, "gltf-transform")):
                folder = os.path.join(temp, "guide")
                os.mkdir(folder)
                peers["guide, nine commands"] = (guide(source, folder), folder, "d")
            if os.path.exists(os.path.join(BIN, "gltfpack")):
                folder = os.path.join(temp, "gltfpack")
                os.mkdir(folder)
                peers["gltfpack -cc -si 0.1, one level"] = ([[os.path.join(BIN, "gltfpack"), "-i", source, "-o", f"{folder}/o.glb", "-cc", "-si", "0.1"]], folder, "o")
            for peer, (commands, folder, prefix) in peers.items():
                seconds, peak = run(commands)
                print(f"| {name} | {peer} | {seconds:.2f} | {seconds / ours:.1f} | {peak / 1e9:.2f} GB | {size(folder, prefix):,} |")


if __name__ == "__main__":
    main()
