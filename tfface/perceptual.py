"""Frozen feature maps in which pictures are compared: VGG16, or the first maps of the face-identity network.

The published losses use VGG16 (Simonyan & Zisserman 2015) trained on ImageNet, whose weights are not part of tfface:
they are taken from Keras' cache, from a file, or fetched by Keras when VGG16 is asked for by name. Where they are not
and ``auto`` was asked, the early maps of `tfface.identity` (shipped) stand in. The two differ by orders of magnitude,
so that a loss weight belongs to one of them: `load` logs which it is and how large its maps are.

What is returned is a plain object of constants: no model that holds one saves its weights or moves them.
"""

import logging
import os
from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf

from tfface import identity
from tfface.errors import InputError

log = logging.getLogger(__name__)

VGG_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
VGG_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1")
PREPROCESS = ("scaled", "caffe", "unit")
_VGG_CONVOLUTIONS = ("block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2", "block3_conv1")
_VGG_MEAN_BGR = (103.939, 116.779, 123.68)


class Features:
    """What a frozen network sees: a function of (N, S, S, 3) pictures in [-1, 1] to a list of maps (N, h, w, C).

    Attributes:
        name: what it is, for messages.
        layers: names of the maps.
    """

    def __init__(self, name, layers, function):
        self.name, self.layers, self._function = name, tuple(layers), function

    def __call__(self, images):
        return self._function(tf.cast(images, tf.float32))

    def magnitudes(self, size):
        """Returns {layer: sum over a map of the squared change that noise of deviation 0.1 on a grey picture makes}."""
        noise = np.random.default_rng(0).normal(0, 0.1, (1, size, size, 3)).astype(np.float32)
        with tf.init_scope():  # also while a train step is traced
            return dict(zip(self.layers, map(float, distances(self, noise, np.zeros_like(noise))), strict=True))


def distances(features, a, b):
    """Returns a scalar for each map: the squared difference of two picture batches there.

    Summed over the map's elements, mean over the batch: what the norms in published perceptual losses say.
    """
    return [
        tf.reduce_mean(tf.reduce_sum(tf.square(x - y), [1, 2, 3]))
        for x, y in zip(features(a), features(b), strict=True)
    ]


def load(source, size, preprocess="scaled"):
    """Returns the `Features` that a setting names, and logs which they are and how large their maps are.

    Args:
        source: ``vgg16`` (Keras' cache, fetched by Keras if it is not there), ``identity`` (shipped), ``auto`` (VGG16
            if it is in Keras' cache, else identity), or a Keras VGG16 weights file (``.h5``, with or without its top).
        size: side of the pictures, for the logged magnitudes.
        preprocess: what VGG16 gets: ``caffe`` is BGR 0-255 less the mean, as it was trained; ``scaled`` the same with
            its maps divided by 127.5, as large as maps of pictures in [-1, 1]; ``unit`` RGB in [-1, 1] as it is.

    Raises:
        InputError: the file is missing or holds no VGG16, or VGG16 could not be fetched.
    """
    if preprocess not in PREPROCESS:
        raise InputError(f"preprocess={preprocess!r}: expected one of {', '.join(PREPROCESS)}")
    if source == "auto":
        source = "vgg16" if cached_vgg16().exists() else "identity"
        log.info("features=auto: VGG16 is %s Keras' cache", "in" if source == "vgg16" else "not in")
    if source == "identity":
        features = identity_features()
    else:
        features = vgg16_features(_vgg16_weights(source), preprocess)
    sizes = ", ".join(f"{layer} {value:.4g}" for layer, value in features.magnitudes(size).items())
    log.info("Pictures are compared in %s; squared change by noise of 0.1 at %d px: %s", features.name, size, sizes)
    return features


def cached_vgg16():
    """Returns where Keras keeps the VGG16 weights that it has fetched."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return home / "models" / VGG_FILE


def _vgg16_weights(source):
    """Returns {layer: (kernel, bias)} of the first convolutions, as NumPy."""
    path = Path(source)
    if source == "vgg16":
        path = cached_vgg16()
        if not path.exists():
            _fetch_vgg16()
    if not path.is_file():
        raise InputError(f"{source}: no such file; expected Keras VGG16 weights (.h5), or vgg16, identity or auto")
    try:
        with h5py.File(path) as file:
            layers = file.get("model_weights", file)  # of a whole saved network
            return {name: _convolution(layers[name]) for name in _VGG_CONVOLUTIONS}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: holds no Keras VGG16 weights ({str(error).splitlines()[0][:120]})") from error


def _convolution(group):
    """Returns the (kernel, bias) in a layer's group of an HDF5 file, whatever the version of Keras called them."""
    arrays = []
    group.visititems(lambda _, item: arrays.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    kernel, bias = sorted(arrays, key=np.ndim, reverse=True)
    if kernel.ndim != 4 or bias.shape != kernel.shape[3:]:
        raise ValueError(f"{group.name} holds arrays of shapes {kernel.shape} and {bias.shape}")
    return kernel.astype(np.float32), bias.astype(np.float32)


def _fetch_vgg16():
    import keras

    log.info("Keras fetches VGG16's weights into %s", cached_vgg16())
    with tf.init_scope():  # a first use may be while a train step is traced
        try:
            keras.applications.VGG16(include_top=False, weights="imagenet")
        except Exception as error:
            raise InputError(
                f"vgg16: not in Keras' cache and could not be fetched ({str(error).splitlines()[0][:120]}); set"
                " features to a weights file or to identity"
            ) from error


def vgg16_features(weights, preprocess="scaled"):
    """Returns the `Features` conv1_1, conv2_1, conv3_1 (after ReLU) of {layer: (kernel, bias)}; see `load`."""

    def function(images):
        x = images
        if preprocess != "unit":
            x = (x[..., ::-1] + 1.0) * 127.5 - tf.constant(_VGG_MEAN_BGR)
        maps = []
        for name in _VGG_CONVOLUTIONS:
            if name in ("block2_conv1", "block3_conv1"):
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
            kernel, bias = weights[name]
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + bias)
            if name in VGG_LAYERS:
                maps.append(x / 127.5 if preprocess == "scaled" else x)
        return maps

    return Features(f"VGG16 (input {preprocess})", VGG_LAYERS, function)


def identity_features():
    """Returns the `Features` of the face-identity network's first convolution and two of its first blocks.

    It was trained on faces of 150 pixels; its convolutions take any size.
    """

    def function(images):
        return identity.early_maps((images + 1.0) * 127.5)

    return Features("the early maps of the face-identity network", identity.EARLY_MAPS, function)
