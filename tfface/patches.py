"""Patches about the eyes, the nose and the mouth: where they lie, cut out and put back, in the graph.

TP-GAN's four (Huang et al. 2017): 40 x 40 about each eye, 32 high x 40 wide about the nose, 32 x 48 about the mouth, in
pictures of 128 pixels. A patch's corner is a whole pixel, found in one place (`corners`), so that cutting out and
putting back are exact inverses; cutting at ``c - w / 2 + 1`` and pasting at ``c - w / 2 - 1`` is off by two pixels.

Points are pixels, x right and y down, pixel centres at + 0.5; "five points" are the centres of the eyes (the one at the
image's left first), the tip of the nose and the corners of the mouth.
"""

import functools

import keras
import numpy as np
import tensorflow as tf

_PACKAGE = "tfface"

PARTS = ("left_eye", "right_eye", "nose", "mouth")  # left: at the image's left
_SIZES = {"left_eye": (40, 40), "right_eye": (40, 40), "nose": (32, 40), "mouth": (32, 48)}  # height, width of 128
_NOSE_BELOW = 11 / 128  # from the tip of the nose to the patch's lower edge
_NOSE_ASIDE = 12 / 128  # by which the patch of a profile lies behind the tip

# Where an average frontal face has its five points in a crop of margin 1 (`alignment`), in picture widths.
FRONTAL = np.array([[45.4, 44.2], [82.6, 44.2], [64.0, 65.1], [50.0, 83.8], [78.0, 83.8]], np.float32) / 128
_EYES_OF_HEIGHT = 0.94  # its distance between the eyes over that from eyes to mouth


def five_points(landmarks):
    """Returns the (..., 5, 2) five points of (..., 68, 2) iBUG landmarks."""
    return tf.stack(
        [
            tf.reduce_mean(landmarks[..., 36:42, :], -2),
            tf.reduce_mean(landmarks[..., 42:48, :], -2),
            landmarks[..., 30, :],
            landmarks[..., 48, :],
            landmarks[..., 54, :],
        ],
        -2,
    )


def mirror_points(points, size):
    """Returns the (..., 5, 2) five points in the mirrored picture of `size` pixels."""
    points = tf.gather(points, [1, 0, 2, 4, 3], axis=-2)
    return tf.stack([size - points[..., 0], points[..., 1]], -1)


def faces_left(points):
    """Tells which of (batch, 5, 2) faces are turned to the image's left: their nose is left of their eyes' middle."""
    return points[:, 2, 0] < (points[:, 0, 0] + points[:, 1, 0]) / 2


def mirror(image, where):
    """Mirrors those pictures of a (batch, h, w, c) batch at which the (batch,) truth values say so."""
    return tf.where(where[:, None, None, None], tf.reverse(image, [2]), image)


def mirror_points_where(points, size, where):
    """Mirrors those of (batch, 5, 2) points at which the (batch,) truth values say so, in pictures of `size`."""
    return tf.where(where[:, None, None], mirror_points(points, size), points)


def face_right(image, landmarks):
    """Mirrors faces that are turned to the image's left, so that the far side of the face is always at the right.

    Args:
        image: (batch, size, size, c).
        landmarks: (batch, 68, 2) in its pixels.

    Returns:
        Pictures, five points (batch, 5, 2) in them, and which were mirrored, (batch,) bool.
    """
    points = five_points(landmarks)
    left = faces_left(points)
    return mirror(image, left), mirror_points_where(points, image.shape[1], left), left


def sizes(image_size, multiple=1):
    """Returns {part: (height, width)} of patches in pictures of `image_size`, each the nearest such multiple."""

    def scaled(length):
        return max(1, round(length * image_size / 128 / multiple)) * multiple

    return {part: (scaled(height), scaled(width)) for part, (height, width) in _SIZES.items()}


def centres(points, size):
    """Returns the (batch, 4, 2) centres of `PARTS` from (batch, 5, 2) points in pictures of `size` pixels.

    The patch of the nose reaches a fixed length below the tip. As the head turns it moves behind the tip, by what the
    distance between the eyes tells: the published code has a table of four offsets for its camera angles.
    """
    left, right, nose = points[:, 0], points[:, 1], points[:, 2]
    mouth = (points[:, 3] + points[:, 4]) / 2
    height = mouth[:, 1] - (left[:, 1] + right[:, 1]) / 2
    turned = 1.0 - (right[:, 0] - left[:, 0]) / tf.maximum(_EYES_OF_HEIGHT * height, 1.0)
    aside = _NOSE_ASIDE * size * tf.clip_by_value(turned, 0.0, 1.0)
    aside = tf.where(faces_left(points), -aside, aside)
    below = (_NOSE_BELOW - _SIZES["nose"][0] / 128 / 2) * size
    return tf.stack([left, right, tf.stack([nose[:, 0] - aside, nose[:, 1] + below], 1), mouth], 1)


