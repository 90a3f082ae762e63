"""The rotator's formulas, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tfface.models import rotator_losses


def test_pose_error_sums_over_angles():
    a = tf.constant([[1.0, 2.0, 2.0], [0.0, 0.0, 1.0]])
    assert float(rotator_losses.pose_error(a, tf.zeros((2, 3)))) == pytest.approx((9 + 1) / 2)


def test_attribute_error_sums_over_known_ones():
    logits = tf.constant([[0.0, np.log(3.0), 50.0]])  # probabilities 1/2, 3/4, 1
    target = tf.constant([[1.0, 0.0, 0.0]])
    error = rotator_losses.attribute_error(logits, target, tf.constant([[1.0, 1.0, 0.0]]))
    assert float(error) == pytest.approx(np.log(2) + np.log(4), rel=1e-5)


def test_discriminators_say_real_or_not():
    logits = tf.constant([[0.0], [np.log(3.0)]])
    assert float(rotator_losses.real_or_not(logits, True)) == pytest.approx((np.log(2) + np.log(4 / 3)) / 2, rel=1e-5)
    assert float(rotator_losses.real_or_not(logits, False)) == pytest.approx((np.log(2) + np.log(4)) / 2, rel=1e-5)
