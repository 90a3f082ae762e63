"""A sweep of one value as pictures: a GIF of the whole photo and a strip of the face, one tile for each value."""

import cv2
import numpy as np
from PIL import Image

from tfface import images, provenance, sheets
from tfface.errors import InputError

GIF_SIDE = 640  # pixels of the longer side, at most
TILE = 192  # pixels of a strip's tile
_MILLISECONDS = 90


def parse(text):
    """Returns a name and (N,) values of a text such as ``AU12=0:1:9`` (from:to:frames). Raises `InputError`."""
    where = f"--sweep {text}"
    name, _, values = text.partition("=")
    parts = values.split(":")
    try:
        first, last = map(float, parts[:2])
    except ValueError:
        first = last = np.nan
    if not name or len(parts) != 3 or not parts[2].isdecimal() or not np.isfinite([first, last]).all():
        raise InputError(f"{where}: expected NAME=FROM:TO:FRAMES, such as AU12=0:1:9 or yaw=-45:45:9")
    if not 2 <= int(parts[2]) <= 60:
        raise InputError(f"{where}: {parts[2]} frames, expected 2 to 60")
    return name, np.linspace(first, last, int(parts[2]))


def write(path, frames, boxes, view, titles, mark, label=True):
    """Writes a sweep.

    Args:
        path: of the GIF; the strip is written beside it, as ``STEM-strip.png``.
        frames: iterable of (H, W, 3) uint8 RGB, taken one at a time, so that a large photo fits in memory.
        boxes: (left, top, right, bottom) of the frames' faces, which the label keeps away from.
        view: 2x3 from frame to tile pixels, what the strip shows.
        titles: text under each tile.
        mark: `provenance.Edit` for the metadata.
        label: draw the visible label.

    Returns:
        the strip's path.
    """
    small, tiles = [], []
    for frame in frames:
        scale = min(1.0, GIF_SIDE / max(frame.shape[:2]))
        size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
        shrunk = cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if scale < 1 else frame
        small.append(provenance.add_label(shrunk, [box * scale for box in boxes])[0] if label else shrunk)
        tiles.append(images.warp(frame, view, TILE))
    strip_path = path.with_name(f"{path.stem}-strip.png")
    strip = sheets.grid(tiles, columns=min(len(tiles), 9), labels=titles)
    strip = provenance.add_label(strip)[0] if label else strip
    metadata = provenance.metadata(mark)
    images.write_image(strip_path, strip, metadata=metadata)
    write_gif(path, small, tiles, metadata)
    return strip_path


def write_gif(path, frames, faces, metadata):
    """Writes (H, W, 3) uint8 frames as an endless GIF there and back, with one palette for all.

    A palette for each frame would make still areas flicker; the common one is drawn from one frame and from every
    picture of `faces`, so that skin gets more of the 256 colours than its share of the photo.
    """
    seen = [np.reshape(picture, (-1, 3)) for picture in (frames[len(frames) // 2], *faces)]
    palette = Image.fromarray(np.concatenate(seen)[None]).quantize(256, method=Image.Quantize.MEDIANCUT)
    indexed = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames]
    there_and_back = indexed + indexed[-2:0:-1]
    comment = f"{metadata.software}; {metadata.description}".encode()
    with images.atomic(path) as stream:
        there_and_back[0].save(
            stream,
            "GIF",
            save_all=True,
            append_images=there_and_back[1:],
            duration=_MILLISECONDS,
            loop=0,
            comment=comment,
        )
