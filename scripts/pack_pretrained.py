"""Makes the models that come with tfface (tfface/assets/pretrained) from finished runs.

    bash train.sh ganimation --output runs/ganimation     (and attgan, rotator)
    python scripts/pack_pretrained.py runs/ganimation runs/attgan runs/rotator

Prints the row of each in THIRD_PARTY.md and the size of all of them.
"""

import argparse
import hashlib
import pathlib
import sys

from tfface import model_card, packing, pretrained
from tfface.errors import InputError


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pretrained.FOLDER, help="default: %(default)s")
    options = parser.parse_args()
    try:
        for run in options.runs:
            directory = packing.pack(run, options.output)
            (weights,) = directory.glob("checkpoints/*.h5")
            name = weights.relative_to(options.output.parent).as_posix()
            what = f"weights of `{directory.name}`, half floats; made by the command in its `{model_card.NAME}`"
            digest = hashlib.sha256(weights.read_bytes()).hexdigest()
            print(f"| `{name}` | {what}, from rendered heads alone | made by tfface | Apache-2.0 | `{digest}` |")
    except InputError as error:
        sys.exit(f"error: {error}")
    size = sum(path.stat().st_size for path in options.output.rglob("*") if path.is_file())
    print(f"{size / 1e6:.1f} MB together")


if __name__ == "__main__":
    main()
