"""Appearance flow: a network takes pixels of the picture it edits, wherever it says they are, and paints the rest.

Zhou et al. 2016, "View Synthesis by Appearance Flow". A picture that comes from a short code alone shows somebody
alike; pixels taken from the picture show the person. The mirrored picture is a second source: half of a turned face is
hidden, and what is hidden looks much like the mirrored other half.
"""

import keras
import tensorflow as tf
from keras import layers

from tfface import losses
from tfface.conventions import LANDMARK_MIRROR

FLOW_UNIT = 0.03  # picture widths that an output of 1 moves a pixel: an update of the weights moves it a pixel or so


def heads(x, mirror=False):
    """Returns what the last maps of a painting network say of where its picture comes from, by name.

    Weights are zero at first: the network starts with the picture as it is, because from places at random nothing can
    be learnt.

    Args:
        x: (batch, height, width, channels), symbolic.
        mirror: whether pixels come from the mirrored picture too.

    Returns:
        flow: (batch, height, width, 2), from where in the picture each pixel is taken, right and down of its own place
            in picture widths.
        keep: (batch, height, width, 1), the share of it in 0-1.
        With `mirror` also mirror_flow and mirror_keep, the same for the mirrored picture. What the shares leave is
        painted.
    """
    maps = layers.Conv2D(
        6 if mirror else 3, 3, padding="same", kernel_initializer="zeros", dtype="float32", name="warp"
    )(x)
    flow = FLOW_UNIT * maps[..., :2]
    if not mirror:
        return {"flow": flow, "keep": keras.ops.sigmoid(maps[..., 2:] + 1.0)}
    logits = keras.ops.concatenate(  # of the picture, the mirrored one and what is painted
        [maps[..., 2:3] + 1.0, maps[..., 5:], keras.ops.zeros_like(maps[..., :1])], -1
    )
    shares = keras.ops.softmax(logits)
    return {
        "flow": flow,
        "keep": shares[..., :1],
        "mirror_flow": FLOW_UNIT * maps[..., 3:5],
        "mirror_keep": shares[..., 1:2],
    }


def shown(said, painted, image, take):
    """Returns the picture that `said`, the outputs of `heads`, makes of what is `painted` and of `image`.

    Args:
        take: an `AppearanceFlow`.
    """
    taken = said["keep"] * take(image, said["flow"])
    left = 1.0 - said["keep"]
    if "mirror_keep" in said:
        taken += said["mirror_keep"] * take(keras.ops.flip(image, 2), said["mirror_flow"])
        left -= said["mirror_keep"]
    return taken + left * painted


@keras.saving.register_keras_serializable(package="tfface")
class AppearanceFlow(layers.Layer):
    """Takes each pixel from another place of a picture, bilinearly; places outside are those on the border.

    Inputs: picture (batch, height, width, channels) and flow (batch, height, width, 2), right and down, in picture
    widths. Output: as the picture.
    """

    # Given, because Keras takes a scaled slice for sparse and cannot trace `call` with it.
    def compute_output_shape(self, image_shape, flow_shape):
        return image_shape

    def call(self, image, flow):
        height, width = image.shape[1:3]
        x = tf.range(width, dtype=flow.dtype)[None, None, :] + flow[..., 0] * width
        y = tf.range(height, dtype=flow.dtype)[None, :, None] + flow[..., 1] * width
        x, y = tf.clip_by_value(x, 0.0, width - 1.0), tf.clip_by_value(y, 0.0, height - 1.0)
        left, top = tf.stop_gradient(tf.floor(x)), tf.stop_gradient(tf.floor(y))
        across, down = (x - left)[..., None], (y - top)[..., None]
        left, top = tf.cast(left, tf.int32), tf.cast(top, tf.int32)
        right, bottom = tf.minimum(left + 1, width - 1), tf.minimum(top + 1, height - 1)
        pixels = tf.reshape(image, [-1, height * width, image.shape[-1]])

        def at(row, column):
            return tf.gather(pixels, row * width + column, batch_dims=1)

        upper = at(top, left) * (1 - across) + at(top, right) * across
        lower = at(bottom, left) * (1 - across) + at(bottom, right) * across
        return upper * (1 - down) + lower * down


def flow_loss(said, landmarks, target_landmarks):
    """How far from a face's landmarks those of its answer are taken: the sum of `flow_error` over both sources.

    A picture's gradient shows a flow only its next pixel, landmarks show it where to go.

    Args:
        said: outputs of `heads`.
        landmarks, target_landmarks: (batch, 68, 2) pixels of the picture and of the answer.
    """
    loss = flow_error(said["flow"], landmarks, target_landmarks)
    if "mirror_flow" in said:
        loss += flow_error(said["mirror_flow"], mirror_points(landmarks, said["flow"].shape[1]), target_landmarks)
    return loss


def flow_error(flow, landmarks, target_landmarks):
    """How far from a face's landmarks those of its answer are taken: mean of the absolute differences along x and y.

    Args:
        flow: (batch, size, size, 2), as `heads` gives it.
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
