"""Renders synthetic heads with exact labels: ``python -m data_tools.synthesize --count 20000 -o data/heads``."""

import argparse
import os
import sys

from data_tools import beam
from tfface.errors import exit_code


def parser():
    """Returns the argument parser of the command."""
    from tfface.synthetic import sampler

    result = argparse.ArgumentParser(
        prog="python -m data_tools.synthesize",
        description="Render synthetic heads with exact labels (action units, attributes, pose, light, landmarks, "
        "masks). Stop it with Ctrl-C and run the same command again: it goes on where it stopped.",
    )
    result.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="new or empty directory, or one to go on with"
    )
    result.add_argument("--count", type=int, default=20000, help="number of pictures (default %(default)s)")
    result.add_argument("--image-size", type=int, default=128, help="side in pixels (default %(default)s)")
    result.add_argument("--seed", type=int, default=0, help="another seed gives other people (default %(default)s)")
    result.add_argument("--workers", type=int, help="processes (default: one per processor)")
    result.add_argument(
        "--people", default="train", metavar="ROLE",
        help=f"whose pictures: {', '.join(sampler.ROLES)}; no person is in two of them (default %(default)s)",
    )  # fmt: skip
    result.add_argument("--images-per-person", type=int, default=4, help="default %(default)s; views take one each")
    result.add_argument(
        "--poses", default="portrait",
        help="portrait: normal, yaw 20 degrees deviation, at most 45; turning: every yaw to 50 alike; wide: "
        "uniform, yaw 90, pitch 30, roll 20; frontal: normal, yaw 4 degrees deviation, at most 10",
    )  # fmt: skip
    result.add_argument(
        "--framing", default="aligned",
        help="aligned (face crop), centred (whole head at a fixed size) or steady (as if cropped when frontal)",
    )  # fmt: skip
    result.add_argument(
        "--margin", type=float, default=1.0, help="of aligned crops: 1 the face (default), 1.5 with hair"
    )
    result.add_argument("--occlusion", type=float, default=0.0, help="chance of something before the face (default 0)")
    result.add_argument("--neutral", action="store_true", help="no expressions")
    result.add_argument(
        "--answers", type=int, default=1, metavar="N",
        help="pictures of each scene that differ in one thing alone: each is the true answer to editing another",
    )  # fmt: skip
    result.add_argument(
        "--vary", default="action_units", metavar="THING",
        help=f"what the pictures of a scene differ in: {', '.join(sampler.VARY)} (default %(default)s)",
    )  # fmt: skip
    result.add_argument(
        "--views", default="", metavar="NAMES",
        help="the same person, expression and light from several sides, for example frontal,turned or -60,0,60; names: "
        f"{', '.join(sampler.VIEWS)} or whole yaws",
    )  # fmt: skip
    result.add_argument(
        "--factor", default="",
        help=f"batches of {sampler.FACTOR_BATCH} in which one thing varies: {', '.join(sampler.FACTORS)}, or all in "
        "turn",
    )  # fmt: skip
    result.add_argument("--bare", action="store_true", help="no hair, beard or glasses; black behind the head")
    result.add_argument("--quiet", action="store_true", help="no progress bar")
    beam.add_argument(result)
    return result


def main(arguments=None):
    """Runs the command and returns its exit code: 2 for bad input, 130 when interrupted."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    from tfface.synthetic.dataset import synthesize

    runner = (
        None
        if options.runner is None
        else beam.Runner(options.runner, parser(), options.workers or os.cpu_count() or 1)
    )
    directory = synthesize(
        options.output,
        options.count,
        options.image_size,
        options.seed,
        workers=options.workers,
        progress=not options.quiet,
        spread=None if runner is None else beam.render_tasks(runner, options.output),
        people=options.people,
        images_per_person=options.images_per_person,
        poses=options.poses,
        framing=options.framing,
        margin=options.margin,
        occlusion=options.occlusion,
        expressions=not options.neutral,
        answers=options.answers,
        vary=options.vary,
        views=[name.strip() for name in options.views.split(",") if name.strip()],
        factor=options.factor,
        bare=options.bare,
    )
    beam.remove(directory)
    print(f"{options.count} pictures in {directory}; look at {directory / 'sheet.png'}")


if __name__ == "__main__":
    sys.exit(main())
