"""Our GANimation networks against those of the course slides, built with TensorLayer as the slides build them.

Both get the same random weights and must give the same outputs. Where they are not the same network by design:

* The slides' transposed convolutions have biases, ours none: those stand before an instance normalisation, which
  removes them, so they are random here. The biases of the four heads are zero: ours have none, as in the authors' code.
* The slides' head for action units is SAME, which gives 2x2 vectors that its squeeze then refuses; VALID is meant.
* The slides cut the residual blocks short; they are the paper's.
* TensorLayer 2.2.5 normalises single pictures only: its statistics lose their batch axis.
* All layers have a quarter of the slides' channels, which makes the comparison quick and changes nothing else.
"""

import numpy as np
import pytest
import tensorflow as tf

from tfface.models.ganimation_networks import Discriminator, Generator

pytestmark = pytest.mark.parity
tl = pytest.importorskip("tensorlayer", reason="NOT COMPARED with TensorLayer: needs the parity extra (Python 3.11)")

SIZE, WIDTH = 128, 16
TOLERANCE = 1e-4  # of outputs that are of the order of 1


@pytest.fixture(scope="module", autouse=True)
def quiet():
    tl.logging.set_verbosity(tl.logging.ERROR)


@pytest.fixture(scope="module")
def slides_generator():
    """The slides' generator; its input is the picture with the 17 action units as planes."""
    layers = tl.layers
    source = layers.Input((1, SIZE, SIZE, 20))
    x = layers.Conv2d(WIDTH, (7, 7), (1, 1), b_init=None, name="stem")(source)
    x = layers.InstanceNorm2d(act=tf.nn.relu, name="stem_norm")(x)
    for factor in (2, 4):
        name = f"down{factor}"
        x = layers.Conv2d(factor * WIDTH, (4, 4), (2, 2), b_init=None, name=name)(x)
        x = layers.InstanceNorm2d(act=tf.nn.relu, name=f"{name}_norm")(x)
    for block in range(1, 7):
        y = layers.Conv2d(4 * WIDTH, (3, 3), (1, 1), b_init=None, name=f"residual{block}a")(x)
        y = layers.InstanceNorm2d(act=tf.nn.relu, name=f"residual{block}a_norm")(y)
        y = layers.Conv2d(4 * WIDTH, (3, 3), (1, 1), b_init=None, name=f"residual{block}b")(y)
        y = layers.InstanceNorm2d(name=f"residual{block}b_norm")(y)
        x = layers.Elementwise(tf.add, name=f"residual{block}")([x, y])
    for factor in (2, 1):
        name = f"up{factor}"
        x = layers.DeConv2d(factor * WIDTH, (4, 4), (2, 2), name=name)(x)
        x = layers.InstanceNorm2d(act=tf.nn.relu, name=f"{name}_norm")(x)
    color = layers.Conv2d(3, (7, 7), (1, 1), act=tf.nn.tanh, name="color")(x)
    attention = layers.Conv2d(1, (7, 7), (1, 1), act=tf.nn.sigmoid, name="attention_logits")(x)
    return tl.models.Model(inputs=source, outputs=[color, attention])


@pytest.fixture(scope="module")
def slides_discriminator():
    """The slides' discriminator, its head for action units VALID."""
    layers = tl.layers
    x = source = layers.Input((1, SIZE, SIZE, 3))
    for i in range(6):
        leaky = lambda x: tf.nn.leaky_relu(x, 0.01)  # noqa: E731
        x = layers.Conv2d(WIDTH * 2**i, (4, 4), (2, 2), act=leaky, name=f"down{i + 1}")(x)
    realism = layers.Conv2d(1, (3, 3), (1, 1), name="realism")(x)
    units = layers.Conv2d(17, (2, 2), (1, 1), padding="VALID", name="units")(x)
    return tl.models.Model(inputs=source, outputs=[realism, units])


HEADS = {"color": ("heads", slice(0, 3)), "attention_logits": ("heads", slice(3, 4))}


def randomize(network, random):
    """Gives weights that keep features near the size of 1, so that errors are measured against something."""
    for layer in network.layers:
        for weight in layer.weights:
            if weight.name == "kernel":
                fan_in = np.prod(weight.shape[:2]) * layer.input.shape[-1]
                value = random.normal(0, np.sqrt(2 / fan_in), weight.shape)
            else:
                value = random.normal(1.0 if weight.name == "gamma" else 0.0, 0.3, weight.shape)
            weight.assign(value)


def copy_weights(ours, slides, random):
    """Gives the slides' network our weights; biases that only it has are random before a normalisation, else zero."""
    for layer in slides.all_layers:
        if isinstance(layer, (tl.layers.Conv2d, tl.layers.DeConv2d)):
            # Our color and attention heads are the first three channels and the last of one convolution.
            name, channels = HEADS.get(layer.name, (layer.name, slice(None)))
            source = ours.get_layer(name)
            kernel, *biases = layer.all_weights
            kernel.assign(source.kernel[..., channels])
            for bias in biases:
                removed = isinstance(layer, tl.layers.DeConv2d)
                absent = random.normal(0, 1, bias.shape) if removed else np.zeros(bias.shape)
                bias.assign(absent if source.bias is None else source.bias)
        elif isinstance(layer, tl.layers.InstanceNorm2d):
            source = ours.get_layer(layer.name)
            layer.gamma.assign(tf.reshape(source.gamma, layer.gamma.shape))
            layer.beta.assign(tf.reshape(source.beta, layer.beta.shape))


def assert_close(ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs).reshape(ours.shape)
    assert np.std(theirs) > 0.05, "outputs too small to compare"
    np.testing.assert_allclose(ours, theirs, atol=TOLERANCE * max(1.0, np.abs(theirs).max()))


def test_generator(slides_generator):
    random = np.random.default_rng(0)
    ours = Generator(SIZE, WIDTH)
    randomize(ours, random)
    copy_weights(ours, slides_generator, random)
    image = random.uniform(-1, 1, (1, SIZE, SIZE, 3)).astype(np.float32)
    units = random.uniform(0, 1, (1, 17)).astype(np.float32)
    planes = np.broadcast_to(units[:, None, None], (1, SIZE, SIZE, 17))
    slides_generator.eval()
    color, attention = slides_generator(np.concatenate([image, planes], -1))
    edit = ours({"image": image, "action_units": units})
    assert_close(edit["color"], color)
    assert_close(edit["attention"], attention)
    assert_close(edit["image"], attention * image + (1 - attention) * color)


def test_discriminator(slides_discriminator):
    random = np.random.default_rng(1)
    ours = Discriminator(SIZE, WIDTH)
    randomize(ours, random)
    copy_weights(ours, slides_discriminator, random)
    image = random.uniform(-1, 1, (1, SIZE, SIZE, 3)).astype(np.float32)
    slides_discriminator.eval()
    realism, units = slides_discriminator(image)
    judged = ours({"image": image})
    assert_close(judged["realism"], realism)
    assert_close(judged["action_units"], units)


def test_weights_differ_by_the_biases_alone(slides_generator, slides_discriminator):
    pairs = (
        (Generator(SIZE, WIDTH), slides_generator, 2 * WIDTH + WIDTH + 3 + 1),
        (Discriminator(SIZE, WIDTH), slides_discriminator, 1 + 17),
    )
    for ours, slides, biases in pairs:
        assert sum(int(np.prod(w.shape)) for w in slides.all_weights) == ours.count_params() + biases
