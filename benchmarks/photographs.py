"""Whether a judge sees on photographs what was asked: ``python -m benchmarks.photographs RUN FOLDER... --au AU12=1``.

Photographs have no true answer, so this asks less than `tfface evaluate`: the largest face of each photo is edited and
put back, and the judge (`tfface.judges`, which no model has learnt from) reads the asked action unit before and after,
on the same square of the photo. A change is seen where it rises, or falls, by at least `--least` of 5. Prints a
Markdown row for each folder.
"""

import argparse
import pathlib
import sys

import numpy as np
from tqdm import tqdm

from tfface import alignment, images, judges
from tfface.conventions import ACTION_UNITS
from tfface.errors import InputError, exit_code

CROP = 128  # pixels of what the judge sees


def readings(editor, folder, wanted, name, limit=None):
    """Returns (N, 2) judged intensities 0-5 of an action unit, before and after, and the photos without a face."""
    crops, faceless = [], []
    photos = sorted(path for path in pathlib.Path(folder).rglob("*") if path.suffix.lower() in images.SUFFIXES)
    if limit and limit < len(photos):  # evenly over the folder: its order often means something
        photos = [photos[n * len(photos) // limit] for n in range(limit)]
    for path in tqdm(photos, desc=str(folder), unit="photo", disable=None):
        photo = images.read_image(path)
        try:
            face = max(editor.find(photo), key=lambda found: found.size)
        except InputError:
            faceless.append(path)
            continue
        matrix = alignment.alignment_matrix(face.landmarks, CROP)
        crops += [images.warp(picture, matrix, CROP) for picture in (photo, editor.edit(photo, [face], wanted))]
    if not crops:
        raise InputError(f"{folder}: no photo with a face that can be edited")
    return judges.judge(np.stack(crops))["action_units"][:, ACTION_UNITS.index(name)].reshape(-1, 2), faceless


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.photographs", description="What a judge sees of an edit on photographs."
    )
    parser.add_argument("run", metavar="RUN", help="run of a model that edits action units")
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="folders of photos")
    parser.add_argument("--au", default="AU12=1", metavar="AU=VALUE", help="what to ask for (default %(default)s)")
    parser.add_argument("--limit", type=int, metavar="N", help="so many photos of each folder (default all)")
    parser.add_argument("--least", type=float, default=0.5, help="change that counts, of 5 (default %(default)s)")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    from tfface import training
    from tfface.editing import Editor

    for folder in options.folders:
        if not pathlib.Path(folder).is_dir():
            raise InputError(f"{folder}: no such folder of photos")
    model = training.load_model(options.run)
    editor = Editor(model)
    wanted = editor.task.parse([options.au], model)
    ((name, value),) = wanted.items()
    print(f"| photos | n | {name} judged before | after | {options.au} seen |\n|---|---|---|---|---|")
    for folder in options.folders:
        found, faceless = readings(editor, folder, wanted, name, options.limit)
        change = found[:, 1] - found[:, 0]
        seen = np.mean((change if value >= 0.5 else -change) >= options.least)
        before, after = found.mean(0)
        print(f"| {folder} | {len(found)} | {before:.2f} | {after:.2f} | {seen:.0%} |", flush=True)
        if faceless:
            print(f"no face found in {', '.join(path.name for path in faceless)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
