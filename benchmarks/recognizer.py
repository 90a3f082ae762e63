"""How well a trained recognizer tells people apart, beside the shipped identity network.

    python -m benchmarks.recognizer RUN [--photos FOLDER] [--people 50]

On the people that the run's data set holds out: the first picture of each is the gallery, the others are probes (other
poses, expressions, lights, backgrounds). On photographs: FOLDER as for `benchmarks.turned_photographs`, the most
frontal photo of each person is the gallery, the most turned one the probe. Prints a Markdown row each: rank-1 among the
people, and the area under the ROC curve of the cosine of probes with the gallery's pictures of the same and of others.
"""

import argparse
import collections
import sys

import numpy as np

from benchmarks import turned_photographs
from tfface import alignment, identity, images, metrics
from tfface import people as people_of
from tfface.errors import InputError, exit_code


def held_out(dataset, image_size, people):
    """Returns uint8 pictures, their (68, 2) landmarks and their people, each person's first picture first."""
    from tfface.data.pipeline import evaluation_records

    pictures = collections.defaultdict(list)
    for record in evaluation_records(dataset, keys=("image", "landmarks", "identity")):
        if len(pictures) < people or record["identity"] in pictures:
            scale = image_size / record["image"].shape[0]
            picture = people_of.resized(record["image"], image_size)
            pictures[record["identity"]].append((picture, scale * record["landmarks"]))
    several = {person: shown for person, shown in pictures.items() if len(shown) > 1}
    if not several:
        raise InputError(f"{dataset.directory}: holds out nobody with two pictures and landmarks")
    return _columns([(*one, person) for person, shown in several.items() for one in shown])


def photographs(folder, image_size, margin, people):
    """Returns the same of photographs, and beside the crops the photos and their landmarks that these were cut from."""
    from tfface.faces import Landmarker

    landmarker, rows = Landmarker(), []
    for person, turned, _, frontal in turned_photographs.pairs(folder)[:people]:
        photos = [images.read_image(path) for path in (frontal, turned)]
        faces = [max(landmarker.find(photo), key=lambda face: face.size, default=None) for photo in photos]
        if any(face is None for face in faces):
            continue
        for photo, face in zip(photos, faces, strict=True):
            matrix = alignment.alignment_matrix(face.landmarks, image_size, margin)
            rows.append((images.warp(photo, matrix, image_size), photo, face.landmarks, person))
    if not rows:
        raise InputError(f"{folder}: nobody whose turned and frontal faces are both found")
    return _columns(rows)


def _columns(rows):
    return [list(column) for column in zip(*rows, strict=True)]


def scores(descriptors, people):
    """Returns (people, probes, rank-1, area under the curve); the first picture of each person is the gallery."""
    people = np.asarray(people)
    _, first = np.unique(people, return_index=True)
    probe = np.setdiff1d(np.arange(len(people)), first)
    unit = descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)
    cosines, same = unit[probe] @ unit[first].T, people[probe][:, None] == people[first][None]
    rank1 = metrics.rank1(unit[probe], people[probe], unit[first], people[first], "cosine")
    return len(first), len(probe), rank1, metrics.area_under_curve(cosines.ravel(), same.ravel())


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recognizer", description="Rank-1 and verification of a trained recognizer."
    )
    parser.add_argument("run", metavar="RUN", help="run of a recognizer")
    parser.add_argument("--photos", metavar="FOLDER", help="pose_estimates.csv and folder images")
    parser.add_argument("--people", type=int, default=50, metavar="N", help="in the gallery (default %(default)s)")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    from tfface import training

    run = training.open_run(options.run)
    if run.model != "recognizer":
        raise InputError(f"{options.run}: is a run of {run.model}, not of recognizer")
    model, size = training.load_model(run.path), run.settings.image_size
    margin = model.synthetic.get("margin", 1.0)

    def look(pictures):
        parts = np.array_split(np.stack(pictures).astype(np.float32) / 127.5 - 1, -(-len(pictures) // 64))
        return np.concatenate([model.embed(part) for part in parts])

    print("| pictures | network | people | probes | rank-1 | AUC |\n|---|---|---|---|---|---|")

    def say(what, network, descriptors, people):
        count, probes, rank1, area = scores(descriptors, people)
        print(f"| {what} | {network} | {count} | {probes} | {rank1:.3f} | {area:.3f} |", flush=True)

    pictures, landmarks, people = held_out(training.open_data(run.data), size, options.people)
    say(f"held-out rendered, {size} px", "recognizer", look(pictures), people)
    say(f"held-out rendered, {size} px", "shipped identity network", identity.describe(pictures, landmarks), people)
    if options.photos:
        crops, photos, landmarks, people = photographs(options.photos, size, margin, options.people)
        say(f"photographs, {size} px", "recognizer", look(crops), people)
        say("photographs as they are", "shipped identity network", identity.describe(photos, landmarks), people)


if __name__ == "__main__":
    sys.exit(main())
