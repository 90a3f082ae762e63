"""Whether a better training set trains a better reader of action units: ``python -m benchmarks.thesis -o DIR``.

The course slides that tfface grew from ("Thoughts of a Better Train Dataset") name four limits of EmotioNet: lack of
various directions, no occlusion, inaccurate annotation, discrete intensities. Here readers of action units learn from
the same number of rendered pictures with none of these limits, with each one alone, and with all four. People,
expressions, lights and backgrounds are the same in all.

Two kinds of reader (``--reader``): `kernel_reader`, which is solved in closed form, and "head", the discriminator of
GANimation's laptop preset in its warm-up, which needs many more steps than that preset gives it to learn wide poses.

Every reader is scored on the same held-out people, turned up to 90 degrees and partly hidden, with exact labels, and on
photographs of the Face Research Lab London Set, if there are any (``--photos``): how well its AU12 tells smiling from
neutral faces. An interrupted run goes on where it stopped; the tables are printed and kept in DIR.
"""

import argparse
import itertools
import os
import pathlib
import sys
from typing import NamedTuple

import numpy as np

from benchmarks import kernel_reader, repeats
from tfface import metrics
from tfface.conventions import ACTION_UNITS, MAX_INTENSITY
from tfface.errors import InputError


class Kind(NamedTuple):
    """A training set: its name in the tables, what its pictures show and what is done to its labels."""

    title: str
    poses: str = "wide"
    occlusion: float = 0.3
    noisy: bool = False
    binary: bool = False


KINDS = {
    "full": Kind("full"),
    "frontal": Kind("frontal only", poses="frontal"),
    "unoccluded": Kind("no occlusion", occlusion=0.0),
    "noisy": Kind("noisy labels", noisy=True),
    "binary": Kind("binary labels", binary=True),
    "all": Kind("all four limits", "frontal", 0.0, noisy=True, binary=True),
}

# OpenFace's intensities agree with those of the human coders of DISFA (videos that it was not trained on) with a mean
# concordance of 0.73 (quoted in Jeganathan et al. 2022, eLife 11:e79581, from Baltrusaitis et al. 2018). A part of its
# error is the person's: a neutral face of theirs does not read as neutral (Baltrusaitis et al. 2015, who subtract each
# person's median in videos; of single pictures nothing can be subtracted). That this part is half is a guess.
AGREEMENT = 0.73
OF_PERSON = 0.5
PRESENT = 1.0  # FACS level A, of 0-5
YAWS = (0, 30, 60, 90)  # bounds of the bands in which scores are given too
SIZE = 64  # pixels, as the laptop preset
ASIDE = 6  # each repeat leaves out one person in so many, which also chooses the kernel's ridge
SHIFT = 3  # pixels either way that training pictures are moved
DATA_SEED, TEST_SEED = 0, 1  # people differ by their role already, expressions and lights by the seed


# -- labels ------------------------------------------------------------------------------------------------------------


def concordance(a, b):
    """Lin's concordance correlation of two samples: 1 where they are equal, less for noise, offset or scale."""
    return float(2 * np.mean((a - a.mean()) * (b - b.mean())) / (a.var() + b.var() + (a.mean() - b.mean()) ** 2))


def noisy(labels, people, rng, agreement=AGREEMENT):
    """Returns (N, 17) intensities 0-5 as an annotator of this mean concordance would give them.

    Args:
        labels: (N, 17) true intensities.
        people: (N,) identities; each has errors of its own, `OF_PERSON` of their variance.
        rng: numpy Generator.
    """
    _, person = np.unique(people, return_inverse=True)
    own = rng.standard_normal((person.max() + 1, labels.shape[1]))[person]
    error = np.sqrt(OF_PERSON) * own + np.sqrt(1 - OF_PERSON) * rng.standard_normal(labels.shape)
    error *= labels.std(0)

    def annotated(level):
        return np.clip(labels + level * error, 0, MAX_INTENSITY)

    low, high = 0.0, 16.0
    for _ in range(30):
        level = (low + high) / 2
        seen = annotated(level)
        reached = np.mean([concordance(seen[:, k], labels[:, k]) for k in range(labels.shape[1])])
        low, high = (level, high) if reached > agreement else (low, level)
    return annotated(low)


