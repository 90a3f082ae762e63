"""``python -m tfface edit``: photos or folders in, edited photos or sweeps out.

One bad file does not stop the others: it is named at the end. A folder is resumable, because a finished picture says in
its metadata which run and which edit made it.
"""

import argparse
import dataclasses
import pathlib
import sys

import numpy as np

from tfface import tasks
from tfface.errors import InputError


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked of every photo of a command.

    Attributes:
        series: requests of the model's task, one, or one for each frame of a sweep.
        text: the same in words.
        titles: names of a sweep's frames, None where there is no sweep.
    """

    series: list
    text: str
    titles: list | None = None


def add_arguments(parser):
    """Adds the command's flags to an argparse parser."""
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="photographs, folders of them, or a video")
    parser.add_argument("--example", action="store_true", help="edit scikit-image's portrait of an astronaut")
    trained = parser.add_mutually_exclusive_group()
    trained.add_argument(
        "--run", metavar="RUN",
        help="run directory of a trained model, or the name of one that comes with tfface (the default, by the flag)",
    )  # fmt: skip
    trained.add_argument(
        "--server",
        metavar="HOST:PORT",
        help="of TensorFlow Serving or `tfface serve`; grpc://HOST:PORT, /MODEL behind it",
    )
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="picture, or folder for several")
    asked = parser.add_argument_group("what to ask, one of", "A run takes the flag of what its model was made for.")
    for task in map(tasks.get, tasks.names()):
        if task.metavar:
            asked.add_argument(task.flag, nargs="+", action="extend", metavar=task.metavar, help=task.help)
        else:
            asked.add_argument(task.flag, action="store_const", const=[], help=task.help)
    asked.add_argument("--like", metavar="PHOTO", help="the expression or the pose of another photo")
    asked.add_argument("--drive", metavar="VIDEO", help="for a video: the expressions of the face in another one")
    parser.add_argument(
        "--sweep", metavar="NAME=FROM:TO:FRAMES", help="for instance AU12=0:1:9: writes a GIF and a strip"
    )
    parser.add_argument(
        "--relative", action="store_true", help="numbers are added to what the face shows (for poses, in degrees)"
    )
    parser.add_argument(
        "--face", default="largest", metavar="N", help="which face: 1 is the leftmost; or largest (the default), or all"
    )
    parser.add_argument(
        "--keep-others", action=argparse.BooleanOptionalAction, default=True,
        help="what is not asked stays as the model sees it on the face (the default) or becomes neutral",
    )  # fmt: skip
    parser.add_argument(
        "--estimate", default="model", choices=("model", "annotator"),
        help="who says what a face shows now: the model itself (default %(default)s) or tfface's annotator",
    )  # fmt: skip
    parser.add_argument("--no-label", action="store_true", help="without the visible label; the metadata stays")


def run_edit(arguments):
    """Runs the command with parsed `add_arguments`; returns the exit code; `InputError` before writing."""
    from tfface import editing, sweeps, video

    given = _given(arguments)
    sweep = sweeps.parse(arguments.sweep) if arguments.sweep else None
    if not given and sweep is None and not arguments.drive and not arguments.like:
        flags = ", ".join(f"{task.flag} {task.example}".strip() for task in map(tasks.get, tasks.names()))
        raise InputError(f"nothing to edit: say what, with {flags} or a sweep, such as --sweep AU12=0:1:9")
    if arguments.face not in ("largest", "all") and not (arguments.face.isdecimal() and int(arguments.face)):
        raise InputError(f"--face {arguments.face}: expected a number from 1 on, largest or all")
    clip = next(filter(video.is_video, arguments.images), None)
    if arguments.drive and not clip:
        raise InputError(f"--drive {arguments.drive}: is for a video; name one to edit")
    jobs = [] if clip else plan(arguments.images, arguments.output, arguments.example, sweep and sweep[0])
    if arguments.server:
        from tfface.serving.remote import RemoteModel

        model = RemoteModel(arguments.server, given)
        name, run_name = model.name, model.run
        texts = _texts(f"{arguments.server} serves {name}", model.task, given, arguments, clip)
    else:
        from tfface import models, training

        run = training.open_run(arguments.run or _comes_along(given, sweep))
        name, run_name = run.model, run.path.resolve().name
        texts = _texts(f"{run.path} is a run of {name}", models.get(name).task, given, arguments, clip)
        model = training.load_model(run.path)
    editor = editing.Editor(model, annotator=_annotator(arguments.estimate))
    if clip:
        return _edit_clip(editor, clip, arguments, texts, name, run_name)
    request = parse(model, texts, sweep, arguments.relative, arguments.like)
    return edit_all(editor, jobs, arguments, request, model=name, run_name=run_name)


