"""Floating-point operations of a training iteration, counted from the layers' shapes.

Only products count (convolutions, dense layers), two operations for a multiplication and an addition; borders are
counted as if there were pixels beyond. What a faster way of computing a layer does more, or an implementation does for
nothing, is not work done: all sides are held to the same count. For a layer of F operations forward:

* backward is F for the gradient of its kernel and F for that of its input, where anything needs it: not the picture's;
* the gradient penalty is F forward (but for the last layer, whose scores nobody asks for), F for the gradient of its
  input (the first layer's too), and the double backward. That goes through the gradient's own products: F for each
  kernel and F for each incoming gradient, which is a constant at the critic's last layer;
* normalisation's own derivative depends on what it normalises, so that with it the double backward goes on through the
  forward products of the layers below: twice F more, less the first layer's input. LeakyReLU's derivative is
  constant almost everywhere and adds nothing: the zeros that TensorFlow's and PyTorch's send back are not counted.
"""

import keras


def of_network(network):
    """Returns ``{layer: operations}`` forward for one picture, of all layers with a kernel, in order."""
    found = {}
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            found |= of_network(layer)
        elif getattr(layer, "kernel", None) is not None:
            pixels = 1
            if isinstance(layer, keras.layers.Conv2DTranspose):
                pixels = layer.input.shape[1] * layer.input.shape[2]
            elif isinstance(layer, keras.layers.Conv2D):
                pixels = layer.output.shape[1] * layer.output.shape[2]
            found[layer.name] = 2 * int(keras.ops.size(layer.kernel)) * pixels
    return found


class Critic:
    """Operations of a discriminator: a trunk of convolutions ``down...`` and heads, one of them ``realism...``."""

    def __init__(self, discriminator):
        layers = of_network(discriminator)
        self.all = sum(layers.values())
        self.first = layers["down1"]
        self.trunk = sum(value for name, value in layers.items() if name.startswith("down"))
        self.last = layers["realism"]
        self.scores = self.trunk + sum(value for name, value in layers.items() if name.startswith("realism"))
        self.normalized = any("norm" in layer.name for layer in discriminator.layers)

    def penalty(self):
        """The gradient penalty of one picture, forward to double backward."""
        again = 2 * self.trunk - self.first if self.normalized else 0
        return 4 * self.scores - 2 * self.last + again

    def update(self):
        """One update but for the generator's edit: real pictures in all heads, edits in the critic, the penalty."""
        return 3 * self.all - self.first + 3 * self.scores - self.first + self.penalty()

    def passed_through(self):
        """Forward, and backward to the picture alone, in the generator's update."""
        return 2 * self.all


def iteration(model):
    """Returns ``{"d": ..., "g": ...}``, operations for one picture of an update of each network.

    Args:
        model: GANimation or AttGAN without true answers, so that the generator runs there and back, or decodes twice.
    """
    critic = Critic(model.discriminator)
    generator = of_network(model.generator)
    forward = sum(generator.values())
    d = forward + critic.update()
    if "heads" in generator:  # GANimation: the way back's input is the edit, so that its gradient is needed
        return {"d": d, "g": 6 * forward - generator["stem"] + critic.passed_through()}
    encoder = sum(value for name, value in generator.items() if name.startswith("down"))
    decoder = forward - encoder
    return {"d": d, "g": 3 * encoder - generator["down1"] + 6 * decoder + critic.passed_through()}
