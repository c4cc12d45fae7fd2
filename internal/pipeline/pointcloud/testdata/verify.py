"""Reads results with laspy (lazrs), copclib (lazperf) and ept-python, and prints what it found as JSON.

usage: verify.py SOURCE RESULT_FOLDER NAME

Points of all outputs are compared by an order-independent digest: a 64-bit hash of
each point, summed up. Lists of faults are empty where all is well.
"""

import asyncio
import json
import os
import struct
import sys

import copclib
import ept as ept_reader
import laspy
import numpy as np

DIMENSIONS = ["X", "Y", "Z", "intensity", "return_number", "number_of_returns", "scan_direction_flag",
              "edge_of_flight_line", "user_data", "point_source_id", "gps_time", "red", "green", "blue",
              "nir", "scan_angle", "scanner_channel", "synthetic", "key_point", "withheld", "overlap"]


def mix(h):
    h ^= h >> np.uint64(30)
    h *= np.uint64(0xBF58476D1CE4E5B9)
    h ^= h >> np.uint64(27)
    h *= np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


def digest(points, names, color=1):
    """Digest over names and, apart, with the class; colours are multiplied with color."""
    n = len(points)
    h = np.zeros(n, np.uint64)
    with np.errstate(over="ignore"):
        for k, name in enumerate(names):
            v = np.asarray(points[name])
            if name == "gps_time":
                v = v.astype(np.float64).view(np.uint64)
            elif name in ("red", "green", "blue"):
                v = v.astype(np.uint64) * np.uint64(color)
            else:
                v = v.astype(np.int64).view(np.uint64)
            h = mix(h + v * np.uint64(2 * k + 0x9E3779B97F4A7C15 | 1))
        c = mix(h + np.asarray(points["classification"]).astype(np.uint64) * np.uint64(0x632BE59BD9B4E019))
        return [int(h.sum(dtype=np.uint64)), int(c.sum(dtype=np.uint64))]


def add(a, b):
    return [(x + y) % 2**64 for x, y in zip(a, b)]


def classes(points):
    values, counts = np.unique(np.asarray(points["classification"]), return_counts=True)
    return {int(v): int(c) for v, c in zip(values, counts)}


def node_bounds(cube, key):
    level, *place = key
    size = (cube[3] - cube[0]) / 2**level
    lo = [cube[i] + place[i] * size for i in range(3)]
    return lo, [v + size for v in lo]


def outside(points, lo, hi, tolerance):
    p = np.stack([np.asarray(points.x), np.asarray(points.y), np.asarray(points.z)])
    lo, hi = np.array(lo)[:, None] - tolerance, np.array(hi)[:, None] + tolerance
    return int(((p < lo) | (p > hi)).any(axis=0).sum())


def check_header(f, faults, name):
    h = f.header
    p = f.points
    if h.point_count != len(p):
        faults.append(f"{name}: header counts {h.point_count}, there are {len(p)}")
    for i, axis in enumerate("xyz"):
        v = np.asarray(getattr(p, axis))
        if abs(v.min() - h.mins[i]) > 1e-6 or abs(v.max() - h.maxs[i]) > 1e-6:
            faults.append(f"{name}: header bounds of {axis} are {h.mins[i]} to {h.maxs[i]}, not {v.min()} to {v.max()}")
    returns = np.bincount(np.asarray(p.return_number), minlength=16)[1:16]
    have = list(h.number_of_points_by_return)
    have += [0] * (15 - len(have))
    if list(returns) != have[:15]:
        faults.append(f"{name}: points by return {have} instead of {list(returns)}")


def read_source(path):
    f = laspy.read(path)
    names = [n for n in DIMENSIONS if n in ("X", "Y", "Z") or n in f.point_format.dimension_names]
    color = 1
    if "red" in names:
        top = max(np.asarray(f[c]).max() for c in ("red", "green", "blue"))
        color = 256 if 0 < top <= 255 else 1
    return f, names, color


