"""Contact sheets: labelled grids of pictures as one PNG."""

import pathlib

import cv2
import numpy as np

_INK, _PAPER = (20, 20, 20), (255, 255, 255)
_LINE = 14  # pixels per line of text
_FONT, _FONT_SCALE, _LETTER = cv2.FONT_HERSHEY_SIMPLEX, 0.36, 6.3  # a letter is about this wide


def grid(images, columns, labels=None, size=None, gap=2):
    """Lays pictures out row by row.

    Args:
        images: sequence of (H, W, 3) or (H, W) uint8 (RGB, or gray), resized to a common size.
        columns: pictures per row.
        labels: text under each picture (line breaks allowed, cut to the width), or None.
        size: side of each picture in pixels; None takes the first one's height.
        gap: white pixels between pictures.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    size = size or np.shape(images[0])[0]
    lines = max((len(text.split("\n")) for text in labels), default=0) if labels else 0
    tile_height = size + lines * _LINE
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (tile_height + gap) + gap, columns * (size + gap) + gap, 3), _PAPER[0], np.uint8)
    for number, image in enumerate(images):
        top = gap + number // columns * (tile_height + gap)
        left = gap + number % columns * (size + gap)
        sheet[top : top + size, left : left + size] = _tile(image, size)
        for line, text in enumerate(labels[number].split("\n") if labels else ()):
            text = text[: int(size / _LETTER)]
            at = (left + 1, top + size + line * _LINE + 10)
            cv2.putText(sheet, text, at, _FONT, _FONT_SCALE, _INK, 1, cv2.LINE_AA)
    return sheet


def save(path, sheet):
    """Writes (H, W, 3) uint8 RGB as a PNG."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())


def _tile(image, size):
    image = np.asarray(image)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, -1)
    if image.shape[:2] != (size, size):
        smaller = image.shape[0] > size
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_NEAREST)
    return image
