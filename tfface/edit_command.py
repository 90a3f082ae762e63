"""``python -m tfface edit``: photos or folders in, edited photos or sweeps out.

One bad file does not stop the others: it is named at the end. A folder is resumable, because a finished picture says in
its metadata which run and which edit made it.
"""

import argparse
import pathlib
import sys

import numpy as np

from tfface.errors import InputError


def add_arguments(parser):
    """Adds the command's flags to an argparse parser."""
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="photographs, or folders of them")
    parser.add_argument("--example", action="store_true", help="edit scikit-image's portrait of an astronaut")
    parser.add_argument("--run", required=True, metavar="RUN", help="run directory of a trained model")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="picture, or folder for several")
    parser.add_argument(
        "--au", action="append", default=[], metavar="AU=VALUE", help="for instance AU12=0.8 (0 to 1); may be repeated"
    )
    parser.add_argument(
        "--sweep", metavar="AU=FROM:TO:FRAMES", help="for instance AU12=0:1:9: writes a GIF and a strip"
    )
    parser.add_argument(
        "--face", default="largest", metavar="N", help="which face: 1 is the leftmost; or largest (the default), or all"
    )
    parser.add_argument(
        "--keep-others", action=argparse.BooleanOptionalAction, default=True,
        help="action units that are not named stay as the model sees them (the default) or become 0",
    )  # fmt: skip
    parser.add_argument("--no-label", action="store_true", help="without the visible label; the metadata stays")


def run_edit(arguments):
    """Runs the command with parsed `add_arguments`; returns the exit code; `InputError` before writing."""
    from tfface import editing

    wanted = editing.parse_action_units(arguments.au)
    sweep = editing.parse_sweep(arguments.sweep) if arguments.sweep else None
    if not wanted and sweep is None:
        raise InputError(
            "nothing to edit: name an action unit, such as --au AU12=0.8, or a sweep, such as --sweep AU12=0:1:9"
        )
    if sweep and sweep[0] in wanted:
        raise InputError(f"--au {sweep[0]} and --sweep {sweep[0]} contradict each other; give one")
    if arguments.face not in ("largest", "all") and not (arguments.face.isdecimal() and int(arguments.face)):
        raise InputError(f"--face {arguments.face}: expected a number from 1 on, largest or all")
    jobs = plan(arguments.images, arguments.output, arguments.example, sweep)
    from tfface import training

    run = training.open_run(arguments.run)
    editor = editing.Editor(training.load_model(arguments.run))
    return edit_all(editor, jobs, arguments, wanted, sweep, model=run.model, run_name=run.path.resolve().name)


def edit_all(editor, jobs, arguments, wanted, sweep, *, model, run_name):
    """Edits every (source, target) of `jobs`; returns 0 unless all failed."""
    from tqdm import tqdm

    failed, done = [], 0
    for source, target in tqdm(jobs, unit="photo", disable=len(jobs) == 1):
        try:
            said = _edit_one(editor, source, target, arguments, wanted, sweep, model, run_name)
            done += 1
        except InputError as error:
            message = str(error)
            failed.append(message if str(source) in message else f"{source}: {message}")
        else:
            if len(jobs) == 1:
                print(said)
    if len(jobs) > 1:
        print(f"{done} of {len(jobs)} photos edited, in {arguments.output}")
    for message in failed:
        print(f"error: {message}", file=sys.stderr)
    return 0 if done else 2


def plan(inputs, output, example, sweep):
    """Returns [(source path or None for the example, target path)]; folders are mirrored. Raises `InputError`."""
    from tfface import images

    output = pathlib.Path(output)
    sources = [(None, pathlib.Path("astronaut.png"))] if example else []
    if inputs or not example:
        sources += images.list_images(inputs, output)
    if output.suffix.lower() in images.SUFFIXES and not output.is_dir():
        if len(sources) > 1 or any(pathlib.Path(given).is_dir() for given in inputs):
            raise InputError(f"--output {output}: is one picture, but there may be several photos; name a folder")
        if sweep and output.suffix.lower() != ".gif":
            raise InputError(f"--output {output}: a sweep is written as a GIF; end the name in .gif or name a folder")
        jobs = [(sources[0][0], output)]
    elif output.exists() and not output.is_dir():
        raise InputError(f"--output {output}: exists and is neither picture nor folder; choose another")
    else:
        jobs = [(source, output / _name(relative, sweep)) for source, relative in sources]
    targets = {}
    for source, target in jobs:
        if source is not None and target.resolve() == source.resolve():
            raise InputError(f"--output {output}: would overwrite {source}; choose another")
        if target in targets:
            raise InputError(f"{source} and {targets[target]} would both be written to {target}; edit them one by one")
        targets[target] = source
    return jobs


def _name(relative, sweep):
    from tfface import images

    if sweep:
        return relative.with_name(f"{relative.stem}-{sweep[0]}.gif")
    # A GIF has 256 colours and BMP no metadata; anything odd becomes a PNG as well.
    keep = relative.suffix.lower() in images.SUFFIXES and relative.suffix.lower() not in (".gif", ".bmp")
    return relative if keep else relative.with_suffix(".png")


def _edit_one(editor, source, target, arguments, wanted, sweep, model, run_name):
    from tfface import editing, images, provenance, sweeps

    photo = images.read_photo(source) if source else example_photo()
    changes = ", ".join(
        [*(f"{name}={value:g}" for name, value in wanted.items()), *([arguments.sweep] if sweep else [])]
    )
    others = "others kept" if arguments.keep_others else "others 0"
    text = f"face {arguments.face}: {changes}; {others}{'; no label' if arguments.no_label else ''}"
    mark = provenance.Edit(model=model, run=run_name, edit=text, source=photo.path.name)
    if target.exists() and _made_by(target) == mark:
        return f"{target}: is already that edit"
    faces = editor.find(photo.visible)
    chosen = editing.choose(faces, arguments.face)
    which = [face for _, face in chosen]
    if sweep:
        series = [{**wanted, sweep[0]: float(value)} for value in sweep[1]]
        # What lies under transparency is not shown in a GIF: it is swept on white.
        frames = editor.frames(photo.visible, which, series, arguments.keep_others)
        strip = sweeps.write(target, frames, faces, which[0], series, sweep[0], mark, label=not arguments.no_label)
        written = f"{target} and {strip}"
    else:
        visible = photo.visible
        edited = editor.edit(visible, which, wanted, arguments.keep_others)
        if photo.alpha is not None:  # bytes that the edit left alone are the file's, not those on white
            edited = np.where((edited != visible).any(-1, keepdims=True), edited, photo.pixels)
        if not arguments.no_label:
            edited, _ = provenance.add_label(edited, [face.box for face in faces])
        images.write_image(target, edited, like=photo, metadata=provenance.metadata(mark))
        written = str(target)
    numbers = ", ".join(str(number) for number, _ in chosen)
    more = f" of {len(faces)} (from the left; --face chooses)" if len(faces) > 1 else ""
    return f"{written}: face {numbers}{more}, {changes}"


def example_photo():
    """Returns scikit-image's astronaut (Eileen Collins, NASA, public domain) as a `Photo`."""
    from tfface import images

    try:
        from skimage import data
    except ImportError:
        raise InputError("--example needs scikit-image: pip install scikit-image") from None
    return images.Photo(pathlib.Path("astronaut.png"), data.astronaut())


def _made_by(path):
    from tfface import provenance

    try:
        return provenance.read(path)
    except InputError:
        return None