def _comes_along(given, sweep):
    """Returns the name of the model that comes with tfface for what is asked; `InputError` if none does."""
    from tfface import pretrained

    if given:
        asked = next(iter(given))
        kind = next(name for name in tasks.names() if tasks.get(name).flag == asked)
    elif sweep:
        asked = f"--sweep {sweep[0]}"
        kind = next((name for name in tasks.names() if sweep[0] in tasks.get(name).parts), None)
    else:
        asked, kind = "--like and --drive", "expression"
    name = pretrained.of_task(kind)
    if name is None:
        raise InputError(f"{asked}: no model for it comes with tfface; train one and name it with --run")
    return name


def _annotator(name):
    """Returns tfface's annotator where it is asked for by name."""
    if name == "model":
        return None
    from tfface import annotator

    return annotator.shipped()


def _given(arguments):
    """Returns ``{flag: its texts}`` of those that say what to ask. A photo behind them is moved to the photos."""
    given = {}
    for task in map(tasks.get, tasks.names()):
        texts = getattr(arguments, task.flag.lstrip("-"))
        if texts is not None:
            photos = [text for text in texts if "=" not in text and pathlib.Path(text).exists()]
            arguments.images.extend(photos)
            given[task.flag] = [text for text in texts if text not in photos]
    return given


def _texts(which, name, given, arguments, clip):
    """Returns the texts of the flag that belongs to a model; `InputError` for another one's.

    Args:
        which: the model in words.
        name: of its task, None if it has none.
        given, arguments: what is asked.
        clip: path of the video among the inputs, None if there is none.
    """
    if name is None:
        raise InputError(f"{which}, which edits no pictures; name another --run")
    task = tasks.get(name)
    right = f"{which}, which takes {task.flag} {task.example}".rstrip()
    for flag in given:
        if flag != task.flag:
            raise InputError(f"{flag}: {right}")
    if arguments.sweep and not task.sweepable:
        raise InputError(f"--sweep: {right}, in which there is nothing to sweep")
    if arguments.like and not task.liked:
        raise InputError(f"--like: {right}; there is nothing to take from another photo")
    if arguments.like and (arguments.relative or arguments.drive):
        raise InputError("--like goes neither with --relative nor with --drive; give one of them")
    if arguments.relative and not task.changes_by:
        raise InputError(f"--relative: {right}, always as absolute values")
    if clip:
        from tfface import video_edit

        video_edit.check(arguments, task, bool(given))
    return given.get(task.flag, [])


def _edit_clip(editor, clip, arguments, texts, name, run_name):
    """Edits the one video of a command line."""
    from tfface import provenance, video_edit

    if arguments.drive:
        wanted, text = None, f"driven by {pathlib.Path(arguments.drive).name}"
    else:
        request = parse(editor.model, texts, None, arguments.relative, arguments.like)
        wanted, text = request.series[0], _said(arguments, request)
    mark = provenance.Edit(model=name, run=run_name, edit=text, source=pathlib.Path(clip).name)
    edit = video_edit.VideoEdit(
        editor, arguments.face, wanted, arguments.drive, arguments.keep_others, arguments.relative
    )
    frames, with_face = edit.write(clip, arguments.output, mark, not arguments.no_label)
    print(f"{arguments.output}: {with_face} of {frames} frames with a face, {text}")
    return 0


def _said(arguments, request):
    """Returns an edit in words, all of it that decides the result."""
    changes = f"{request.text}{' relative to the face' if arguments.relative else ''}"
    others = "others kept" if arguments.keep_others else "others neutral"
    seen = "; estimated by the annotator" if arguments.estimate == "annotator" else ""
    return f"face {arguments.face}: {changes}; {others}{seen}{'; no label' if arguments.no_label else ''}"


def liked(task, path):
    """Returns the request for what the largest face of a photo shows, as `tfface.annotator` reads it."""
    from tfface import annotator, images
    from tfface.faces import Landmarker

    photo = images.read_image(path)
    faces = Landmarker().find(photo)
    if not faces:
        raise InputError(f"--like {path}: no face found; name a photo with a larger, unhidden face")
    labels = annotator.shipped().labels(photo, max(faces, key=lambda face: face.size))
    return {name: round(value, 3) for name, value in task.shown({task.liked: labels[task.liked]}).items()}


