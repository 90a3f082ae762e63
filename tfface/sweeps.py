"""A sweep of one action unit as pictures: a GIF of the whole photo and a strip of the face, one tile for each value."""

import cv2
import numpy as np
from PIL import Image

from tfface import alignment, images, provenance, sheets

GIF_SIDE = 640  # pixels of the longer side, at most
TILE = 192  # pixels of a strip's tile
_AROUND = 1.2  # margin of the strip's tiles
_MILLISECONDS = 90


def write(path, frames, faces, face, series, name, mark, label=True):
    """Writes a sweep.

    Args:
        path: of the GIF; the strip is written beside it, as ``STEM-strip.png``.
        frames: iterable of (H, W, 3) uint8 RGB, taken one at a time, so that a large photo fits in memory.
        faces: all `Face`s of the photo, which the label keeps away from.
        face: the one that the strip shows.
        series: ``{action unit: intensity}`` of each frame.
        name: the action unit that changes.
        mark: `provenance.Edit` for the metadata.
        label: draw the visible label.

    Returns:
        the strip's path.
    """
    matrix = alignment.alignment_matrix(face.landmarks, TILE, _AROUND)
    small, tiles = [], []
    for frame in frames:
        scale = min(1.0, GIF_SIDE / max(frame.shape[:2]))
        size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
        shrunk = cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if scale < 1 else frame
        small.append(provenance.add_label(shrunk, [other.box * scale for other in faces])[0] if label else shrunk)
        tiles.append(images.warp(frame, matrix, TILE))
    strip_path = path.with_name(f"{path.stem}-strip.png")
    strip = sheets.grid(tiles, columns=min(len(tiles), 9), labels=[f"{name} {values[name]:.2f}" for values in series])
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
