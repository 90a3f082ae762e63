"""Judges: two small nets that score what a face shows: action units, pose, attributes. They score and do nothing else.

Judges never train, annotate or guide a model: a model that had learnt from a judge would be praised by it for its
judge's own mistakes. They learnt from rendered people whom no model trains on (`tfface.judging`), and `accuracy` says
how far they are to be trusted, measured on rendered people that they never saw: give it beside every score.

* ``face`` looks at brows to chin, upright, at 80 pixels: 17 action units, pose and the attributes that need its closer
  look. Trained with the 68 landmarks, which teaches it where things are, and with what beard and lips show.
* ``head`` looks at the whole picture at 64 pixels: the other attributes. Trained on pairs of pictures that differ in a
  few of them, because in people as they come, attributes go together.

Both are residual nets (He et al. 2015) with batch normalisation, whose fixed statistics at inference make a picture's
score independent of the others'. Made by ``python scripts/train_judges.py``.
"""

import functools
import json
import pathlib

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfface import conventions, images
from tfface.errors import InputError

ASSET = pathlib.Path(__file__).parent / "assets" / "judges.npz"
ACCURACY = ASSET.with_suffix(".json")
MARGINS = (1.0, 1.5)
SMALLEST = 32  # pixels; below that nobody can tell action units apart

# Attributes that the face net learns from.
FACE_ATTRIBUTES = (
    "Bushy_Eyebrows", "Eyeglasses", "Goatee", "Mouth_Slightly_Open", "Mustache", "No_Beard", "Smiling",
    "Wearing_Lipstick",
)  # fmt: skip
# Of these, the ones that it judges: better than the head net on pictures in which just they changed.
FACE_JUDGED = ("Bushy_Eyebrows", "Eyeglasses", "Mouth_Slightly_Open", "Smiling")
# Attributes that are judged, and that the head net learns from; the others of the 40 are NaN.
JUDGED = (
    "Bald", "Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Bushy_Eyebrows", "Eyeglasses", "Goatee", "Gray_Hair",
    "Male", "Mouth_Slightly_Open", "Mustache", "No_Beard", "Pale_Skin", "Smiling", "Wearing_Lipstick", "Young",
)  # fmt: skip

FACE_SIZE, HEAD_SIZE = 80, 64
# What the face net sees, in widths of a crop of margin 1.0: cheek to cheek, brows raised to jaw dropped.
FACE_WINDOW, FACE_DOWN = 0.82, 0.05
POSE_UNIT = 30.0  # degrees that the face net's output 1 stands for
_LANDMARKS, _FREE_MAPS = 68, 12

_BATCH = 32
_SCORES = ("action_units", "pose", "attributes")


def judge(pictures, margin=1.0):
    """Scores aligned faces.

    Args:
        pictures: (N, S, S, 3) uint8 RGB, S from `SMALLEST` (made for 64 to 160), or a list of such pictures of any
            sizes; grey ones have three equal channels. Cut as `alignment` does.
        margin: that of the crops, 1.0 or 1.5.

    Returns:
        dict of float32 arrays: `action_units` (N, 17) intensities 0-5 in the order of `conventions.ACTION_UNITS`,
        `pose` (N, 3) yaw, pitch, roll in degrees, `attributes` (N, 40) probabilities, NaN for those not in `JUDGED`.

    Raises:
        InputError: pictures of another shape or type, or another margin.
    """
    return _shipped().judge(pictures, margin)


def accuracy():
    """Returns the shipped judges' own scores on held-out truth, and how they were made, as a dict."""
    return json.loads(ACCURACY.read_text())


def places(names):
    """Returns the places of attributes among the 40."""
    return [conventions.ATTRIBUTES.index(name) for name in names]


# --- what the nets see ------------------------------------------------------------------------------------------------
def face_matrix(size, margin):
    """Returns the 2x3 matrix from pixels of a crop of `size` pixels and `margin` to those of the face net."""
    scale = FACE_SIZE * margin / (FACE_WINDOW * size)
    down = 0.5 * size + FACE_DOWN * size / margin
    return np.array([[scale, 0, FACE_SIZE / 2 - scale * size / 2], [0, scale, FACE_SIZE / 2 - scale * down]])


def face_view(picture, margin):
    """Cuts what the face net sees, (80, 80, 3) uint8, out of a crop."""
    return images.warp(picture, face_matrix(len(picture), margin), FACE_SIZE)


