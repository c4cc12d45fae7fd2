"""Reads and writes LAS and LAZ with laspy for foreign_test.go.

Arguments: a folder, then real files. In the folder, NAME.las and NAME.laz are
files of ours: their records, header and dimensions go to NAME.EXT.json and
NAME.EXT.raw. NAME.records are raw records with NAME.template.las, a file of ours
with the same format: laspy writes them to NAME.laspy.las and NAME.laspy.laz, and
what it reads of these to NAME.laspy.EXT.raw. Of the real files the records go to
N.real.raw. A line of standard output names each thing that laspy cannot do.
"""
import hashlib
import json
import pathlib
import sys

import laspy
import numpy as np

DIMENSIONS = """X Y Z intensity return_number number_of_returns scan_direction_flag
edge_of_flight_line classification synthetic key_point withheld overlap scanner_channel
user_data point_source_id gps_time red green blue nir""".split()


def dump(las, stem):
    pathlib.Path(stem + ".raw").write_bytes(np.ascontiguousarray(las.points.array).tobytes())


def describe(las, stem):
    h = las.header
    sums = {}
    names = list(las.point_format.dimension_names)
    for name in DIMENSIONS:
        if name in names:
            values = np.asarray(las[name]).astype("<f8")
            sums[name] = hashlib.sha256(values.tobytes()).hexdigest()
    extra = {n: np.asarray(las[n]).astype("<f8").reshape(len(las.points), -1)[:3].tolist()
             for n in las.point_format.extra_dimension_names}
    info = {
        "count": h.point_count,
        "format": h.point_format.id,
        "returns": [int(v) for v in h.number_of_points_by_return],
        "min": [float(v) for v in h.mins],
        "max": [float(v) for v in h.maxs],
        "scales": [float(v) for v in h.scales],
        "offsets": [float(v) for v in h.offsets],
        "evlrs": [[v.user_id, v.record_id] for v in (las.evlrs or [])],
        "dimensions": sums,
        "extra": extra,
    }
    pathlib.Path(stem + ".json").write_text(json.dumps(info))


def main():
    folder = pathlib.Path(sys.argv[1])
    for path in sorted(folder.iterdir()):
        if path.suffix in (".las", ".laz") and ".template" not in path.name:
            try:
                las = laspy.read(path)
            except BaseException as error:  # lazrs panics are no Exception
                print(f"read {path.name}: {error}")
                continue
            dump(las, str(path))
            describe(las, str(path))
    for path in sorted(folder.glob("*.records")):
        template = laspy.read(path.with_suffix(".template.las"))
        for ext in (".laspy.las", ".laspy.laz"):
            try:
                header = laspy.LasHeader(version=template.header.version, point_format=template.header.point_format)
                header.scales, header.offsets = template.header.scales, template.header.offsets
                las = laspy.LasData(header)
                array = np.frombuffer(path.read_bytes(), dtype=template.points.array.dtype)
                las.points = laspy.ScaleAwarePointRecord(array, header.point_format, header.scales, header.offsets)
                las.write(path.with_suffix(ext))
                dump(laspy.read(path.with_suffix(ext)), str(path.with_suffix(ext)))
            except BaseException as error:
                print(f"write {path.stem}{ext}: {error}")
                path.with_suffix(ext).unlink(missing_ok=True)
    for i, real in enumerate(sys.argv[2:]):
        dump(laspy.read(real), str(folder / f"{i}.real"))


main()
