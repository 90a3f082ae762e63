"""Cuts the faces out of photos: ``python -m data_tools.align photos/ -o aligned/ [--records data/mine]``."""

import argparse
import sys

from tfface.errors import InputError, exit_code


def parser():
    """Returns the argument parser of the command."""
    result = argparse.ArgumentParser(
        prog="python -m data_tools.align",
        description="Find every face of every photo and write it aligned, as models are trained and photos are edited. "
        "Stop it with Ctrl-C and run the same command again: it goes on where it stopped.",
    )
    result.add_argument("photos", nargs="+", metavar="PHOTO", help="photos, or folders of them")
    result.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="folder for the faces, faces.csv and rejects.csv"
    )
    result.add_argument("--image-size", type=int, default=128, help="side of a face in pixels (default %(default)s)")
    result.add_argument(
        "--margin", type=float, default=1.0, help="1 frames forehead to chin; more shows more (default 1)"
    )
    result.add_argument(
        "--min-size", type=float, default=48, help="leave out faces smaller than this many pixels (default 48)"
    )
    result.add_argument(
        "--records", metavar="DIR", help="also write a data set (pose and landmarks known, the rest unknown)"
    )
    result.add_argument("--source", default="photos", help="what the photos are, stored in the data set")
    result.add_argument("--licence", default="", help="how they may be used, stored in the data set")
    result.add_argument("--quiet", action="store_true", help="no progress bar")
    return result


def main(arguments=None):
    """Runs the command; returns 0 also with rejects, 2 for bad input or no face at all, 130 when interrupted."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    _check(options)
    from tfface import crops

    faces, rejects = crops.align_photos(
        options.photos,
        options.output,
        image_size=options.image_size,
        margin=options.margin,
        min_size=options.min_size,
        progress=not options.quiet,
    )
    print(f"{faces} faces in {options.output}, {rejects} rejects" + (" (rejects.csv says why)" if rejects else ""))
    if options.records:
        count = crops.write_records(
            options.output, options.records, options.source, options.licence, progress=not options.quiet
        )
        print(f"{count} records in {options.records}")


def _check(options):
    if not 16 <= options.image_size <= 1024:
        raise InputError(f"--image-size {options.image_size}: expected 16 to 1024 pixels")
    if not 0.5 <= options.margin <= 4:
        raise InputError(f"--margin {options.margin:g}: expected 0.5 to 4")
    if not 0 <= options.min_size <= 10000:
        raise InputError(f"--min-size {options.min_size:g}: expected 0 to 10000 pixels")


if __name__ == "__main__":
    sys.exit(main())
