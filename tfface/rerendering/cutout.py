"""Which pixels of a picture show the person, and what is behind them.

Model: selfie segmentation (general), Google MediaPipe, Apache-2.0.
"""

import functools
import pathlib

import cv2
import numpy as np

from tfface import landmarker

ASSET = pathlib.Path(__file__).parent.parent / "assets" / "person_segmenter.tflite"
_SIZE = 256
_SURE = (0.25, 0.75)  # answers of the network outside these are taken for 0 and 1
_EDGE = 0.003  # picture sides within the person's rim that show some of what is behind
_RIM = 0.02  # picture sides around the person that still show some of their colour


@functools.cache
def _network():
    return landmarker.interpreter(ASSET.read_bytes())


def person(picture):
    """Returns (S, S) float32, 0 to 1: how much of each pixel of a square (S, S, 3) uint8 RGB picture is the person
    in its middle."""
    small = cv2.resize(
        picture, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA if len(picture) > _SIZE else cv2.INTER_LINEAR
    )
    answer = landmarker.run(_network(), small[None].astype(np.float32) / 255)[0][0, ..., 0]
    answer = cv2.resize(answer, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    cover = np.clip((answer - _SURE[0]) / (_SURE[1] - _SURE[0]), 0, 1).astype(np.float32)
    _, parts = cv2.connectedComponents((cover > 0).astype(np.uint8))
    middle = parts[len(parts) // 2, len(parts) // 2]
    return cover * (parts == middle) if middle else cover


def continued(picture, cover):
    """Returns (S, S, 3) float32: the person's own colours, at their rim and beyond those from further inside."""
    side = 2 * int(_EDGE * len(picture)) + 1
    sure = cv2.erode(cover, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    sure = np.clip((sure - 0.4) / 0.3, 0, 1)
    if not sure.any():
        return picture
    return picture * sure[..., None] + fill(picture, sure) * (1 - sure[..., None])


def widened(cover):
    """Returns (S, S) float32: `cover`, softly ending a little further out."""
    side = 2 * int(_RIM * len(cover)) + 3
    wide = cv2.dilate(cover, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return cv2.GaussianBlur(wide, (0, 0), side / 6)


def background(picture, cover):
    """Returns (S, S, 3) float32: the picture with the person painted over by what is around them.

    Args:
        picture: (S, S, 3) float32.
        cover: (S, S) float32, 0 to 1.
    """
    side = 2 * int(_RIM * len(picture)) + 3
    grown = cv2.dilate(cover, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    known = (grown < 0.02).astype(np.float32)
    if not known.any():  # somebody who fills the picture: it hardly matters what is behind them
        known = np.full_like(known, 1e-3)
    smooth = fill(picture, known)
    known = cv2.GaussianBlur(known, (0, 0), side / 4)[..., None] * known[..., None]
    return picture * known + smooth * (1 - known)


def fill(values, weight):
    """Returns (H, W, C) float32 smooth values everywhere, from those whose weight (H, W) is above 0 (pull and push)."""
    levels = [(values * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 1:
        size = [max(1, (n + 1) // 2) for n in levels[-1][1].shape[::-1]]
        levels.append([cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in levels[-1]])
    result = None
    for total, share in reversed(levels):
        total, share = total.reshape(*share.shape, -1), share[..., None]
        own = total / np.maximum(share, 1e-6)
        if result is None:
            result = own
            continue
        finer = cv2.resize(result, share.shape[1::-1], interpolation=cv2.INTER_LINEAR).reshape(own.shape)
        trust = np.minimum(share * 4, 1)
        result = own * trust + finer * (1 - trust)
    return result.astype(np.float32)
