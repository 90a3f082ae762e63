"""What the annotator takes from one face: its mesh turned to the front, crops of it, its blendshapes. No TensorFlow."""

import dataclasses

import numpy as np

from tfface import chips
from tfface.annotating import shade, shape

HEAD, HEAD_MARGIN = 96, 1.6  # pixels and margin of the crop that shows the hair


@dataclasses.dataclass(frozen=True)
class Look:
    """One face of one picture."""

    points: np.ndarray  # (478, 3) float32, as of `shape.frontal`
    pose: np.ndarray  # (3,) float32 yaw, pitch, roll in degrees, in the picture
    blendshapes: np.ndarray  # (52,) float32, 0-1
    face: np.ndarray  # (128, 128, 3) uint8, as of `shade.crop`
    landmarks: np.ndarray  # (68, 2) float32 in pixels of `face`
    head: np.ndarray  # (96, 96, 3) uint8, the same with more around it
    chip: np.ndarray  # (150, 150, 3) uint8, as of `chips.chip`


def look(picture, mesh, blendshapes):
    """Returns the `Look` of a face.

    Args:
        picture: (H, W, 3) uint8 RGB.
        mesh: (478, 3) in pixels of the picture, as `faces.Face.mesh`.
        blendshapes: (52,), as `faces.Face.blendshapes`.
    """
    points, pose = shape.frontal(mesh)
    marks = shape.landmarks(mesh[:, :2])
    face, placed = shade.crop(picture, marks)
    head, _ = shade.crop(picture, marks, HEAD, HEAD_MARGIN)
    return Look(
        points, np.array(pose, np.float32), np.asarray(blendshapes, np.float32), face, placed.astype(np.float32), head,
        chips.chip(picture, marks),
    )  # fmt: skip
