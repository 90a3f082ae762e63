"""What happens to pictures on their way to a discriminator, so that it cannot learn few of them by heart."""

import tensorflow as tf


def shift(image, share, moves):
    """Moves pictures by whole pixels; at the borders they go on mirrored.

    Real and edited pictures alike, with gradients through to the edits, so that the generator has no reason to imitate
    it (Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training", section 3.2).

    Args:
        image: (batch, height, width, channels).
        share: of height and width, the longest way in either direction, 0 to 1.
        moves: (batch, 2), how far each goes down and across, random numbers in [0, 1); the middle is not at all.
    """
    for axis in (1, 2):
        size = image.shape[axis]
        longest = int(share * size)
        offsets = tf.cast(tf.floor(moves[:, axis - 1 : axis] * (2 * longest + 1)), tf.int32) - longest
        places = tf.abs(tf.range(size)[None] - offsets)
        places = size - 1 - tf.abs(size - 1 - places)
        image = tf.gather(image, places, axis=axis, batch_dims=1)
    return image
