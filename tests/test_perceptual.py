import logging

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface import identity, perceptual
from tfface.errors import InputError


@pytest.fixture(scope="module")
def vgg16():
    """Keras' VGG16 with random weights."""
    keras.utils.set_random_seed(0)
    return keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))


@pytest.fixture(scope="module")
def weights_file(vgg16, tmp_path_factory):
    """A file of the layout in which Keras gives VGG16 away."""
    path = tmp_path_factory.mktemp("vgg") / "vgg16.h5"
    with h5py.File(path, "w") as file:
        for layer in vgg16.layers:
            group = file.create_group(layer.name)
            for name, value in zip(("W", "b"), layer.get_weights(), strict=False):
                group[f"{layer.name}_{name}_1:0"] = value
    return path


def pictures(count=2, size=32):
    return np.random.default_rng(0).uniform(-1, 1, (count, size, size, 3)).astype(np.float32)


def test_vgg16_maps_are_those_of_keras(vgg16, weights_file):
    images = pictures()
    until = keras.Model(vgg16.input, [vgg16.get_layer(name).output for name in perceptual.VGG_LAYERS])
    expected = until(keras.applications.vgg16.preprocess_input((images + 1) * 127.5))
    maps = perceptual.load(str(weights_file), 32, "caffe")(images)
    assert [m.shape[1:] for m in maps] == [(32, 32, 64), (16, 16, 128), (8, 8, 256)]
    for ours, theirs in zip(maps, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * np.max(theirs))
    for ours, scaled in zip(maps, perceptual.load(str(weights_file), 32)(images), strict=True):
        np.testing.assert_allclose(ours / 127.5, scaled, rtol=1e-5)
    unit = perceptual.load(str(weights_file), 32, "unit")(images)
    for ours, theirs in zip(unit, until(images), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * np.max(theirs))


def test_cached_weights_are_used_without_asking_anybody(weights_file, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with caplog.at_level(logging.INFO):
        assert perceptual.load("auto", 32).layers == identity.EARLY_MAPS
    assert "not in Keras' cache" in caplog.text
    perceptual.cached_vgg16().parent.mkdir()
    perceptual.cached_vgg16().write_bytes(weights_file.read_bytes())
    for source in ("auto", "vgg16"):
        assert perceptual.load(source, 32).layers == perceptual.VGG_LAYERS


def test_the_log_says_what_is_compared_and_how_large_it_is(weights_file, caplog):
    with caplog.at_level(logging.INFO):
        features = perceptual.load(str(weights_file), 32)
    assert "VGG16 (input scaled)" in caplog.text
    magnitudes = features.magnitudes(32)
    for layer, value in magnitudes.items():
        assert f"{layer} {value:.4g}" in caplog.text
    # With another preprocessing the same layer is larger by the square of the scale.
    raw = perceptual.load(str(weights_file), 32, "caffe").magnitudes(32)
    for layer, value in magnitudes.items():
        assert raw[layer] == pytest.approx(127.5**2 * value, rel=1e-3)


def test_distances_are_sums_over_maps_and_means_over_pictures():
    features = perceptual.Features("picture", ["picture"], lambda images: [images])
    a = np.zeros((2, 4, 4, 3), np.float32)
    b = a.copy()
    b[0, 1, 1] = 2.0  # three channels
    b[1] = 0.5
    (distance,) = perceptual.distances(features, a, b)
    assert float(distance) == pytest.approx((3 * 4 + 4 * 4 * 3 * 0.25) / 2)


def test_identity_maps_are_the_networks_own_and_differentiable():
    features = perceptual.load("identity", 64)
    images = tf.constant(pictures(2, 64))
    with tf.GradientTape() as tape:
        tape.watch(images)
        maps = features(images)
        total = tf.add_n([tf.reduce_sum(m) for m in maps])
    assert [m.shape[1:] for m in maps] == [(29, 29, 32), (14, 14, 32), (14, 14, 32)]
    assert float(tf.reduce_max(tf.abs(tape.gradient(total, images)))) > 0
    alone = features(images[:1])
    for one, two in zip(alone, maps, strict=True):
        np.testing.assert_allclose(one[0], two[0], atol=1e-4)


@pytest.mark.parametrize(
    ("source", "preprocess", "message"),
    [("missing.h5", "scaled", "missing.h5: no such file"), ("identity", "other", "preprocess='other'")],
)
def test_bad_sources_are_input_errors(source, preprocess, message):
    with pytest.raises(InputError, match=message):
        perceptual.load(source, 32, preprocess)


def test_other_files_are_input_errors(tmp_path):
    text = tmp_path / "notes.h5"
    text.write_text("no HDF5")
    with pytest.raises(InputError, match="notes.h5: holds no Keras VGG16 weights"):
        perceptual.load(str(text), 32)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["block1_conv1/kernel"] = np.zeros((3, 3, 3, 64))
    with pytest.raises(InputError, match="other.h5: holds no Keras VGG16 weights"):
        perceptual.load(str(tmp_path / "other.h5"), 32)