def head_view(picture):
    """Scales a crop to what the head net sees, (64, 64, 3) uint8."""
    scale = HEAD_SIZE / len(picture)
    return images.warp(picture, np.array([[scale, 0, 0], [0, scale, 0]]), HEAD_SIZE)


# --- the nets ---------------------------------------------------------------------------------------------------------
def face_network():
    """Returns the face net: (B, 80, 80, 3) pixels 0-255 -> dict of `action_units` (B, 17) intensities, `pose` (B, 3) in
    units of `POSE_UNIT`, `attributes` (B, 8) logits of `FACE_ATTRIBUTES`, `landmarks` (B, 136), x and y from -1 to 1,
    `maps` (B, 68, 400) logits of their places on a 20 x 20 grid.

    Features of three scales are added up at a quarter of the picture's size; there a map per landmark, and some free
    ones, say where to look. Their centres are the landmarks; what the features are there, averaged with the map as
    weights, and where that is, is all that action units are read from (pose also from the coarsest scale).
    """
    picture = keras.Input((FACE_SIZE, FACE_SIZE, 3), name="picture")
    fine = _residual(_stem(picture, 48, 8, 4), 48)  # at half size, a net would spend a quarter of its time
    middle = _residual(_normal(_convolution(fine, 96, 2)), 96)
    coarse = _residual(_normal(_convolution(middle, 128, 2)), 128)
    middle = layers.Add()([middle, layers.UpSampling2D(2)(layers.Conv2D(96, 1)(coarse))])
    fine = layers.Add()([fine, layers.UpSampling2D(2)(layers.Conv2D(48, 1)(middle))])
    features = _normal(_convolution(fine, 64))
    side = FACE_SIZE // 4
    features = layers.Reshape((side * side, 64))(features)
    logits = layers.Permute((2, 1))(layers.Dense(_LANDMARKS + _FREE_MAPS)(features))
    maps = layers.Softmax()(logits)
    at = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    grid = np.stack(np.meshgrid(at, at), -1).reshape(1, side * side, 2)
    points = keras.ops.matmul(maps, grid)
    landmarks = layers.Flatten(name="landmarks")(points[:, :_LANDMARKS])
    looks = layers.Flatten()(layers.Dense(24)(keras.ops.matmul(maps, features)))
    around = layers.Flatten()(points - keras.ops.mean(points[:, :_LANDMARKS], 1, keepdims=True))
    known = layers.Concatenate()([looks, around, layers.GlobalAveragePooling2D()(coarse)])
    known = layers.Dropout(0.2)(layers.BatchNormalization(momentum=0.98)(known))
    known = _normal(layers.Dense(192, use_bias=False, kernel_initializer="he_normal")(known))
    heads = {"action_units": 17, "pose": 3, "attributes": len(FACE_ATTRIBUTES)}
    found = {name: layers.Dense(count, name=name)(known) for name, count in heads.items()}
    return keras.Model(picture, {**found, "landmarks": landmarks, "maps": logits[:, :_LANDMARKS]}, name="face")


def head_network():
    """Returns the head net: (B, 64, 64, 3) pixels 0-255 -> dict of `attributes` (B, 17) logits of `JUDGED`."""
    picture = keras.Input((HEAD_SIZE, HEAD_SIZE, 3), name="picture")
    x = _residual(_stem(picture, 32, 5, 2), 32)
    for width in (64, 96, 128):
        x = _residual(_normal(_convolution(x, width, 2)), width)
    x = _normal(layers.Conv2D(32, 1, use_bias=False, kernel_initializer="he_normal")(x))
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    x = _normal(layers.Dense(96, use_bias=False, kernel_initializer="he_normal")(x))
    logits = layers.Dense(len(JUDGED), name="attributes")(x)
    return keras.Model(picture, {"attributes": logits}, name="head")


