"""Operations as counted from the layers' shapes against those in the graph that TensorFlow makes of the same losses."""

import pytest
import tensorflow as tf

from benchmarks.speed import flops, ours

SETTINGS = {
    "ganimation": dict(
        image_size=16, generator_width=4, residual_blocks=1, edge_kernel=5, discriminator_width=4,
        discriminator_layers=3,
    ),
    "attgan": dict(image_size=16, generator_width=4, discriminator_width=4, discriminator_units=8, depth=3),
}  # fmt: skip
BATCH = 2


def operations(graph_function):
    """Returns operations of all products that a graph's outputs need."""
    needed, left = {}, [output.op for output in graph_function.outputs]
    while left:
        op = left.pop()
        if op.name not in needed:
            needed[op.name] = op
            left += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    return sum(_product(op) for op in needed.values())


def _product(op):
    def elements(shape):
        assert None not in list(shape)[1:], op.name
        return tf.TensorShape(shape[1:]).num_elements()

    shapes = [tensor.shape for tensor in op.inputs]
    if op.type == "MatMul":
        first, second = shapes
        inner = first[0] if op.get_attr("transpose_a") else first[1]
        rows, columns = op.outputs[0].shape
        return 2 * (inner or BATCH) * (rows or BATCH) * columns
    if op.type == "Conv2D":
        pixels, kernel = op.outputs[0].shape, shapes[1]
    elif op.type == "Conv2DBackpropInput":
        pixels, kernel = shapes[2], shapes[1]
    elif op.type == "Conv2DBackpropFilter":
        pixels, kernel = shapes[2], op.outputs[0].shape
    else:
        return 0
    return 2 * BATCH * elements([None, *pixels[1:3]]) * kernel.num_elements()


def graph(iteration, network):
    """Returns the concrete function of one network's loss and its gradients."""
    model, values = iteration.model, iteration.parts()[0]

    def gradients(*part):
        with tf.GradientTape() as tape:
            losses = model.discriminator_losses if network == "discriminator" else model.generator_losses
            loss = losses(*part)[f"{network[0]}_loss"]
        return loss, tape.gradient(loss, getattr(model, network).trainable_variables)

    part = values if network == "discriminator" else values[:3]
    return tf.function(gradients).get_concrete_function(*(tf.TensorSpec(value.shape, tf.float32) for value in part))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_count_is_what_tensorflow_computes(name, monkeypatch):
    iteration = ours.Iteration(name, "paper", {**SETTINGS[name], "batch_size": BATCH, "n_critic": 1})
    counted, layers = flops.iteration(iteration.model), flops.of_network(iteration.model.discriminator)
    # TensorFlow's own LeakyReLU has a second derivative of zeros, which it sends back through all layers down to the
    # normalisation that has one of its own. Counted is what is needed; GANimation has tfface's LeakyReLU.
    counted["d"] += 2 * layers["realism_hidden"] if name == "attgan" else 0
    monkeypatch.setattr(
        "tfface.convolutions._native", lambda: True
    )  # the faster ways multiply more for the same result
    for network in ("discriminator", "generator"):
        assert operations(graph(iteration, network)) == BATCH * counted[network[0]], network


def test_a_convolution_by_hand():
    iteration = ours.Iteration("attgan", "paper", {**SETTINGS["attgan"], "batch_size": BATCH, "n_critic": 1})
    found = flops.of_network(iteration.model.discriminator)
    assert found["down1"] == 2 * (4 * 4 * 3) * 4 * (8 * 8)
    assert found["realism_hidden"] == 2 * (2 * 2 * 16) * 8
    assert found["attributes"] == 2 * 8 * 13
    decoder = flops.of_network(iteration.model.generator)
    assert decoder["color"] == 2 * (4 * 4 * 3 * 8) * (8 * 8)
