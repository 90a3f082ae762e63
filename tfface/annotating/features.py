"""The blocks of numbers that readers read, of many faces at once."""

import functools

import cv2
import numpy as np

from tfface.annotating import looks, shade, shape

GEOMETRY = ("distances", "mesh", "blendshapes", "gabor", "pose")  # NumPy alone
CROPS = ("face", "chip", "head")  # of `looks.Look`, what `of_network` takes
NETWORK = ("fine", "coarse", "descriptor", "texture", "colour")  # TensorFlow
_FACE_MAPS = (("conv64_3", 7), ("conv128_2", 7))  # maps of the descriptor's network, fields to a side
_HEAD_MAPS, _ENLARGED = (("conv64_3", 5), ("conv128_2", 5)), 160


def of_geometry(seen):
    """Returns {block: (N, D) float32} of N `looks.Look`s: `GEOMETRY`."""
    blocks = {
        "distances": [shape.features(look.points) for look in seen],
        "mesh": [look.points.ravel() for look in seen],
        "blendshapes": [look.blendshapes for look in seen],
        "gabor": [np.sqrt(shade.gabor(look.face, look.landmarks)) for look in seen],
        "pose": [look.pose for look in seen],
    }
    return {name: np.stack(values).astype(np.float32) for name, values in blocks.items()}


def of_network(faces, chips, heads):
    """Returns {block: (N, D) float32} of (N, ., ., 3) uint8 crops as `looks.Look` has them: `NETWORK`; TensorFlow.

    The maps are those of the face descriptor's network (`tfface.identity`), which learnt from photographs: rendered and
    photographed wrinkles, hair and glasses look more alike to it than their pixels are. `fine` and `coarse` maps show
    the face, `texture` the head; `descriptor` says who it is; `colour` is the head's mean colour (CIE Lab) in 8 x 8
    fields.
    """
    crops = map(np.ascontiguousarray, (faces, chips, heads))
    fine, coarse, descriptor, texture = (part.numpy() for part in _network()(*crops))
    colour = [cv2.cvtColor(cv2.resize(head, (8, 8), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB) for head in heads]
    colour = np.stack(colour).reshape(len(heads), -1).astype(np.float32) / 255
    return {"fine": fine, "coarse": coarse, "descriptor": descriptor, "texture": texture, "colour": colour}


@functools.cache
def _network():
    import tensorflow as tf

    from tfface import identity

    def spec(side):
        return tf.TensorSpec((None, side, side, 3), tf.uint8)

    def fields(pictures, wanted):
        parts = []
        for found, (_, side) in zip(identity.maps(pictures, [name for name, _ in wanted]), wanted, strict=True):
            step = found.shape[1] // side
            found = tf.nn.avg_pool2d(found, step, step, "VALID")
            parts.append(tf.reshape(found, (-1, np.prod(found.shape[1:]))))
        return parts

    @tf.function(input_signature=[spec(shade.CROP), spec(identity.CHIP), spec(looks.HEAD)])
    def run(faces, chips, heads):
        heads = tf.image.resize(heads, (_ENLARGED, _ENLARGED))
        fine, coarse = fields(tf.cast(faces, tf.float32), _FACE_MAPS)
        return fine, coarse, identity.embed(tf.cast(chips, tf.float32)), tf.concat(fields(heads, _HEAD_MAPS), 1)

    return run
