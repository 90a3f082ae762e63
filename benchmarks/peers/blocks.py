"""What both PyTorch networks use: layers named and shaped as tfface's, and tfface's weights copied into them."""

import torch
from torch import nn
from torch.nn import functional

_NAMES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def down(channels, filters, bias):
    """The strided convolution of every network here: 4x4, stride 2, half the size."""
    return nn.Conv2d(channels, filters, 4, 2, 1, bias=bias)


def up(channels, filters, bias):
    """The transposed convolution that doubles the size."""
    return nn.ConvTranspose2d(channels, filters, 4, 2, 1, bias=bias)


def with_planes(x, condition):
    """Appends a condition (batch, n) to (batch, channels, height, width) as constant planes."""
    planes = condition[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, planes], 1)


def parameter_name(name):
    """Returns what ``layer.kernel`` and the like are called here."""
    layer, _, kind = name.rpartition(".")
    return f"{layer}.{_NAMES.get(kind, kind)}"


def arranged(value, parameter):
    """Returns a Keras weight, or a gradient of one, as the tensor of `parameter`'s shape.

    Kernels (height, width, in, out), of transposed convolutions (height, width, out, in), are read the same way round
    by both. A dense layer after a flattened map counts channels last there and first here; `parameter.map_shape` says
    the map's (channels, height, width).
    """
    value = torch.as_tensor(value)
    if value.ndim == 4:
        return value.permute(3, 2, 0, 1)
    if value.ndim == 2:
        if hasattr(parameter, "map_shape"):
            channels, height, width = parameter.map_shape
            value = value.reshape(height, width, channels, -1).permute(2, 0, 1, 3).flatten(0, 2)
        return value.T
    return value


def copy_weights(network, weights):
    """Fills a network with all of a dict of Keras weights, ``{"layer.kernel": array}``."""
    mine = dict(network.named_parameters()) | {
        name: buffer for name, buffer in network.named_buffers() if not name.endswith("num_batches_tracked")
    }
    theirs = {parameter_name(name): value for name, value in weights.items()}
    if mine.keys() != theirs.keys():
        raise ValueError(f"weights that are in one network only: {sorted(mine.keys() ^ theirs.keys())}")
    with torch.no_grad():
        for name, parameter in mine.items():
            value = arranged(theirs[name], parameter)
            if value.shape != parameter.shape:
                raise ValueError(f"{name}: {tuple(parameter.shape)} here, {tuple(value.shape)} there")
            parameter.copy_(value)


def gradient_penalty(critic, real, fake, alpha):
    """As `tfface.losses.gradient_penalty`; `critic` gives (batch, ...) scores."""
    points = (real + alpha * (fake - real)).requires_grad_(True)
    scores = critic(points).flatten(1).mean(1).sum()
    (slope,) = torch.autograd.grad(scores, points, create_graph=True)
    norms = (slope.float().square().sum((1, 2, 3)) + 1e-12).sqrt()
    return (norms - 1.0).square().mean()


def total_variation(x):
    down_ = (x[:, :, 1:] - x[:, :, :-1]).abs().mean()
    return down_ + (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().mean()


l1 = functional.l1_loss
mse = functional.mse_loss
