"""Puts every real model through the mesh pipeline, has Khronos' validator and Google's
Draco decoder look at all that comes out, and prints a table in Markdown.

usage: samples.py [MODEL ...]

Without arguments: the models of the test data, and those that packages of the tests
ship (.tools/node_modules).
"""

import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DATA = os.path.join(os.environ.get("SLATE360_TESTDATA", os.path.join(ROOT, "..", "shared", "data")), "mesh")
PACKAGES = os.path.join(ROOT, ".tools", "node_modules")
OURS = os.path.join(ROOT, "bin", "slate360-worker")
VALIDATE = os.path.join(ROOT, "internal", "pipeline", "mesh", "testdata", "validate.cjs")
KINDS = (".glb", ".gltf", ".obj", ".ply", ".stl", ".fbx", ".dae", ".3ds", ".drc")


def models(folder):
    for here, _, files in sorted(os.walk(folder)):
        yield from (os.path.join(here, name) for name in sorted(files) if name.lower().endswith(KINDS))


def validator(folder):
    """What foreign readers say of all GLB files of a folder."""
    env = dict(os.environ, NODE_PATH=PACKAGES)
    run = subprocess.run(["node", VALIDATE, folder], env=env, capture_output=True, text=True)
    return "valid" if run.returncode == 0 else "**invalid**: " + run.stdout.strip().splitlines()[0]


def row(model):
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        run = subprocess.run([OURS, "process", model, "--out", out, "--json"], capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if run.returncode != 0:
            last = json.loads(run.stdout.strip().splitlines()[-1]) if run.stdout.strip() else {}
            reason = last.get("error") or (run.stderr.strip().splitlines() or ["no output"])[-1]
            return "", f"**failed** ({run.returncode}): {reason}", seconds, []
        with open(os.path.join(out, "result.json")) as f:
            result = json.load(f)
        outputs = len(result["outputs"])
        return f"{result['analysis']['mesh']['triangles']:,}", f"{outputs} outputs, {validator(out)}", seconds, result.get("warnings") or []


def main():
    print("| file | triangles | result | seconds | warnings |")
    print("|---|---|---|---|---|")
    for model in sys.argv[1:] or [*models(DATA), *models(PACKAGES)]:
        triangles, result, seconds, warnings = row(model)
        name = os.path.relpath(model, DATA if model.startswith(DATA) else PACKAGES)
        print(f"| {name} | {triangles} | {result} | {seconds:.2f} | {'; '.join(warnings)} |", flush=True)


if __name__ == "__main__":
    main()
