"""Rebuilds tfface/assets/face_identity.npz, the weights of `tfface.identity`, from the npm package that ships them.

    npm pack @vladmandic/face-api@1.7.15
    python scripts/build_identity_asset.py vladmandic-face-api-1.7.15.tgz -o tfface/assets/face_identity.npz

The package stores dlib's face recognition network as 8-bit numbers with a scale and an offset per tensor; half floats
hold them without loss that matters. With --check nothing is written and the exit status says whether the file that
exists holds exactly these arrays.
"""

import argparse
import json
import pathlib
import sys
import tarfile

import numpy as np

MODEL = "package/model/face_recognition_model"


def build(package):
    """Returns a dict of names (slashes become two underscores) to float16 arrays."""
    with tarfile.open(package) as archive:
        manifest = json.load(archive.extractfile("package/model/face_recognition_model-weights_manifest.json"))
        data = archive.extractfile(f"{MODEL}.bin").read()
    arrays, at = {}, 0
    for entry in manifest[0]["weights"]:
        count, packed = int(np.prod(entry["shape"])), entry.get("quantization")
        kind = np.dtype(packed["dtype"] if packed else entry["dtype"])
        values = np.frombuffer(data, kind, count, at).astype(np.float32)
        at += count * kind.itemsize
        if packed:
            values = values * np.float32(packed["scale"]) + np.float32(packed["min"])
        arrays[entry["name"].replace("/", "__")] = values.reshape(entry["shape"]).astype(np.float16)
    if at != len(data):
        raise SystemExit(f"error: {package}: {len(data)} bytes of weights, expected {at}; use version 1.7.15")
    return arrays


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=pathlib.Path, help="the .tgz that npm pack wrote")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    arrays = build(options.package)
    if options.check:
        with np.load(options.output) as data:
            same = set(data.files) == set(arrays) and all(np.array_equal(data[name], arrays[name]) for name in arrays)
        print("same" if same else "different")
        sys.exit(0 if same else 1)
    np.savez_compressed(options.output, **arrays)


if __name__ == "__main__":
    main()
