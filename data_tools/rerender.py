"""Renders the faces of photos anew: ``python -m data_tools.rerender photos/ --yaw -30 0 30 --au AU12=1 -o data/anew``.

A head is fitted to each face, the photo becomes its texture, and it is drawn with other poses and expressions: pairs of
pictures with the textures of photographs and labels known from the drawing, to train the rotator, TP-GAN and GANimation
on. What cannot be used is in rejects.csv with the reason. Stopped, the same command goes on where it was.
"""

import argparse
import math
import sys

from tfface.conventions import ACTION_UNITS
from tfface.errors import InputError, exit_code


def parser():
    """Returns the argument parser of the command."""
    result = argparse.ArgumentParser(
        prog="python -m data_tools.rerender",
        description="Make a data set of faces from photos, each rendered anew in other poses and expressions.",
    )
    result.add_argument("photos", nargs="+", metavar="PHOTOS", help="photos and folders of photos")
    result.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="new or empty directory, or one to go on with"
    )
    result.add_argument(
        "--yaw", type=int, nargs="+", default=[], metavar="DEGREES",
        help="which way the faces look, such as -30 0 30 (default: each as in its photo)",
    )  # fmt: skip
    result.add_argument(
        "--au", nargs="+", action="append", default=[], metavar="AU=VALUE",
        help="an expression, such as AU12=1 AU06=0.6 (0 to 1), beside the photo's own; may be given several times",
    )  # fmt: skip
    result.add_argument(
        "--vary", choices=("pose", "action_units"),
        help="what pictures that belong together differ in: pose makes pairs for TP-GAN, and poses for the rotator, "
        "which learns from them one by one; action_units true answers for GANimation (default: pose with several yaws)",
    )  # fmt: skip
    result.add_argument("--image-size", type=int, default=128, help="side in pixels (default %(default)s)")
    result.add_argument(
        "--margin", type=float, default=1.0, help="1 frames forehead to chin, 1.5 shows the hair (default %(default)s)"
    )
    result.add_argument(
        "--min-size", type=float, default=64, help="leave out faces smaller than this many pixels (default 64)"
    )
    result.add_argument(
        "--source", default="photos rendered anew by tfface", help="what the pictures are, for people to read"
    )
    result.add_argument("--licence", default="unknown", help="the photos' terms of use, stored in the data set")
    result.add_argument("--quiet", action="store_true", help="no progress bar")
    return result


def main(arguments=None):
    """Runs the command and returns its exit code: 2 for bad input, 130 when interrupted."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    expressions = [_expression(texts) for texts in options.au]
    from tfface.rerendering.dataset import rerender

    count, rejects = rerender(
        options.photos,
        options.output,
        yaws=options.yaw,
        expressions=expressions,
        vary=options.vary,
        image_size=options.image_size,
        margin=options.margin,
        min_size=options.min_size,
        source=options.source,
        licence=options.licence,
        progress=not options.quiet,
    )
    print(f"{count} pictures in {options.output}, {rejects} rejects" + (" (rejects.csv says why)" if rejects else ""))


def _expression(texts):
    """Returns a dict of action unit to intensity 0-1 from texts such as AU12=1."""
    wanted = {}
    for text in texts:
        name, _, value = text.partition("=")
        name = name.upper()
        if name not in ACTION_UNITS:
            raise InputError(f"--au {text}: {name!r} is unknown, expected one of {' '.join(ACTION_UNITS)}")
        if name in wanted:
            raise InputError(f"--au {text}: {name} is given twice; give it once")
        try:
            wanted[name] = float(value)
        except ValueError:
            wanted[name] = math.nan
        if not 0 <= wanted[name] <= 1:
            raise InputError(f"--au {text}: expected an intensity from 0 to 1, such as {name}=0.8")
    return wanted


if __name__ == "__main__":
    sys.exit(main())
