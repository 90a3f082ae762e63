"""Readers learn what they can, in closed form, and survive being packed."""

import numpy as np
import pytest

from tfface.annotating import fitting, readers
from tfface.conventions import ATTRIBUTES


def made(count=300, seed=0):
    """Blocks in which the answers are hidden: linear in one, curved in another."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(count, 5))
    answers = np.clip(hidden[:, :2] * 1.5 + 0.5, 0, 5)

    def mixed(width, scale, noise):
        mixing = np.random.default_rng(width).normal(size=(5, width))  # the same in every set
        return ((np.tanh(hidden) @ mixing + noise * rng.normal(size=(count, width))) * scale + 3).astype(np.float32)

    blocks = {"distances": mixed(120, 1.0, 0.1), "gabor": mixed(130, 50.0, 0.1), "fine": mixed(40, 0.01, 0.1)}
    return blocks, answers


def test_linear_reader_is_the_ridge_regression_and_blocks_count_alike():
    blocks, answers = made()
    reader = fitting.linear(blocks, ("distances", "fine"), answers, 1.0)
    test, truth = made(seed=1)
    found = reader(test)
    assert np.corrcoef(found[:, 0], truth[:, 0])[0, 1] > 0.85
    # A block in other units is read alike.
    scaled = fitting.linear({**blocks, "fine": blocks["fine"] * 1000}, ("distances", "fine"), answers, 1.0)
    np.testing.assert_allclose(scaled({**test, "fine": test["fine"] * 1000}), found, rtol=0.01, atol=0.01)


def test_discriminant_gives_the_mean_intensity_of_the_classes():
    blocks, answers = made()
    reader = fitting.discriminant(blocks, answers)
    test, truth = made(seed=1)
    found = reader(test)
    assert found.shape == truth.shape and np.corrcoef(found[:, 1], truth[:, 1])[0, 1] > 0.85
    assert (found >= -1e-6).all() and (found <= reader.levels.max() + 1e-6).all()
    np.testing.assert_allclose(reader.levels[:, 0], 0)  # absent


@pytest.mark.parametrize("fit", [lambda b, a: fitting.linear(b, tuple(b), a, 0.5), fitting.discriminant])
def test_packing_hardly_changes_the_answers(fit):
    blocks, answers = made()
    reader = fit(blocks, answers)
    again = readers.unpack(readers.pack(reader))
    assert np.abs(again(blocks) - reader(blocks)).mean() < 0.02  # of 5


def test_calibration_gives_the_truths_mean_and_spread():
    rng = np.random.default_rng(0)
    truth = np.clip(rng.normal(0, 2, (4000, 2)), 0, 5)
    found = truth * 0.5 + rng.normal(0, 0.4, truth.shape) + 0.3
    gain, offset = fitting.calibrate_intensities(found, truth)
    shown = np.clip(found * gain + offset, 0, 5)
    np.testing.assert_allclose(shown.std(0), truth.std(0), rtol=0.1)
    np.testing.assert_allclose(shown.mean(0), truth.mean(0), atol=0.25)


def test_attributes_learn_only_from_what_is_known():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(400, 4)).astype(np.float32)
    labels = np.full((400, 40), -1)
    male, bald = ATTRIBUTES.index("Male"), ATTRIBUTES.index("Bald")
    labels[:200, male], labels[:, bald] = scores[:200, 0] > 0, 0
    blocks = {name: scores for name in ("descriptor", "texture", "colour")}
    names = fitting.known_attributes(labels)
    assert names == ["Male"]  # nobody is bald here
    reader = fitting.attribute_reader(blocks, labels, names)
    found = reader(blocks)
    gain, offset = fitting.calibrate_attributes(found, labels, names)
    probability = 1 / (1 + np.exp(-(found * gain + offset)))
    assert ((probability[200:, 0] > 0.5) == (scores[200:, 0] > 0)).mean() > 0.95


def test_held_out_people_are_whole():
    people = np.repeat(np.arange(120) * 7, 4)
    aside = fitting.split(people)
    assert aside.sum() == 40 and (aside.reshape(-1, 4).all(1) | ~aside.reshape(-1, 4).any(1)).all()
