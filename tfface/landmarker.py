"""The three networks of MediaPipe's face landmarker, run by LiteRT, and nothing else of MediaPipe.

`Networks` answers three questions about pixels: where might faces be in this 128x128 picture, where are the 478 mesh
points in this square around one face, and which of the 52 blendshapes are active. `tfface.faces` decides where to look.

Model: FaceLandmarker v2 (float16), Google, Apache-2.0; BlazeFace (Bazarevsky et al. 2019), Attention Mesh (Grishchenko
et al. 2020). The anchor layout, crop size and rotation follow the model cards and MediaPipe's published graph.
"""

import contextlib
import os
import zipfile
from importlib import resources

import cv2
import numpy as np

DETECTOR_SIZE = 128
MESH_SIZE = 256
MESH_POINTS = 478

BLENDSHAPES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)  # fmt: skip

# The mesh points that the blendshape network reads (MediaPipe's face_blendshapes graph).
_BLENDSHAPE_POINTS = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
)  # fmt: skip


class Networks:
    """The detector, mesh and blendshape networks; one interpreter each, so use one `Networks` per thread."""

    def __init__(self, threads=1):
        task = resources.files("tfface") / "assets" / "face_landmarker.task"
        with task.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            self._detector = interpreter(archive.read("face_detector.tflite"), threads)
            self._mesh = interpreter(archive.read("face_landmarks_detector.tflite"), threads)
            self._blendshapes = interpreter(archive.read("face_blendshapes.tflite"), threads)
        self._anchors = _anchors()

    def detect(self, picture, threshold):
        """Finds face candidates in one picture.

        Args:
            picture: (128, 128, 3) uint8 RGB.
            threshold: candidates below this score (0-1) are dropped.

        Returns:
            (N, 9) float32: score, box left, top, right, bottom, x and y of the eye on the image's left, x and y of the
            other eye; in pixels of `picture`.
        """
        raw, logits = run(self._detector, picture[None].astype(np.float32) / 127.5 - 1)
        logits = logits[0, :, 0]
        keep = logits > np.log(threshold / (1 - threshold))
        raw, anchors = raw[0, keep], self._anchors[keep]
        scores = 1 / (1 + np.exp(-logits[keep]))
        centre, half = raw[:, :2] + anchors, raw[:, 2:4] / 2
        eyes = raw[:, 4:8] + np.tile(anchors, 2)
        return np.column_stack([scores, centre - half, centre + half, eyes]).astype(np.float32)

    def mesh(self, image, centre, size, angle):
        """Finds the 478 mesh points in a rotated square of `image`.

        Args:
            image: (H, W, 3) uint8 RGB.
            centre, size, angle: the square's middle and side in pixels and its rotation in radians (positive: the
                face's right-hand eye is lower than the other one).

        Returns:
            points (478, 3) float32 in pixels of `image` (z grows away from the camera, same scale), presence 0-1.
        """
        scale = size / MESH_SIZE
        c, s = np.cos(angle) * scale, np.sin(angle) * scale
        to_image = np.array([[c, -s, 0], [s, c, 0]])
        to_image[:, 2] = np.asarray(centre) - to_image[:, :2].sum(1) * (MESH_SIZE / 2)
        # warpAffine counts pixel centres at integers, everything else here at integers + 0.5.
        shifted = to_image.copy()
        shifted[:, 2] += to_image[:, :2].sum(1) * 0.5 - 0.5
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
        crop = cv2.warpAffine(image, shifted, (MESH_SIZE, MESH_SIZE), flags=flags)
        points, presence, _ = run(self._mesh, crop[None].astype(np.float32) / 255)
        points = points.reshape(MESH_POINTS, 3)
        xy = points[:, :2] @ to_image[:, :2].T + to_image[:, 2]
        presence = float(1 / (1 + np.exp(-presence.ravel()[0])))
        return np.column_stack([xy, points[:, 2] * scale]).astype(np.float32), presence

    def blendshapes(self, points):
        """Returns the (52,) float32 activations, 0-1, in the order of `BLENDSHAPES`, of (478, 3) mesh points."""
        return run(self._blendshapes, points[None, _BLENDSHAPE_POINTS, :2])[0].ravel()


def interpreter(model, threads=1):
    """Returns a LiteRT interpreter of a model's bytes; one thread may use it at a time."""
    with _quiet():
        from ai_edge_litert.interpreter import Interpreter

        made = Interpreter(model_content=model, num_threads=threads)
        made.allocate_tensors()
    return made


@contextlib.contextmanager
def _quiet():
    """Hides the notice that LiteRT's C++ code writes to file descriptor 2 when it makes its CPU delegate."""
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


def run(interpreter, tensor):
    """Returns the outputs of a model for one input."""
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.ascontiguousarray(tensor, np.float32))
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def _anchors():
    """The middles of BlazeFace's 896 anchors in pixels: two per cell of 8 pixels, six per cell of 16."""
    anchors = []
    for stride, count in ((8, 2), (16, 6)):
        middles = np.arange(DETECTOR_SIZE // stride) * stride + stride / 2
        y, x = np.meshgrid(middles, middles, indexing="ij")
        anchors.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), count, axis=0))
    return np.concatenate(anchors).astype(np.float32)
