"""The loss terms of `tfface.models.rotator`, pure functions."""

import tensorflow as tf

from tfface import losses
from tfface.conventions import LANDMARK_MIRROR


def real_or_not(logits, real):
    """Mean of ``-log D`` for logits that should say real, of ``-log(1 - D)`` for the others."""
    return tf.reduce_mean(tf.nn.softplus(-logits if real else logits))


def pose_error(a, b):
    """Squared difference of (batch, 3) poses, summed over angles, mean over the batch (eqs. 6 and 7)."""
    return tf.reduce_mean(tf.reduce_sum(tf.square(a - b), -1))


def attribute_error(logits, target, known):
    """Cross entropy of (batch, 40) logits and targets in 0-1, summed over the `known` ones, mean over the batch."""
    each = tf.nn.sigmoid_cross_entropy_with_logits(target, logits)
    return tf.reduce_mean(tf.reduce_sum(known * each, -1))


def flow_error(flow, landmarks, target_landmarks):
    """How far from a face's landmarks those of its answer are taken: mean of the absolute differences along x and y.

    Args:
        flow: (batch, size, size, 2), as G gives it.
        landmarks, target_landmarks: (batch, 68, 2) pixels of the picture and of the answer. The jaw's 17 are left out:
            they are where the outline is, which is another part of the skin at each pose.
    """
    size = flow.shape[1]
    source, target = landmarks[:, 17:], target_landmarks[:, 17:]
    place = tf.clip_by_value(tf.cast(target[..., ::-1], tf.int32), 0, size - 1)
    return losses.l1(tf.gather_nd(flow, place, batch_dims=1), (source - target) / size)


def mirror_points(landmarks, size):
    """Returns the (batch, 68, 2) landmarks of mirrored pictures that are `size` pixels wide."""
    across, down = tf.unstack(tf.gather(landmarks, LANDMARK_MIRROR, axis=1), axis=-1)
    return tf.stack([size - across, down], -1)
