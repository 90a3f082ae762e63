"""Makes a data set of faces rendered anew from photos: every face in every asked yaw and expression, in records.

``faces.csv`` says which face of which photo an identity number stands for; ``rejects.csv`` has a row and a reason for
each photo or face that was left out. An interrupted run goes on at the first face whose pictures are not all written.
"""

import itertools
import pathlib

import numpy as np

from tfface import conventions, crops, images
from tfface.conventions import ACTION_UNITS, ATTRIBUTES, MAX_INTENSITY
from tfface.data import records
from tfface.errors import InputError
from tfface.faces import Landmarker
from tfface.rerendering.portrait import LARGEST_ERROR, MARGIN, Portrait, turned_to
from tfface.synthetic.dataset import SHEET, contact_sheet
from tfface.synthetic.labels import DERIVED

FACES, REJECTS = "faces.csv", "rejects.csv"
FACE_COLUMNS = ["identity", "source", "face", "yaw", "pitch", "roll", "light_azimuth", "light_elevation", "fit_error"]
VARY = ("pose", "action_units")
LARGEST_YAW = 60  # degrees, of photos and of what is asked for: beyond, half of what is seen would be made up
LARGEST_MARGIN = 1.5
_SHARPNESS = 1.5  # pixels of the cut for each of the result
_JPEG_QUALITY = 95
_SHARD_RECORDS = 128  # about; an interruption costs at most these


