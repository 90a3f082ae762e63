"""Whose face it is: the 128-number face descriptor of dlib's network, in TensorFlow.

Network: a 29-layer residual net by Davis King (dlib, `dnn_face_recognition_ex`), weights as published with
@vladmandic/face-api, public domain (CC0) by their author. Two pictures of one person are usually closer than 0.6, its
author's threshold. Differentiable, so that it can also be a loss. Pixels come in as a "chip": the face turned upright
and cut to 150 pixels with a quarter of padding.
"""

import functools
import pathlib

import numpy as np
import tensorflow as tf

from tfface.chips import CHIP, chip

ASSET = pathlib.Path(__file__).parent / "assets" / "face_identity.npz"
SAME_PERSON = 0.6  # distance below which dlib's author calls two faces the same person
_MEAN_COLOR = (122.782, 117.001, 104.298)
# Residual blocks in their order.
BLOCKS = (
    "conv32_1", "conv32_2", "conv32_3", "conv64_down", "conv64_1", "conv64_2", "conv64_3", "conv128_down", "conv128_1",
    "conv128_2", "conv256_down", "conv256_1", "conv256_2", "conv256_down_out",
)  # fmt: skip
EARLY_MAPS = ("conv32_down", "conv32_1", "conv32_2")  # in the order of the network


def embed(chips):
    """Returns the (N, 128) float32 descriptors of (N, 150, 150, 3) RGB chips in 0..255; differentiable."""
    return tf.reduce_mean(maps(chips, BLOCKS[-1:])[0], [1, 2]) @ _weights()["fc"]


def maps(pictures, names):
    """Returns the maps [(N, H, W, C), ...] of some of `BLOCKS`, named in their order, of (N, S, S, 3) RGB in 0..255.

    ``32``-maps have a quarter, ``64``-maps an eighth and ``128``-maps a sixteenth of the pictures' size.
    """
    weights, found = _weights(), []
    x = tf.nn.max_pool2d(_stem(pictures), 3, 2, "VALID")
    for name in BLOCKS[: BLOCKS.index(names[-1]) + 1]:
        x = _residual(x, weights[name + "/1"], weights[name + "/2"], "down" in name)
        found += [x] if name in names else []
    return found


def early_maps(pictures):
    """Returns the maps of `EARLY_MAPS`, half and a quarter of the size, of (N, S, S, 3) RGB in 0..255 of any S."""
    return [_stem(pictures), *maps(pictures, EARLY_MAPS[1:])]


def _stem(pictures):
    x = (tf.cast(pictures, tf.float32) - tf.constant(_MEAN_COLOR, tf.float32)) / 256.0
    return tf.nn.relu(_convolve(x, _weights()["conv32_down"], 2, "VALID"))


def describe(pictures, landmarks, batch_size=32):
    """Returns the (N, 128) float32 descriptors of faces in pictures.

    Args:
        pictures: N uint8 RGB pictures of any sizes.
        landmarks: N arrays (68, 2), pixels.
        batch_size: how many chips go through the network at once.
    """
    chips = [chip(picture, points) for picture, points in zip(pictures, landmarks, strict=True)]
    run = _compiled()
    parts = []
    for start in range(0, len(chips), batch_size):
        batch = np.stack(chips[start : start + batch_size]).astype(np.float32)
        parts.append(run(batch).numpy())
    return np.concatenate(parts) if parts else np.zeros((0, 128), np.float32)


@functools.cache
def _compiled():
    return tf.function(embed, input_signature=[tf.TensorSpec((None, CHIP, CHIP, 3), tf.float32)])


@functools.cache
def _weights():
    """Filters with dlib's per-channel scale folded in, as NumPy: layer -> (filters, bias)."""
    with np.load(ASSET) as data:
        arrays = {name: data[name].astype(np.float32) for name in data.files}
    layers = {"fc": arrays["fc"]}
    for name in arrays:
        if not name.endswith("__conv__filters"):
            continue
        stem = name.removesuffix("__conv__filters")
        scale = arrays[stem + "__scale__weights"]
        bias = arrays[stem + "__conv__bias"] * scale + arrays[stem + "__scale__biases"]
        layers[stem.replace("__conv1", "/1").replace("__conv2", "/2")] = (arrays[name] * scale, bias)
    return layers


def _convolve(x, layer, stride, padding):
    filters, bias = layer
    return tf.nn.conv2d(x, filters, stride, padding) + bias


def _residual(x, first, second, down):
    y = tf.nn.relu(_convolve(x, first, 2 if down else 1, "VALID" if down else "SAME"))
    y = _convolve(y, second, 1, "SAME")
    if down:
        # dlib adds what the halved input and the branch have in common and keeps the rest of the larger as it is.
        x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
        rows, columns = x.shape[1] - y.shape[1], x.shape[2] - y.shape[2]
        y = tf.pad(y, [[0, 0], [0, rows], [0, columns], [0, 0]])
        x = tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, y.shape[3] - x.shape[3]]])
    return tf.nn.relu(x + y)