def read_copc(path, names, faults):
    with laspy.open(path) as f:
        whole = f.read()
    check_header(whole, faults, "copc")
    reader = copclib.FileReader(path)
    info = reader.copc_config.copc_info
    cube = [info.center_x - info.halfsize, info.center_y - info.halfsize, info.center_z - info.halfsize]
    cube += [v + 2 * info.halfsize for v in cube]
    tolerance = 1e-6
    total = 0
    levels = {}
    keys = set()
    for node in reader.GetAllNodes():
        k = (node.key.d, node.key.x, node.key.y, node.key.z)
        keys.add(k)
        points = reader.GetPoints(node)
        if len(points) != node.point_count:
            faults.append(f"copc {k}: {len(points)} points of {node.point_count}")
        lo, hi = node_bounds(cube, k)
        for axis, values in enumerate((points.x, points.y, points.z)):
            v = np.asarray(values)
            if v.min() < lo[axis] - tolerance or v.max() > hi[axis] + tolerance:
                faults.append(f"copc {k}: points outside the node on axis {axis}")
        total += len(points)
        levels[k[0]] = levels.get(k[0], 0) + len(points)
    for k in keys:
        if k[0] > 0 and (k[0] - 1, k[1] >> 1, k[2] >> 1, k[3] >> 1) not in keys:
            faults.append(f"copc {k}: has no parent")
    with laspy.CopcReader.open(path) as c:
        queried = len(c.query())
        coarse = len(c.query(level=0))
    return {
        "points": total, "laspy": len(whole.points), "query": queried, "root": coarse, "levels": levels,
        "digest": digest(whole.points, names), "classes": classes(whole.points),
        "crs": whole.header.global_encoding.wkt and any(v.record_id == 2112 for v in whole.header.vlrs),
        "format": whole.header.point_format.id,
    }


TYPES = {("signed", 1): "i1", ("signed", 2): "i2", ("signed", 4): "i4", ("signed", 8): "i8", ("unsigned", 1): "u1",
         ("unsigned", 2): "u2", ("unsigned", 4): "u4", ("unsigned", 8): "u8", ("float", 4): "f4", ("float", 8): "f8"}


def read_ept(folder, names, faults):
    with open(os.path.join(folder, "ept.json")) as f:
        ept = json.load(f)
    for field in ("bounds", "boundsConforming", "dataType", "hierarchyType", "points", "schema", "span", "srs", "version"):
        if field not in ept:
            faults.append(f"ept.json has no {field}")
    cube = ept["bounds"]
    edges = [cube[3 + i] - cube[i] for i in range(3)]
    if max(edges) - min(edges) > 1e-9 * max(edges):
        faults.append(f"ept bounds are no cube: {edges}")
    for d in ept["schema"]:
        if (d["type"], d["size"]) not in TYPES:
            faults.append(f"ept schema: {d}")
    counts = {}

    def load(name):
        with open(os.path.join(folder, "ept-hierarchy", name + ".json")) as f:
            for key, n in json.load(f).items():
                if n == -1:
                    load(key)
                else:
                    counts[key] = n

    load("0-0-0-0")
    total, sums, found = 0, [0, 0], {}
    lo_all, hi_all = np.full(3, np.inf), np.full(3, -np.inf)
    for key, n in counts.items():
        if n == 0:
            continue
        f = laspy.read(os.path.join(folder, "ept-data", key + ".laz"))
        check_header(f, faults, "ept " + key)
        if len(f.points) != n:
            faults.append(f"ept {key}: {len(f.points)} points of {n}")
        lo, hi = node_bounds(cube, [int(v) for v in key.split("-")])
        stray = outside(f, lo, hi, 1e-6)
        if stray:
            faults.append(f"ept {key}: {stray} points outside the node")
        sums = add(sums, digest(f.points, names))
        for c, k in classes(f.points).items():
            found[c] = found.get(c, 0) + k
        lo_all, hi_all = np.minimum(lo_all, f.header.mins), np.maximum(hi_all, f.header.maxs)
        total += n
    conforming = np.array(ept["boundsConforming"])
    if np.abs(np.concatenate([lo_all, hi_all]) - conforming).max() > 1e-6:
        faults.append(f"ept boundsConforming {conforming}, points are in {lo_all} {hi_all}")
    files = len(os.listdir(os.path.join(folder, "ept-data")))
    if files != sum(1 for n in counts.values() if n):
        faults.append(f"ept-data has {files} files, the hierarchy names {len(counts)}")
    # A reader made for EPT finds its own way through the hierarchy.
    asyncio.set_event_loop(asyncio.new_event_loop())
    foreign = ept_reader.EPT(folder).as_laspy(strictbounds=False)
    if digest(foreign.points, names) != sums:
        faults.append(f"ept-python finds {len(foreign.points)} points or other values")
    return {"points": total, "said": ept["points"], "digest": sums, "classes": found, "nodes": len(counts), "foreign": len(foreign.points)}


def read_glb(path):
    with open(path, "rb") as f:
        data = f.read()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert magic == b"glTF" and version == 2 and length == len(data), path
    n, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON", path
    document = json.loads(data[20:20 + n])
    return document, data[28 + n:]


COMPONENTS = {5121: np.uint8, 5123: np.uint16, 5126: np.float32}


def accessor(document, binary, index):
    a = document["accessors"][index]
    view = document["bufferViews"][a["bufferView"]]
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[a["type"]]
    kind = np.dtype(COMPONENTS[a["componentType"]])
    start = view.get("byteOffset", 0) + a.get("byteOffset", 0)
    stride = view.get("byteStride", width * kind.itemsize)
    raw = np.frombuffer(binary, np.uint8, count=(a["count"] - 1) * stride + width * kind.itemsize, offset=start)
    return np.lib.stride_tricks.as_strided(raw.view(np.uint8), (a["count"], width * kind.itemsize), (stride, 1)).copy().view(kind)


