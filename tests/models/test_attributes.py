import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfface import attribute_rules
from tfface.conventions import ATTRIBUTES
from tfface.models.attributes import known_targets, settled


@given(st.lists(st.sampled_from(ATTRIBUTES), min_size=1, unique=True), st.integers(0, 2**32 - 1))
def test_settled_is_that_of_the_rules(names, seed):
    probabilities = np.random.default_rng(seed).uniform(size=(4, len(names))).astype(np.float32)
    expected = [
        list(attribute_rules.settled(dict(zip(names, row.tolist(), strict=True))).values()) for row in probabilities
    ]
    found = settled(probabilities, attribute_rules.exclusions(names))
    np.testing.assert_array_equal(found, np.array(expected, np.float32))


def test_targets_keep_what_they_do_not_know_unless_it_is_excluded():
    exclusions = attribute_rules.exclusions(("Eyeglasses", "Bald", "Bangs", "Male"))  # Bald and Bangs each other
    source = tf.constant([[1.0, 0.0, 1.0, 0.5], [1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    target = tf.constant([[0.5, 1.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.5], [1.0, 0.5, 1.0, 0.5]])
    expected = [[1, 1, 0, 0.5], [0, 0, 1, 1], [1, 0, 1, 0]]
    np.testing.assert_array_equal(known_targets(target, source, exclusions), expected)
