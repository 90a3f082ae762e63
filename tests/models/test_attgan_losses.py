"""AttGAN's losses of attributes and of true answers, by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfface.models.attgan import answer_loss, attribute_loss


def test_attribute_loss_by_hand():
    logits = tf.constant([[0.0, math.log(3)], [math.log(3), 5.0], [1.0, 1.0]])
    attributes = tf.constant([[1.0, 0.0], [1.0, 0.5], [0.5, 0.5]])
    # Logit 0 costs ln 2, the logit of 3/4 costs ln(4/3) or ln 4; of the third picture nothing is known.
    expected = ((math.log(2) + math.log(4)) / 2 + math.log(4 / 3) + 0) / 3
    assert float(attribute_loss(logits, attributes)) == pytest.approx(expected, rel=1e-6)


def test_unknown_attributes_have_no_gradient():
    logits = tf.Variable([[0.3, -0.2, 1.0]])
    with tf.GradientTape() as tape:
        loss = attribute_loss(logits, tf.constant([[1.0, 0.5, 0.0]]))
    gradient = tape.gradient(loss, logits).numpy()[0]
    assert gradient[1] == 0 and gradient[0] < 0 < gradient[2]


def test_answer_loss_by_hand():
    image = np.zeros((2, 8, 8, 3), np.float32)
    truth = image.copy()
    truth[0, 2, 2] = 0.5  # with the pixels around it: 9 of 64 change
    edit = tf.zeros_like(image)
    # Of the one wrong pixel: 0.5, weighed by 1/2 + 1/2 / (9/64 + 0.01), over 64 pixels and two pictures.
    expected = 0.5 * (0.5 + 0.5 / (9 / 64 + 0.01)) / 64 / 2
    assert float(answer_loss(edit, truth, image, tf.ones(2))) == pytest.approx(expected, rel=1e-5)
    assert float(answer_loss(edit, truth, image, tf.constant([0.0, 1.0]))) == 0