def read_tiles(folder, faults):
    result = {"points": 0, "tiles": 0, "classes": {}, "transform": None, "lo": [np.inf] * 3, "hi": [-np.inf] * 3, "color": [0.0] * 3}
    colors = np.zeros(3)

    def box_bounds(tile):
        b = tile["boundingVolume"]["box"]
        half = [abs(b[3 + i]) + abs(b[6 + i]) + abs(b[9 + i]) for i in range(3)]
        return np.array([b[i] - half[i] for i in range(3)]), np.array([b[i] + half[i] for i in range(3)])

    def walk(tile, matrix, parent, error):
        if "transform" in tile:
            matrix = matrix @ np.array(tile["transform"]).reshape(4, 4).T
            result["transform"] = tile["transform"]
        lo, hi = box_bounds(tile)
        if parent is not None and ((lo < parent[0] - 1e-3).any() or (hi > parent[1] + 1e-3).any()):
            faults.append(f"tile {tile['content']['uri']} is larger than its parent")
        if tile["geometricError"] > error:
            faults.append(f"tile {tile['content']['uri']} has a larger error than its parent")
        uri = tile["content"]["uri"]
        path = os.path.join(folder, uri)
        if uri.endswith(".json"):
            with open(path) as f:
                walk(json.load(f)["root"], matrix, (lo, hi), tile["geometricError"])
            return
        document, binary = read_glb(path)
        attributes = document["meshes"][0]["primitives"][0]["attributes"]
        p = accessor(document, binary, attributes["POSITION"]).astype(np.float64)
        node = np.array(document["nodes"][0]["matrix"]).reshape(4, 4).T
        # Turn y-up into z-up, as a runtime does with glTF content.
        up = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
        p = np.c_[p, np.ones(len(p))] @ (up @ node).T
        slack = 2e-5 * (hi - lo).max() + 1e-3
        if (p[:, :3] < lo - slack).any() or (p[:, :3] > hi + slack).any():
            faults.append(f"tile {uri}: points outside its box")
        earth = (p @ matrix.T)[:, :3]
        result["lo"] = np.minimum(result["lo"], earth.min(axis=0)).tolist()
        result["hi"] = np.maximum(result["hi"], earth.max(axis=0)).tolist()
        result["points"] += len(p)
        result["tiles"] += 1
        values, counts = np.unique(accessor(document, binary, attributes["_CLASSIFICATION"]), return_counts=True)
        for v, c in zip(values, counts):
            result["classes"][int(v)] = result["classes"].get(int(v), 0) + int(c)
        if "COLOR_0" in attributes:
            colors[:] += accessor(document, binary, attributes["COLOR_0"]).astype(np.float64).sum(axis=0)
        for child in tile.get("children", []):
            walk(child, matrix, (lo, hi), tile["geometricError"])

    with open(os.path.join(folder, "tileset.json")) as f:
        tileset = json.load(f)
    result["version"] = tileset["asset"]["version"]
    walk(tileset["root"], np.eye(4), None, tileset["geometricError"])
    result["color"] = (colors / result["points"]).tolist()
    return result


def main():
    source, folder, name = sys.argv[1:4]
    faults = []
    src, names, color = read_source(source)
    out = {"source": {
        "points": len(src.points), "digest": digest(src.points, names, color), "plain": digest(src.points, names),
        "classes": classes(src.points), "format": src.header.point_format.id, "version": str(src.header.version),
    }}
    filtered = laspy.read(os.path.join(folder, "filtered.laz"))
    check_header(filtered, faults, "filtered.laz")
    out["filtered"] = {
        "points": len(filtered.points), "plain": digest(filtered.points, names), "digest": digest(filtered.points, names, color),
        "classes": classes(filtered.points), "format": filtered.header.point_format.id, "version": str(filtered.header.version),
        "order": bool((np.asarray(filtered.X) == np.asarray(src.X)).all() and (np.asarray(filtered.Y) == np.asarray(src.Y)).all()),
        "vlrs": [[v.user_id, v.record_id] for v in filtered.header.vlrs],
    }
    out["source"]["vlrs"] = [[v.user_id, v.record_id] for v in src.header.vlrs]
    out["copc"] = read_copc(os.path.join(folder, "copc", name + ".copc.laz"), names, faults)
    out["ept"] = read_ept(os.path.join(folder, "ept"), names, faults)
    out["tiles"] = read_tiles(os.path.join(folder, "3dtiles"), faults)
    out["faults"] = faults[:20]
    json.dump(out, sys.stdout)


main()