def rerender(
    inputs, output, *, yaws=(), expressions=(), vary=None, image_size=128, margin=1.0, min_size=64,
    source="photos rendered anew by tfface", licence="", progress=True,
):  # fmt: skip
    """Renders every face of every photo anew.

    Args:
        inputs: photos and folders of photos.
        output: new or empty directory, or one that holds a part of this very set.
        yaws: whole degrees; none keeps each face's own.
        expressions: dicts of action unit to intensity 0-1, each changing the face's own; that comes first unchanged.
        vary: one of `VARY`, what the pictures that belong together differ in: "pose" makes pairs for models that turn
            faces (`pipeline.training_batches` with ``pairs="frontal"``), "action_units" true answers for those that
            edit expressions. None takes "pose" with several yaws.
        image_size: side of the pictures in pixels.
        margin: as in `alignment.alignment_matrix`, 0.5 to `LARGEST_MARGIN`.
        min_size: faces whose longer side is smaller, in pixels of the photo, are left out.
        source, licence: what the pictures are and how they may be used, for people to read.
        progress: whether to show a bar.

    Returns:
        number of records, number of rejects.

    Raises:
        InputError: a setting is out of range, bad paths, no usable face, or the directory holds something else.
    """
    from tqdm import tqdm

    yaws, expressions = list(dict.fromkeys(yaws)), [{}, *expressions]
    vary = vary or ("pose" if len(yaws) > 1 else "action_units")
    _check(yaws, expressions, vary, image_size, margin, min_size)
    sources = images.list_images(inputs, output)
    each = max(len(yaws), 1) * len(expressions)
    writer = records.RecordWriter(
        output,
        image_size=image_size,
        source=source,
        licence=licence,
        settings={
            "tool": "rerender",
            "photos": [str(name) for _, name in sources],
            "yaw": yaws,
            "expressions": expressions,
            "vary": vary,
            "margin": margin,
            "min_size": min_size,
        },
        shard_records=each * max(1, _SHARD_RECORDS // each),
    )
    output = pathlib.Path(output)
    faces, rejects = crops.Table(output / FACES, FACE_COLUMNS), crops.Table(output / REJECTS, crops.REJECT_COLUMNS)
    if writer.finished:
        return writer.written, len(rejects.rows)
    with writer:
        first, after = _resume(faces, rejects, writer.written // each, [str(path) for path, _ in sources])
        landmarker = Landmarker()
        bar = tqdm(
            sources, initial=first, total=len(sources), unit="photo", desc="Rendering anew", disable=not progress
        )
        bar.iterable = sources[first:]
        for path, name in bar:
            try:
                photo = images.read_image(path)
                found = landmarker.find(photo)
                if not found:
                    raise InputError("no face found")
            except InputError as error:
                rejects.add([{"source": str(path), "face": "", "reason": str(error)}])
                continue
            for number, face in enumerate(found, start=1):
                if str(path) == after[0] and number <= after[1]:
                    continue
                portrait, reason = _portrait(photo, face, image_size, margin, min_size)
                if reason:
                    rejects.add([{"source": str(path), "face": number, "reason": reason}])
                    continue
                identity = len(faces.rows)
                faces.add([_row(identity, path, number, portrait)])
                made = {"identity": identity, "source": str(name), "confidence": face.score}
                made["attributes"] = lasting_attributes(photo, face)
                for record in pictures(portrait, identity, yaws, expressions, vary, image_size, margin):
                    writer.write(record | made)
        if not faces.rows:
            reasons = {row["reason"] for row in rejects.rows}
            why = reasons.pop() if len(reasons) == 1 else f"see {output / REJECTS}"
            raise InputError(f"no usable face in {len(sources)} photos ({why}); use photos with larger, unhidden faces")
    if not (output / SHEET).exists():
        contact_sheet(records.open_dataset(output), output / SHEET)
    return writer.written, len(rejects.rows)


def pictures(portrait, identity, yaws, expressions, vary, image_size, margin):
    """Yields the records of one face, without what the caller knows of its photo; `identity` counts the faces."""
    own = portrait.fit.pose
    azimuth, elevation = portrait.light.direction
    for (place, yaw), (number, changes) in itertools.product(enumerate(yaws or [None]), enumerate(expressions)):
        pose = own if yaw is None else turned_to(own, yaw)
        worn = portrait.fit.action_units.copy()
        for name, value in changes.items():
            worn[ACTION_UNITS.index(name)] = value
        matrix = portrait.crop(pose, image_size, margin)
        view = portrait.render(pose, worn, matrix, image_size)
        turn = conventions.pose_in_crop((0, 0, 0), matrix)[2]  # the crop turns the light with the picture
        direction = conventions.light_direction(azimuth, elevation) @ conventions.rotation_matrix(0, 0, turn).T
        if vary == "pose":
            name = "frontal" if yaw == 0 else "turned" if yaw is None else str(yaw)
            group = f"{name}/{identity * len(expressions) + number:06d}"
        else:
            group = f"answer/{identity * max(len(yaws), 1) + place:06d}"
        yield {
            "image": records.encode_image(view.image, _JPEG_QUALITY),
            "action_units": worn * MAX_INTENSITY,
            "pose": conventions.pose_in_crop((pose.yaw, pose.pitch, pose.roll), matrix),
            "light": _angles(direction),
            "landmarks": view.landmarks,
            "landmarks_visible": view.landmarks_visible,
            "mask": records.encode_image(view.mask),
            "view": group,
        }


def lasting_attributes(photo, face):
    """Returns the (40,) int8 attributes of a photo's `faces.Face`, as far as the annotator is sure and they hold in
    every pose and expression."""
    from tfface import annotator
    from tfface.annotating.looks import look

    found = annotator.shipped().read([look(photo, face.mesh, face.blendshapes)])["attributes"][0]
    found[[ATTRIBUTES.index(name) for name in DERIVED]] = np.nan
    return annotator.settled(found)


def _angles(direction):
    x, y, z = direction
    return np.rad2deg([np.arctan2(x, z), np.arcsin(np.clip(y, -1, 1))])


def _portrait(photo, face, image_size, margin, min_size):
    """Returns (`Portrait`, None) or (None, the reason why the face cannot be used)."""
    if face.size < min_size:
        return None, f"face of {face.size:.0f} pixels, smaller than {min_size:g}"
    if abs(face.pose[0]) > LARGEST_YAW:
        return None, f"turned by {face.pose[0]:.0f} degrees, more than {LARGEST_YAW}"
    portrait = Portrait.of(photo, face, round(_SHARPNESS * image_size * MARGIN / margin))
    if portrait.fit.error > LARGEST_ERROR:
        return None, f"the head does not fit ({portrait.fit.error:.3f} dm off, more than {LARGEST_ERROR})"
    return portrait, None


def _row(identity, path, number, portrait):
    pose, light = portrait.fit.pose, portrait.light.direction
    row = {"identity": identity, "source": str(path), "face": number, "fit_error": f"{portrait.fit.error:.4f}"}
    row |= {"yaw": f"{pose.yaw:.2f}", "pitch": f"{pose.pitch:.2f}", "roll": f"{pose.roll:.2f}"}
    return row | {"light_azimuth": f"{light[0]:.1f}", "light_elevation": f"{light[1]:.1f}"}


def _resume(faces, rejects, count, sources):
    """Cuts the tables to the `count` faces that are safely written.

    Returns:
        place of the first photo to look at, (its path, number of its last face that is done).
    """
    places = {path: place for place, path in enumerate(sources)}
    faces.keep(faces.rows[:count])
    if not count:
        rejects.keep([])
        return 0, ("", 0)
    last = faces.rows[-1]
    first, done = places[last["source"]], int(last["face"])
    rejects.keep([
        row for row in rejects.rows
        if places[row["source"]] < first or (places[row["source"]] == first and int(row["face"] or 0) < done)
    ])  # fmt: skip
    return first, (last["source"], done)


def _check(yaws, expressions, vary, image_size, margin, min_size):
    if not yaws and len(expressions) == 1:
        raise InputError("nothing to render: name yaws (--yaw -30 0 30) or expressions (--au AU12=1)")
    for yaw in yaws:
        if not -LARGEST_YAW <= yaw <= LARGEST_YAW:
            raise InputError(f"yaw {yaw}: expected {-LARGEST_YAW} to {LARGEST_YAW} degrees")
    if vary not in VARY:
        raise InputError(f"vary {vary!r}: expected one of {', '.join(VARY)}")
    if vary == "pose" and len(yaws) < 2:
        raise InputError("vary pose: needs two yaws or more (--yaw -30 0 30)")
    if vary == "action_units" and len(expressions) < 2:
        raise InputError("vary action_units: needs an expression (--au AU12=1)")
    if not 16 <= image_size <= 512:
        raise InputError(f"image size {image_size}: expected 16 to 512 pixels")
    if not 0.5 <= margin <= LARGEST_MARGIN:
        raise InputError(f"margin {margin:g}: expected 0.5 to {LARGEST_MARGIN}")
    if not 0 <= min_size <= 10000:
        raise InputError(f"min size {min_size:g}: expected 0 to 10000 pixels")
