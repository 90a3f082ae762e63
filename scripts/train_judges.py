"""Makes tfface/assets/judges.npz, the nets of `tfface.judges`, and judges.json, their accuracy on held-out truth.

    python scripts/train_judges.py WORK [--photos DIR]

Renders the judges' people into the folder WORK, trains both nets there, each on its own pictures of them, renders
people of the evaluation and scores the nets on them. Stopped at any point, the same command goes on. WORK holds some
2 GB and may be deleted afterwards; nothing is written outside it before the scores are known. The JSON holds:

* `portraits`: for pictures of 64 and 128 pixels and margins 1.0 and 1.5: ICC(3,1) and mean absolute error of each
  action unit (0-5), area under the ROC curve and accuracy of each attribute, mean absolute error of the pose (degrees),
  on poses as training sets draw them, nothing before the face;
* `turned`: errors of the pose on uniform yaws;
* `changed`: of people with one to three attributes changed, the share judged right of each attribute that was, and of
  all `others`;
* `photos` (with --photos, a folder with photos of people in ``neutral`` and ``smiling``): how well AU12 and Smiling
  tell the two, in colour and in grey;
* `milliseconds` for a picture on the machine that made it, and what the nets were made from.
"""

import argparse
import json
import pathlib
import sys

from tfface.errors import InputError, exit_code


def parser():
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("work", metavar="WORK", help="folder for pictures and checkpoints; not in the repository")
    result.add_argument("--photos", metavar="DIR", help="also score photos in DIR/neutral and DIR/smiling")
    result.add_argument("--count", type=int, default=16384, help="pictures for the face net (default %(default)s)")
    result.add_argument("--head-count", type=int, default=12288, help="for the head net (default %(default)s)")
    result.add_argument("--face-steps", type=int, default=10000, help="training steps (default %(default)s)")
    result.add_argument("--head-steps", type=int, default=4000, help="training steps (default %(default)s)")
    result.add_argument("--test-count", type=int, default=800, help="portraits to score on (default %(default)s)")
    result.add_argument("--workers", type=int, default=2, help="rendering processes (default %(default)s)")
    result.add_argument("--quiet", action="store_true", help="no progress bars")
    result.add_argument(
        "-o", "--output", metavar="NPZ", help="where the weights go, with the JSON beside them (default: the package)"
    )
    return result


def main(arguments=None):
    """Runs the command; returns 0, 2 for bad input, 130 when interrupted."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    for name in ("count", "head_count", "face_steps", "head_steps", "test_count", "workers"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} {getattr(options, name)}: expected 1 or more")
    if options.photos and not pathlib.Path(options.photos).is_dir():
        raise InputError(f"--photos {options.photos}: no such folder")
    import cv2

    from tfface import images, judges
    from tfface.judging import fitting, heads, scenes, scoring

    cv2.setNumThreads(1)  # pictures are prepared in threads of their own
    progress = not options.quiet
    work = pathlib.Path(options.work)
    output = pathlib.Path(options.output) if options.output else judges.ASSET
    sets = {
        "face": (scenes, options.count, options.face_steps),
        "head": (heads, options.head_count, options.head_steps),
    }
    nets, made = {}, {}
    for name, (module, count, steps) in sets.items():
        folder = work / f"{module.FOLDER}-{count}"
        dataset = module.render(folder, count, workers=options.workers, progress=progress)
        pictures = fitting.Pictures(dataset, progress)
        checkpoints = work / f"checkpoints-{count}"
        nets[name] = fitting.fit(name, pictures, steps, checkpoints, progress=progress)
        made[name] = {"pictures": count, "people": int(dataset.info["people"]), "seed": module.SEED, "steps": steps}
        if name == "face":
            calibration = fitting.calibrate(nets[name], pictures)
        del pictures
    weights = work / "judges.npz"
    judges.save(weights, nets, calibration)
    score = judges.Judges(weights).judge  # as shipped: half floats
    result = {"made from": made}
    counts = options.test_count, options.test_count
    result |= scoring.evaluate(work, *counts, score, workers=options.workers, progress=progress)
    if options.photos:
        result["photos"] = {f"{size}px": scoring.photos(options.photos, score, size) for size in scoring.SIZES}
    result["milliseconds"] = scoring.speed(score)
    with images.atomic(output) as stream:
        stream.write(weights.read_bytes())
    with images.atomic(output.with_suffix(".json")) as stream:
        stream.write((json.dumps(result, indent=1) + "\n").encode())
    mean = {name: scores["action_units"]["icc"]["mean"] for name, scores in result["portraits"].items()}
    print(f"{output}: mean ICC {mean}; pose {result['turned']}; photos {result.get('photos')}")


if __name__ == "__main__":
    sys.exit(main())
