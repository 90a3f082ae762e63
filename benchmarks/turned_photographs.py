"""Whose face a turned one still is: ``python -m benchmarks.turned_photographs RUN FOLDER [--sheet FILE]``.

FOLDER has ``pose_estimates.csv`` (file,identity,yaw,pitch,roll in degrees) and the photos in ``images``. Of each person
the most turned photo is edited to the pose of the most frontal one (or to a frontal view, as the model can), and the
face descriptor (`tfface.identity`) says how far from the frontal photo the face was before and is after, and whose
frontal photo of all is the nearest; beside it, how far the yaw that the face finder sees is from the frontal photo's: a
picture that was hardly turned keeps its identity easily. Photographs have no true answer, so this is all that can be
measured on them. Prints a Markdown row for each range of yaw; the sheet shows before, after and the frontal photo.
"""

import argparse
import csv
import pathlib
import sys

import numpy as np
from tqdm import tqdm

from tfface import alignment, identity, images, metrics
from tfface.errors import InputError, exit_code

GROUPS = (0, 30, 35, 40, 90)  # bounds of yaws, degrees either way
_SHOWN = 128  # pixels of a face on the sheet


def pairs(folder):
    """Returns [(person, path of the most turned photo, its yaw, path of the most frontal one)], sorted by person."""
    table = pathlib.Path(folder) / "pose_estimates.csv"
    if not table.is_file():
        raise InputError(f"{table}: no such file; expected a table file,identity,yaw,pitch,roll beside folder images")
    people = {}
    with table.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            try:
                photo = abs(float(row["yaw"])), table.parent / "images" / row["file"]
                people.setdefault(row["identity"], []).append(photo)
            except (KeyError, TypeError, ValueError):
                raise InputError(f"{table}: {row} has no file, identity and yaw in degrees") from None
    found = []
    for person, photos in sorted(people.items()):
        (_, frontal), (yaw, turned) = min(photos), max(photos)
        if frontal != turned:
            found.append((person, turned, yaw, frontal))
    if not found:
        raise InputError(f"{table}: nobody with two photos")
    return found


def compare(editor, people, ask):
    """Edits the turned photo of each person.

    Args:
        editor: `tfface.editing.Editor`.
        people: as `pairs` gives them.
        ask: function of the `Face` of the frontal photo to a request of the model's task.

    Returns:
        dict of arrays over those whose three faces are found: ``yaw`` (N,), ``person`` (N,), ``before``, ``after`` and
        ``frontal`` (N, 128) descriptors, ``shown`` (N, S, 3 S, 3) pictures, ``off`` (N, 2) degrees of yaw from the
        frontal photo before and after; and how many faces were not found.
    """
    rows, missing = [], {"photo": 0, "edit": 0}
    for person, turned, yaw, frontal in tqdm(people, unit="person", disable=None):
        photos = [images.read_image(path) for path in (turned, frontal)]
        faces = [largest(editor, photo) for photo in photos]
        if any(face is None for face in faces):
            missing["photo"] += 1
            continue
        edit = editor.edit(photos[0], [faces[0]], ask(faces[1]))
        face = largest(editor, edit)
        if face is None:
            missing["edit"] += 1
            continue
        seen = [(photos[0], faces[0]), (edit, face), (photos[1], faces[1])]
        shown = [
            images.warp(picture, alignment.alignment_matrix(found.landmarks, _SHOWN, editor.margin), _SHOWN)
            for picture, found in seen
        ]
        before, after, gallery = identity.describe([p for p, _ in seen], [f.landmarks for _, f in seen])
        off = [abs(found.pose[0] - faces[1].pose[0]) for found in (faces[0], face)]
        rows.append((yaw, person, before, after, gallery, np.hstack(shown), off))
    if not rows:
        raise InputError("no person whose turned, edited and frontal faces are all found")
    names = ("yaw", "person", "before", "after", "frontal", "shown", "off")
    return {name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}, missing


def largest(editor, photo):
    """Returns the largest `Face` of a photo, or None."""
    return max(editor.landmarker.find(photo), key=lambda face: face.size, default=None)


def table(found):
    """Yields (range, people, distance before, after, rank-1 before, after, yaw off before, after) for each of `GROUPS`
    and for all."""
    distance = {k: np.linalg.norm(found[k] - found["frontal"], axis=1) for k in ("before", "after")}
    everybody = np.ones(len(found["yaw"]), bool)
    groups = [
        (f"{low}-{high}", (found["yaw"] >= low) & (found["yaw"] < high))
        for low, high in zip(GROUPS, GROUPS[1:], strict=False)
    ]
    for name, here in [*groups, ("all", everybody)]:
        if here.any():
            ranks = [
                metrics.rank1(found[k][here], found["person"][here], found["frontal"], found["person"], "cosine")
                for k in ("before", "after")
            ]
            means = [distance[k][here].mean() for k in ("before", "after")]
            yield name, int(here.sum()), *means, *ranks, *found["off"][here].mean(0)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.turned_photographs",
        description="Identity of photographs turned to the pose of another one.",
    )
    parser.add_argument("run", metavar="RUN", help="run of a model that makes frontal views or poses")
    parser.add_argument("folder", metavar="FOLDER", help="pose_estimates.csv and folder images")
    parser.add_argument("--limit", type=int, metavar="N", help="so many people (default all)")
    parser.add_argument("--sheet", metavar="FILE", help="write before, after and frontal photo of some people")
    parser.add_argument("--rows", type=int, default=20, help="people on the sheet (default %(default)s)")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    people = pairs(options.folder)[: options.limit]
    from tfface import training
    from tfface.editing import Editor

    editor = Editor(training.load_model(options.run))
    asks = {
        "frontal": lambda face: {"frontal": 1},
        "pose": lambda face: {"yaw": face.pose[0], "pitch": face.pose[1]},
    }
    if editor.model.task not in asks:
        raise InputError(f"{options.run}: its model turns no heads; expected one with --frontal or --pose")
    found, missing = compare(editor, people, asks[editor.model.task])
    print("| yaw | people | distance before | after | rank-1 before | after | yaw off before | after |")
    print("|---" * 8 + "|")
    for name, count, *values in table(found):
        print(f"| {name} | {count} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    print(f"no face found in {missing['photo']} photos and {missing['edit']} edits", file=sys.stderr)
    if options.sheet:
        chosen = np.linspace(0, len(found["shown"]) - 1, min(options.rows, len(found["shown"]))).astype(int)
        half = (len(chosen) + 1) // 2
        columns = [np.vstack(found["shown"][part]) for part in (chosen[:half], chosen[half:]) if len(part)]
        height = max(len(column) for column in columns)
        images.write_image(
            options.sheet, np.hstack([np.pad(c, ((0, height - len(c)), (0, 8), (0, 0))) for c in columns])
        )


if __name__ == "__main__":
    sys.exit(main())