def _stem(picture, width, kernel, stride):
    x = layers.Rescaling(1 / 64, -2.0)(picture)
    return _normal(layers.Conv2D(width, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal")(x))


def _residual(x, width):
    y = _convolution(_normal(_convolution(x, width)), width)
    y = layers.BatchNormalization(momentum=0.98, gamma_initializer="zeros")(y)
    return layers.ReLU()(layers.Add()([x, y]))


def _convolution(x, width, stride=1):
    return layers.Conv2D(width, 3, stride, "same", use_bias=False, kernel_initializer="he_normal")(x)


def _normal(x):
    return layers.ReLU()(layers.BatchNormalization(momentum=0.98)(x))


NETWORKS = {"face": face_network, "head": head_network}


# --- weights ----------------------------------------------------------------------------------------------------------
def save(path, nets, calibration):
    """Writes the nets (name -> model) as half floats with the (2, 17) gains and offsets of the intensities."""
    arrays = {"calibration": np.asarray(calibration, np.float32)}
    for name, net in nets.items():
        arrays.update({f"{name}/{k:02d}": w.astype(np.float16) for k, w in enumerate(net.get_weights())})
    with images.atomic(path) as stream:
        np.savez_compressed(stream, **arrays)


def load(path=ASSET):
    """Returns (nets, calibration) as `save` takes them; InputError if the file is not one of these nets."""
    try:
        with np.load(path) as data:
            arrays = {name: data[name] for name in data.files}
        nets = {}
        for name, build in NETWORKS.items():
            nets[name] = build()
            keys = sorted(key for key in arrays if key.startswith(name + "/"))
            nets[name].set_weights([arrays[key].astype(np.float32) for key in keys])
        return nets, arrays["calibration"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: no weights of the judges ({error}); run python scripts/train_judges.py") from error


@functools.cache
def _shipped():
    return Judges(ASSET)


class Judges:
    """The nets of a file; `judge` is the module's function of that name with these nets."""

    def __init__(self, path):
        nets, calibration = load(path)
        self._run = _scorer(nets, calibration)

    def judge(self, pictures, margin=1.0):
        _check(pictures, margin)
        parts = [self._judge(pictures[k : k + _BATCH], margin) for k in range(0, len(pictures), _BATCH)]
        if not parts:
            return {name: np.zeros((0, n), np.float32) for name, n in zip(_SCORES, (17, 3, 40), strict=True)}
        return {name: np.concatenate([part[name] for part in parts]) for name in _SCORES}

    def _judge(self, pictures, margin):
        faces = np.stack([face_view(picture, margin) for picture in pictures])
        heads = np.stack([head_view(picture) for picture in pictures])
        found = {name: value.numpy() for name, value in self._run(faces, heads).items()}
        attributes = np.full((len(pictures), len(conventions.ATTRIBUTES)), np.nan, np.float32)
        attributes[:, places(JUDGED)] = found["head"]
        closer = [FACE_ATTRIBUTES.index(name) for name in FACE_JUDGED]
        attributes[:, places(FACE_JUDGED)] = found["face"][:, closer]
        return {"action_units": found["action_units"], "pose": found["pose"], "attributes": attributes}


def see(net, views):
    """Returns what a net finds in (B, S, S, 3) uint8 views, as the mean over each view and its mirror image."""
    views = tf.cast(views, tf.float32)
    found, mirrored = net(views, training=False), net(tf.reverse(views, [2]), training=False)
    result = {name: (found[name] + mirrored[name]) / 2 for name in ("action_units", "attributes") if name in found}
    if "pose" in found:
        result["pose"] = (found["pose"] + mirrored["pose"] * (-1.0, 1.0, -1.0)) / 2
    return result


def _scorer(nets, calibration):
    gain, offset = calibration
    face, head = nets["face"], nets["head"]

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, FACE_SIZE, FACE_SIZE, 3), tf.uint8),
            tf.TensorSpec((None, HEAD_SIZE, HEAD_SIZE, 3), tf.uint8),
        ]
    )
    def run(faces, heads):
        seen, whole = see(face, faces), see(head, heads)
        return {
            "action_units": tf.clip_by_value(seen["action_units"] * gain + offset, 0.0, conventions.MAX_INTENSITY),
            "pose": seen["pose"] * POSE_UNIT,
            "face": tf.sigmoid(seen["attributes"]),
            "head": tf.sigmoid(whole["attributes"]),
        }

    return run


def _check(pictures, margin):
    if margin not in MARGINS:
        raise InputError(f"margin {margin!r}: judges look at crops of margin 1.0 or 1.5")
    for picture in pictures:
        shape, kind = np.shape(picture), getattr(picture, "dtype", type(picture).__name__)
        if kind != np.uint8 or len(shape) != 3 or shape[0] != shape[1] or shape[2] != 3 or shape[0] < SMALLEST:
            raise InputError(
                f"picture is {kind} {shape}: judges look at square uint8 RGB pictures of {SMALLEST} pixels or more"
            )
