"""Figures of networks and pictures for notebooks, with matplotlib: what flows where, and what it looks like."""

import re

import numpy as np


def as_picture(values):
    """Returns (H, W, 3) or (H, W) uint8 of one picture or map: a tensor in [-1, 1] with 3 channels, a map of one
    channel (shown from its least to its greatest value), or uint8, which stays."""
    values = np.asarray(values)
    if values.dtype == np.uint8:
        return values
    values = values.astype(np.float32)
    if values.ndim == 3 and values.shape[-1] == 3:
        return np.rint((values.clip(-1, 1) + 1) * 127.5).astype(np.uint8)
    flat = values[..., 0] if values.ndim == 3 else values
    low, high = flat.min(), flat.max()
    return np.rint((flat - low) / max(high - low, 1e-9) * 255).astype(np.uint8)


def show(rows, titles=None, labels=None, size=1.4):
    """Draws rows of pictures.

    Args:
        rows: list of equally long lists of pictures, see `as_picture`; None leaves a place empty.
        titles: text above each column, or None.
        labels: text before each row, or None.
        size: inches a picture.

    Returns:
        the matplotlib figure.
    """
    import matplotlib.pyplot as plt

    columns = max(len(row) for row in rows)
    figure, axes = plt.subplots(len(rows), columns, figsize=(size * columns, size * len(rows)), squeeze=False)
    for number, (row, line) in enumerate(zip(rows, axes, strict=True)):
        for place, axis in enumerate(line):
            axis.set_xticks([]), axis.set_yticks([])
            picture = row[place] if place < len(row) else None
            if picture is None:
                axis.axis("off")
            else:
                picture = as_picture(picture)
                axis.imshow(picture, cmap=None if picture.ndim == 3 else "gray", vmin=0, vmax=255)
            if titles and not number:
                axis.set_title(titles[place], fontsize=8)
        if labels:
            line[0].set_ylabel(labels[number], fontsize=8)
    figure.tight_layout(pad=0.3)
    return figure


def shapes(network, only=None):
    """Returns [(name, shape)] of a functional network's blocks, in the order in which they are computed.

    Blocks are convolutions, dense layers and what merges, pools or cuts out; the first entry is the input. A shape is
    (height, width, channels), or (length,) of a vector.

    Args:
        network: `keras.Model`.
        only: regular expression; blocks in whose names it is not found are left out, those of a large network.
    """
    wanted = ("conv", "downsample", "merge", "add", "concatenate", "dense", "globalaverage", "fuse")
    found = []
    for layer in network.layers:
        shape = tuple(getattr(layer.output, "shape", ()))[1:]
        kind = type(layer).__name__.lower()
        first = kind == "inputlayer" and not found
        block = any(word in kind for word in wanted) and (only is None or re.search(only, layer.name))
        if len(shape) in (1, 3) and (first or block):
            found.append((layer.name, shape))
    return found


def draw_shapes(network, title="", only=None):
    """Draws each block of a network as a box as high as its maps and as wide as the logarithm of its channels.

    Vectors are dark bars. `only` is that of `shapes`.

    Returns:
        the matplotlib figure.
    """
    import matplotlib.pyplot as plt

    blocks = shapes(network, only)
    figure, axis = plt.subplots(figsize=(max(6, 0.55 * len(blocks)), 3.2))
    left, tallest = 0.0, max((shape[0] for _, shape in blocks if len(shape) == 3), default=1)
    for name, shape in blocks:
        vector = len(shape) == 1
        height = 0.5 * tallest if vector else shape[0]
        width = 0.2 if vector else 0.35 + np.log2(shape[-1] + 1) / 4
        color = "0.45" if vector else "0.88"
        axis.add_patch(plt.Rectangle((left, -height / 2), width, height, facecolor=color, edgecolor="0.3", lw=0.6))
        text = f"{shape[0]}" if vector else f"{shape[0]}\n×{shape[-1]}"
        axis.text(left + width / 2, height / 2 + 0.02 * tallest, text, ha="center", va="bottom", fontsize=6)
        axis.text(left + width / 2, -tallest * 0.54, name, rotation=90, ha="center", va="top", fontsize=6)
        left += width + (0.75 if vector else 0.25)
    axis.set_xlim(-0.2, left)
    axis.set_ylim(-tallest * 1.05, tallest * 0.75)
    axis.axis("off")
    axis.set_title(title, fontsize=9)
    return figure