def parse(model, texts, sweep, relative, like=None):
    """Returns the `Request` of the texts of its task's flag, a sweep (name, values) or None, and the photo to be like.

    What the texts and the sweep say counts before what that photo shows.
    """
    task = tasks.get(model.task)
    wanted = task.parse(texts, model) if texts or (sweep is None and not like) else {}
    said = [f"{name}{value:+g}" if relative else f"{name}={value:g}" for name, value in wanted.items()]
    shown = {}
    if like:
        shown = liked(task, like)
        said.insert(0, f"like {pathlib.Path(like).name}")
    if sweep is None:
        return Request([{**shown, **wanted}], ", ".join(said))
    name, values = sweep
    said.append(f"{name}={values[0]:g}:{values[-1]:g}:{len(values)}")
    series, part = [], ""
    try:
        for value in values:
            part = f"{name}={value:.10g}"
            frame = task.parse([part], model)
            if frame.keys() & wanted.keys():
                raise InputError(f"{task.flag} and --sweep contradict each other; give {name} once")
            series.append({**shown, **wanted, **frame})
    except InputError as error:
        raise InputError(f"--sweep {said[-1]}: {str(error).removeprefix(f'{task.flag} {part}: ')}") from None
    return Request(series, ", ".join(said), [f"{name} {round(value, 2):g}" for value in values])


def edit_all(editor, jobs, arguments, request, *, model, run_name):
    """Edits every (source, target) of `jobs`; returns 0 unless all failed."""
    from tqdm import tqdm

    failed, done = [], 0
    for source, target in tqdm(jobs, unit="photo", disable=len(jobs) == 1):
        try:
            said = _edit_one(editor, source, target, arguments, request, model, run_name)
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


def plan(inputs, output, example, swept):
    """Returns [(source path or None for the example, target path)]; folders are mirrored. Raises `InputError`.

    Args:
        inputs, output, example: of the command line.
        swept: the name that a sweep changes, None where there is none.
    """
    from tfface import images

    output = pathlib.Path(output)
    sources = [(None, pathlib.Path("astronaut.png"))] if example else []
    if inputs or not example:
        sources += images.list_images(inputs, output)
    if output.suffix.lower() in images.SUFFIXES and not output.is_dir():
        if len(sources) > 1 or any(pathlib.Path(given).is_dir() for given in inputs):
            raise InputError(f"--output {output}: is one picture, but there may be several photos; name a folder")
        if swept and output.suffix.lower() != ".gif":
            raise InputError(f"--output {output}: a sweep is written as a GIF; end the name in .gif or name a folder")
        jobs = [(sources[0][0], output)]
    elif output.exists() and not output.is_dir():
        raise InputError(f"--output {output}: exists and is neither picture nor folder; choose another")
    else:
        jobs = [(source, output / _name(relative, swept)) for source, relative in sources]
    targets = {}
    for source, target in jobs:
        if source is not None and target.resolve() == source.resolve():
            raise InputError(f"--output {output}: would overwrite {source}; choose another")
        if target in targets:
            raise InputError(f"{source} and {targets[target]} would both be written to {target}; edit them one by one")
        targets[target] = source
    return jobs


def _name(relative, swept):
    from tfface import images

    if swept:
        return relative.with_name(f"{relative.stem}-{swept}.gif")
    # A GIF has 256 colours and BMP no metadata; anything odd becomes a PNG as well.
    keep = relative.suffix.lower() in images.SUFFIXES and relative.suffix.lower() not in (".gif", ".bmp")
    return relative if keep else relative.with_suffix(".png")


def _edit_one(editor, source, target, arguments, request, model, run_name):
    from tfface import editing, images, provenance, sweeps

    photo = images.read_photo(source) if source else example_photo()
    relative, label = arguments.relative, not arguments.no_label
    changes = f"{request.text}{' relative to the face' if relative else ''}"
    mark = provenance.Edit(model=model, run=run_name, edit=_said(arguments, request), source=photo.path.name)
    if target.exists() and _made_by(target) == mark:
        return f"{target}: is already that edit"
    visible, pasted = photo.visible, editor.task.pasted is not None
    faces = editor.find(visible)
    chosen = editing.choose(faces, arguments.face)
    which = [face for _, face in chosen]
    boxes = [face.box for face in faces] if pasted else []
    frames = editor.frames(visible, which, request.series, arguments.keep_others, relative)
    if request.titles:
        # What lies under transparency is not shown in a GIF: it is swept on white.
        view = editor.view(which[0], sweeps.TILE)
        written = f"{target} and {sweeps.write(target, frames, boxes, view, request.titles, mark, label)}"
    else:
        edited = next(frames)
        if photo.alpha is not None and pasted:  # bytes that the edit left alone are the file's, not those on white
            edited = np.where((edited != visible).any(-1, keepdims=True), edited, photo.pixels)
        if label:
            edited, _ = provenance.add_label(edited, boxes)
        like = photo if pasted else dataclasses.replace(photo, alpha=None)
        images.write_image(target, edited, like=like, metadata=provenance.metadata(mark))
        written = str(target)
    numbers = ", ".join(str(number) for number, _ in chosen)
    more = f" of {len(faces)} (from the left; --face chooses)" if len(faces) > 1 else ""
    note = "" if pasted else "\nThe face alone: its outline moved, so it does not fit back into the photo."
    return f"{written}: face {numbers}{more}, {changes}{note}"


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