def binary(labels, truth):
    """Returns (N, 17) with two values in each column: the true mean where a label is `PRESENT`, and where it is not.

    No other two constants are nearer to the truth: what this costs is the intensity alone, not a bad scale.
    """
    present = labels >= PRESENT

    def mean(chosen):
        return np.sum(truth * chosen, 0) / np.maximum(chosen.sum(0), 1)

    return np.where(present, mean(present), mean(~present))


def given_labels(kind, truth, people, seed):
    """Returns the (N, 17) labels that a training set of a `Kind` comes with; `seed` draws its noise."""
    labels = noisy(truth, people, np.random.default_rng([seed, 1])) if kind.noisy else truth
    return binary(labels, truth) if kind.binary else labels


def learnt_from(people, seed):
    """Returns (N,) bool: the pictures of five sixths of the people, drawn anew by each seed."""
    names, person = np.unique(people, return_inverse=True)
    aside = np.random.default_rng([seed, 2]).permutation(len(names))[: -(-len(names) // ASIDE)]
    return ~np.isin(person, aside)


# -- pictures ----------------------------------------------------------------------------------------------------------


class Pictures(NamedTuple):
    images: np.ndarray  # (N, SIZE, SIZE, 3) uint8
    action_units: np.ndarray  # (N, 17), 0-5, exact
    people: np.ndarray  # (N,) identities
    yaw: np.ndarray  # (N,) degrees
    occluded: np.ndarray  # (N,) bool: something stands before the face


def rendered(directory, count, seed, workers=None, **settings):
    """Renders a set, or goes on with it, and reads it -> `Pictures`."""
    from tfface.data.records import open_dataset
    from tfface.synthetic.dataset import synthesize

    records = list(open_dataset(synthesize(directory, count, SIZE, seed, workers, **settings)))
    return Pictures(
        np.stack([record["image"] for record in records]),
        np.stack([record["action_units"] for record in records]).astype(np.float64),
        np.array([record["identity"] for record in records]),
        np.array([record["pose"][0] for record in records], np.float64),
        np.array([record["occluder"] is not None for record in records]),
    )


def london(folder, output):
    """Aligns the photos of ``neutral/`` and ``smiling/`` -> (images (N, SIZE, SIZE, 3) uint8, smiling (N,) bool)."""
    from tfface import crops, images

    faces, smiling = [], []
    for name in ("neutral", "smiling"):
        photos = pathlib.Path(folder) / name
        if not photos.is_dir():
            raise InputError(f"{photos}: no such folder; expected the London Set's neutral and smiling photos")
        crops.align_photos([photos], pathlib.Path(output) / name, image_size=SIZE)
        faces += [images.read_image(face["file"]) for face in crops.read_faces(pathlib.Path(output) / name)]
        smiling += [name == "smiling"] * (len(faces) - len(smiling))
    return np.stack(faces), np.array(smiling)


# -- training and scoring ----------------------------------------------------------------------------------------------


def batches(images, action_units, batch_size, seed):
    """Yields endless batches {image in [-1, 1], action_units 0-1} of mirrored and shifted pictures."""
    rng = np.random.default_rng([seed, 0])
    padded = np.pad(images, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), "reflect")
    size, order = images.shape[1], np.zeros(0, int)
    while True:
        while len(order) < batch_size:
            order = np.concatenate([order, rng.permutation(len(images))])
        chosen, order = order[:batch_size], order[batch_size:]
        batch = np.empty((batch_size, size, size, 3), np.float32)
        moves, flips = rng.integers(0, 2 * SHIFT + 1, (batch_size, 2)), rng.uniform(size=batch_size) < 0.5
        for place, (number, (down, right), flip) in enumerate(zip(chosen, moves, flips, strict=True)):
            picture = padded[number, down : down + size, right : right + size]
            batch[place] = picture[:, ::-1] if flip else picture
        units = action_units[chosen] / MAX_INTENSITY
        yield {"image": batch / 127.5 - 1.0, "action_units": units.astype(np.float32)}


def head_readers(images, labels, chosen, steps, seed):
    """Yields a function from (N, SIZE, SIZE, 3) uint8 pictures to (N, 17) intensities for each of the sets of labels.

    Each is a discriminator after `steps` of the laptop preset's warm-up.
    """
    import keras
    import tensorflow as tf

    from tfface import models

    for given in labels:
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        model_class = models.get("ganimation")
        length = dict(image_size=images.shape[1], steps=steps + 1, warmup_steps=steps)
        model = model_class(model_class.Config.from_preset("laptop", **length), seed=seed)
        model.compile()
        model.set_phase("warmup")
        size = model.examples_per_step
        shapes = {"image": (size, *images.shape[1:]), "action_units": (size, len(ACTION_UNITS))}
        data = tf.data.Dataset.from_generator(
            lambda given=given, size=size: batches(images[chosen], given[chosen], size, seed),
            output_signature={key: tf.TensorSpec(shape, tf.float32) for key, shape in shapes.items()},
        ).prefetch(8)
        model.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0)

        def read(pictures, model=model):
            parts = np.array_split(pictures, max(1, len(pictures) // 250))
            estimates = [model.estimate_action_units(part.astype(np.float32) / 127.5 - 1.0) for part in parts]
            return MAX_INTENSITY * np.concatenate(estimates)

        yield read


def kernel_readers(images, labels, chosen, steps, seed):
    """Yields the functions of `kernel_reader.fit`; takes no steps."""
    yield from kernel_reader.fit(images, labels, chosen)


READERS = {"kernel": kernel_readers, "head": head_readers}


def parts(test):
    """Returns ``{name: (N,) bool}`` of the parts of the test set that are scored on their own."""
    turned = np.abs(test.yaw)
    bands = {f"{a}–{b}°": (turned >= a) & (turned < b) for a, b in zip(YAWS, YAWS[1:])}
    return {**bands, "unoccluded": ~test.occluded, "occluded": test.occluded}


def correlation(estimate, truth):
    """Returns the mean over columns of Pearson's r; a column that is constant counts as 0."""
    a, b = estimate - estimate.mean(0), truth - truth.mean(0)
    size = np.sqrt(np.sum(a**2, 0) * np.sum(b**2, 0))
    return float(np.mean(np.sum(a * b, 0) / np.where(size > 0, size, 1)))


def scores(read, test, faces=None, smiling=None):
    """Returns what a function from pictures to intensities reaches.

    {"icc", "r", "mae"} averaged over action units, "units" {name: ICC}, "parts" {name: mean ICC} and, where there are
    `faces`, "london".
    """
    estimate = np.clip(read(test.images), 0, MAX_INTENSITY).astype(np.float64)
    by_unit = metrics.action_unit_scores(estimate, test.action_units, ACTION_UNITS)

    def mean_icc(chosen):
        part = metrics.action_unit_scores(estimate[chosen], test.action_units[chosen], ACTION_UNITS)
        return float(np.nanmean([score["icc"] for score in part.values()]))

    result = {
        "icc": float(np.mean([score["icc"] for score in by_unit.values()])),
        "r": correlation(estimate, test.action_units),
        "mae": float(np.mean([score["mae"] for score in by_unit.values()])),
        "units": {name: score["icc"] for name, score in by_unit.items()},
        "parts": {name: mean_icc(chosen) for name, chosen in parts(test).items()},
    }
    if faces is not None:
        smile = read(faces)[:, ACTION_UNITS.index("AU12")]
        result["london"] = metrics.area_under_curve(smile, smiling)
    return result


# -- the whole comparison ----------------------------------------------------------------------------------------------


def compare(output, reader, count, test_count, steps, seeds, photos=None, workers=None, progress=True):
    """Trains and scores what is not there yet.

    Args:
        output: directory for pictures and results.
        reader: one of `READERS`.
        count, test_count: pictures of each training set and of the test set.
        steps: updates of each training of a head.
        seeds: repeats of each kind; each leaves out other people and draws other noise (a head: another start too).
        photos: folder with ``neutral/`` and ``smiling/``, or None.

    Returns:
        ``{(kind, seed): scores}``; see `scores`.
    """
    from tqdm import tqdm

    output = pathlib.Path(output)
    settings = {"count": count, "test_count": test_count, "photos": photos is not None}
    kept = repeats.Results(output / reader, settings | ({"steps": steps} if reader == "head" else {}))
    results = {(name, seed): kept.get(name, seed) for seed in range(seeds) for name in KINDS}
    missing = [key for key, result in results.items() if result is None]
    if not missing:
        return results
    pictures = {"workers": workers, "progress": progress}
    test = rendered(
        output / "test", test_count, TEST_SEED, people="evaluation", images_per_person=2, poses="wide",
        occlusion=0.3, **pictures,
    )  # fmt: skip
    photographs = london(photos, output / "london") if photos else ()
    sets = dict.fromkeys((kind.poses, kind.occlusion) for kind in KINDS.values())  # kinds may share their pictures
    for poses, occlusion in sets:
        folder = output / "train" / f"{poses}-{occlusion:g}"
        sets[poses, occlusion] = rendered(folder, count, DATA_SEED, poses=poses, occlusion=occlusion, **pictures)
    with tqdm(total=len(missing), unit="reader", desc="Training", disable=not progress) as bar:
        for seed, (shown, train) in itertools.product(range(seeds), sets.items()):
            names = [name for name, kind in KINDS.items() if (name, seed) in missing and kind[1:3] == shown]
            if not names:
                continue
            labels = [given_labels(KINDS[name], train.action_units, train.people, seed) for name in names]
            chosen = learnt_from(train.people, seed)
            for name, read in zip(names, READERS[reader](train.images, labels, chosen, steps, seed)):
                results[name, seed] = scores(read, test, *photographs)
                kept.put(name, seed, results[name, seed])
                bar.update()
    return results


def tables(results, seeds):
    """Returns the comparison as two Markdown tables: means over seeds with intervals, differences seed by seed."""
    first, *_ = results.values()

    def values(name, *keys):
        found = [results[name, seed] for seed in range(seeds)]
        for key in keys:
            found = [result[key] for result in found]
        return np.array(found)

    def table(columns):
        rows = [(kind.title, *(repeats.interval(column(name)) for column in columns.values())) for name, kind in kinds]
        return repeats.markdown(("training set", *columns), rows)

    kinds = KINDS.items()
    whole = {
        "mean ICC": lambda name: values(name, "icc"),
        "difference to full": lambda name: values(name, "icc") - values("full", "icc"),
        "mean r": lambda name: values(name, "r"),
        "MAE, 0–5": lambda name: values(name, "mae"),
    }
    if "london" in first:
        whole["AUC of AU12, london"] = lambda name: values(name, "london")
    by_part = {f"ICC, {part}": lambda name, part=part: values(name, "parts", part) for part in first["parts"]}
    return f"{table(whole)}\n{table(by_part)}"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.thesis", description=__doc__.split("\n")[0])
    test_data = os.environ.get("TFFACE_TEST_DATA")
    here = test_data and str(pathlib.Path(test_data) / "london")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="for pictures, results and tables")
    parser.add_argument("--count", type=int, default=6000, help="pictures of each training set (default %(default)s)")
    parser.add_argument("--test-count", type=int, default=1500, help="pictures to score on (default %(default)s)")
    parser.add_argument("--reader", choices=READERS, default="kernel", help="default %(default)s")
    parser.add_argument("--steps", type=int, default=6000, help="of each training of a head (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each set (default %(default)s)")
    parser.add_argument("--workers", type=int, help="rendering processes (default: one a processor)")
    parser.add_argument(
        "--quick", action="store_true", help="a minute of all of it, for a look: 128 pictures, 20 steps"
    )
    parser.add_argument(
        "--photos", default=here, metavar="DIR",
        help="neutral/ and smiling/ photos of the London Set (default: $TFFACE_TEST_DATA/london)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if options.quick:
        options.count, options.test_count, options.steps, options.seeds = 128, 64, 20, 1
    try:
        counts = options.count, options.test_count, options.steps, options.seeds
        if min(counts) < 1:
            raise InputError(f"count, test count, steps, seeds {counts}: expected 1 or more of each")
        results = compare(options.output, options.reader, *counts, options.photos, options.workers)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    text = tables(results, options.seeds)
    (pathlib.Path(options.output) / f"{options.reader}.md").write_text(text)
    print(f"{options.reader} reader, {options.count} pictures, {options.seeds} seeds\n\n{text}", end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