def corners(centre, height, width, size):
    """Returns the (batch, 2) int32 row and column of the patch about (batch, 2) centres that lies in the picture."""
    corner = tf.stack([centre[:, 1] - height / 2, centre[:, 0] - width / 2], 1)
    corner = tf.cast(tf.floor(corner + 0.5), tf.int32)
    return tf.clip_by_value(corner, 0, [size - height, size - width])


def _selectors(corner, height, width, size, dtype):
    """Returns 0/1 matrices (batch, height, size) and (batch, width, size) that pick a patch's rows and columns."""
    rows = tf.one_hot(corner[:, :1] + tf.range(height), size, dtype=dtype)
    columns = tf.one_hot(corner[:, 1:] + tf.range(width), size, dtype=dtype)
    return rows, columns


def crop(pictures, corner, height, width):
    """Cuts (batch, height, width, c) patches out of (batch, size, size, c) square pictures at (batch, 2) corners."""
    rows, columns = _selectors(corner, height, width, pictures.shape[1], pictures.dtype)
    return tf.einsum("bhy,byxc,bwx->bhwc", rows, pictures, columns)


def paste(patches, corner, size):
    """Puts (batch, h, w, c) patches at (batch, 2) corners of empty (zero) pictures of `size`; undone by `crop`."""
    rows, columns = _selectors(corner, patches.shape[1], patches.shape[2], size, patches.dtype)
    return tf.einsum("bhy,bhwc,bwx->byxc", rows, patches, columns)


def crop_parts(pictures, points, multiple=1):
    """Returns {part: patches} of (batch, size, size, c) pictures about their (batch, 5, 2) points."""
    size = pictures.shape[1]
    middle = centres(points, size)
    patches = {}
    for number, (part, (height, width)) in enumerate(sizes(size, multiple).items()):
        patches[part] = crop(pictures, corners(middle[:, number], height, width, size), height, width)
    return patches


def frontal_corners(image_size, multiple=1):
    """Returns {part: (row, column)}: where patches go in the frontal picture."""
    found = {}
    with tf.init_scope():
        middle = centres(tf.constant(FRONTAL[None] * image_size), image_size)
        for number, (part, (height, width)) in enumerate(sizes(image_size, multiple).items()):
            row, column = corners(middle[:, number], height, width, image_size).numpy()[0]
            found[part] = int(row), int(column)
    return found


def fuse(parts, places, size, outside):
    """Puts the parts of a face together, taking the larger value where two overlap.

    Zero padding before the maximum, as in the seed's code, would turn every negative value into 0: what lies outside of
    a patch takes no part in the maximum here.

    Args:
        parts: {part: (batch, h, w, c)}.
        places: {part: (row, column)} in the picture.
        size: side of the picture.
        outside: value where there is no part.

    Returns:
        (batch, size, size, c).
    """
    covered = np.zeros((size, size, 1), bool)
    padded = []
    for part, (row, column) in places.items():
        patch = parts[part]
        height, width = patch.shape[1:3]
        covered[row : row + height, column : column + width] = True
        around = ((0, 0), (row, size - row - height), (column, size - column - width), (0, 0))
        padded.append(tf.pad(patch, around, constant_values=patch.dtype.min))
    highest = functools.reduce(tf.maximum, padded)
    return tf.where(covered, highest, tf.cast(outside, highest.dtype))


# -- layers ------------------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package=_PACKAGE)
class CropParts(keras.layers.Layer):
    """Cuts the four patches out of pictures: (batch, S, S, c) and five points (batch, 5, 2) -> list in `PARTS`' order.

    In float32 whatever the policy: half precision has whole pixels only from 128 on.
    """

    def __init__(self, multiple=1, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.multiple = multiple

    def call(self, image, points):
        return list(crop_parts(image, points, self.multiple).values())

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class FuseParts(keras.layers.Layer):
    """Puts four patches, in the order of `PARTS`, where a frontal face has them: -> (batch, S, S, c); see `fuse`."""

    def __init__(self, image_size, multiple=1, outside=0.0, **kwargs):
        super().__init__(**kwargs)
        self.image_size, self.multiple, self.outside = image_size, multiple, outside
        self._places = frontal_corners(image_size, multiple)

    def call(self, parts):
        return fuse(dict(zip(PARTS, parts, strict=True)), self._places, self.image_size, self.outside)

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "multiple": self.multiple,
            "outside": self.outside,
        }


@keras.saving.register_keras_serializable(package=_PACKAGE)
class FaceRight(keras.layers.Layer):
    """`face_right` of pictures (batch, S, S, c) and landmarks (batch, 68, 2), in float32 whatever the policy."""

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, image, landmarks):
        return face_right(image, landmarks)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class MirrorBack(keras.layers.Layer):
    """Undoes `FaceRight`: pictures (batch, S, S, c) and which of them were mirrored (batch,) -> pictures, float32."""

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, image, mirrored):
        return mirror(image, mirrored)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Zeros(keras.layers.Layer):
    """As many rows of `length` zeros as the input has: (batch, ...) -> (batch, length)."""

    def __init__(self, length, **kwargs):
        super().__init__(**kwargs)
        self.length = length

    def call(self, inputs):
        return tf.zeros((tf.shape(inputs)[0], self.length), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "length": self.length}
