"""Makes tfface/assets/annotator.npz, what `tfface.annotator` reads with, and annotator.json, its held-out accuracy.

    python scripts/train_annotator.py WORK [--photos DIR]

Renders the annotator's people into the folder WORK, looks at them twice each through the landmarker, fits the readers,
and scores them on people of the evaluation, with and without things before the face. Stopped at any point, the same
command goes on. WORK holds some 1 GB and may be deleted afterwards. The JSON holds:

* `clear`, `hidden`: action units (area under the ROC curve of intensities above 2 against 0, ICC(3,1), mean absolute
  error), attributes (area, accuracy) and pose (degrees) on held-out people, cameras and lights; every face of `hidden`
  has something before it. `readers` has the mean area and agreement of each reader by itself;
* `photos` (with --photos, a folder with photos of people in ``neutral`` and ``smiling``): how well AU06, AU12 and AU25
  tell the two, beside the landmarker's own smile coefficient.
"""

import argparse
import json
import pathlib
import sys

from tfface.errors import InputError, exit_code

_TEST_SEEDS = {"clear": 880_002, "hidden": 880_003}


def parser():
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("work", metavar="WORK", help="folder for pictures and what was seen; not in the repository")
    result.add_argument("--photos", metavar="DIR", help="also score photos in DIR/neutral and DIR/smiling")
    result.add_argument("--count", type=int, default=2800, help="pictures to learn from (default %(default)s)")
    result.add_argument("--clear", type=int, default=500, help="pictures to score on (default %(default)s)")
    result.add_argument("--hidden", type=int, default=300, help="the same with faces half hidden (default %(default)s)")
    result.add_argument("--workers", type=int, default=2, help="rendering processes (default %(default)s)")
    result.add_argument("--quiet", action="store_true", help="no progress bars")
    result.add_argument(
        "-o", "--output", metavar="NPZ", help="where it goes, with the JSON beside it (default: the package)"
    )
    return result


def main(arguments=None):
    """Runs the command; returns 0, 2 for bad input, 130 when interrupted."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    for name in ("count", "clear", "hidden", "workers"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} {getattr(options, name)}: expected 1 or more")
    from tfface import annotator, images
    from tfface.annotating import fitting, scenes, scoring, views

    work, progress = pathlib.Path(options.work), not options.quiet
    output = pathlib.Path(options.output) if options.output else annotator.ASSET
    dataset = scenes.render(work / f"train-{options.count}", options.count, workers=options.workers, progress=progress)
    seen = views.gather(dataset, work / f"seen-{options.count}", scenes.SEED, True, progress)
    scenes.check_people(seen["true identity"])
    aside = fitting.split(seen["true identity"])
    learnt, kept = ({key: values[rows] for key, values in seen.items()} for rows in (~aside, aside))
    parts = fitting.action_unit_readers(learnt, learnt["true action_units"])
    names = fitting.known_attributes(learnt["true attributes"])
    reader = fitting.attribute_reader(learnt, learnt["true attributes"], names)
    raw = sum(share * parts[name](kept) for name, share in fitting.SHARES.items())
    intensities = fitting.calibrate_intensities(raw, kept["true action_units"])
    logits = fitting.calibrate_attributes(reader(kept), kept["true attributes"], names)
    made = work / "annotator.npz"
    annotator.save(made, parts, fitting.SHARES, intensities, reader, names, logits)
    trained = annotator.Annotator(made)  # as shipped: half floats
    result = {"made from": {"pictures": options.count, "views": len(aside), "seed": scenes.SEED}}
    for kind, seed in _TEST_SEEDS.items():
        result[kind] = _score(trained, parts, work, kind, getattr(options, kind), seed, options)
    if options.photos:
        result["photos"] = scoring.photos(options.photos, trained.read)
    with images.atomic(output) as stream:
        stream.write(made.read_bytes())
    with images.atomic(output.with_suffix(".json")) as stream:
        stream.write((json.dumps(result, indent=1) + "\n").encode())
    for kind in _TEST_SEEDS:
        units = result[kind]["action_units"]
        print(f"{kind}: action units AUC {units['auc']['mean']}, ICC {units['icc']['mean']}; {result[kind]['readers']}")
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB; photos {result.get('photos')}")


def _score(trained, parts, work, kind, count, seed, options):
    """Scores on rendered people of the evaluation's range."""
    from tfface.annotating import scenes, scoring, views
    from tfface.data import records
    from tfface.synthetic.dataset import synthesize

    settings = {"people": "evaluation", "margin": 1.6, "images_per_person": 2, "occlusion": float(kind == "hidden")}
    place = synthesize(work / f"{kind}-{count}", count, 208, seed, options.workers, not options.quiet, **settings)
    seen = views.gather(records.open_dataset(place), work / f"seen-{kind}-{count}", seed, False, not options.quiet)
    scenes.check_people(seen["true identity"], "evaluation")
    found, units = trained.answers(seen), seen["true action_units"]
    alone = {name: scoring.action_units(part(seen).clip(0, 5), units) for name, part in parts.items()}
    return {
        "faces": len(units),
        "action_units": scoring.action_units(found["action_units"], units),
        "attributes": scoring.attributes(found["attributes"], seen["true attributes"]),
        "pose": scoring.pose(found["pose"], seen["true pose"]),
        "readers": {name: {key: alone[name][key]["mean"] for key in ("auc", "icc")} for name in alone},
    }


if __name__ == "__main__":
    sys.exit(main())
