"""The face descriptor: chips, distances on rendered and on real people, gradients."""

import cv2
import numpy as np
import tensorflow as tf

from tfface import chips, identity
from tfface.synthetic import camera, people
from tfface.synthetic.render import render
from tfface.synthetic.scene import Light, Pose, Scene, action_units


def _pictures(person, seed):
    rng = np.random.default_rng(seed)
    smile = action_units(AU06=rng.uniform(0, 3), AU12=rng.uniform(0, 3))
    pose, view = camera.aligned(people.person(person, ()).shape, Pose(rng.uniform(-15, 15), 0, 0), margin=1.25)
    return render(Scene(person, smile, (), pose, Light(rng.uniform(-30, 30)), view), 160)


def test_chip_matrix_undoes_a_similarity():
    drawn = _pictures(3, 0)
    turned = drawn.landmarks @ (1.7 * np.array([[0.9, -0.2], [0.2, 0.9]])).T + [31, -7]
    first, second = chips.chip_matrix(drawn.landmarks), chips.chip_matrix(turned)
    at = drawn.landmarks @ first[:, :2].T + first[:, 2]
    np.testing.assert_allclose(turned @ second[:, :2].T + second[:, 2], at, atol=1e-3)
    eyes = at[36:48].mean(0)
    assert abs(eyes[0] - 75) < 8 and 40 < eyes[1] < 65


def test_a_larger_picture_gives_nearly_the_same_chip():
    drawn = _pictures(3, 0)
    large = cv2.resize(drawn.image, (480, 480), interpolation=cv2.INTER_CUBIC)
    difference = chips.chip(large, drawn.landmarks * 3).astype(float) - chips.chip(drawn.image, drawn.landmarks)
    assert np.abs(difference).mean() < 3


def test_one_person_is_nearer_than_another():
    drawn = [_pictures(person, seed) for person in (1, 2, 4, 7) for seed in (0, 1)]
    found = identity.describe([d.image for d in drawn], [d.landmarks for d in drawn])
    far = np.linalg.norm(found[:, None] - found[None], axis=-1)
    same = far[np.arange(0, 8, 2), np.arange(1, 8, 2)]
    different = far[::2, 1::2][~np.eye(4, dtype=bool)]
    assert same.mean() < 0.42 and different.mean() > same.mean() + 0.12


def test_gradient_reaches_the_pixels():
    chips = tf.constant(np.random.default_rng(0).uniform(0, 255, (1, 150, 150, 3)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(chips)
        score = tf.reduce_sum(identity.embed(chips) ** 2)
    assert float(tf.reduce_max(tf.abs(tape.gradient(score, chips)))) > 0


def test_real_people_are_told_apart(real_data):
    from tfface import faces, images

    landmarker = faces.Landmarker()
    pictures, points = [], []
    names = sorted(path.name for path in (real_data / "london" / "neutral").glob("*.jpg"))[:6]
    for folder in ("neutral", "smiling"):
        for name in names:
            picture = images.read_image(real_data / "london" / folder / name)
            pictures.append(picture)
            points.append(landmarker.find(picture)[0].landmarks)
    found = identity.describe(pictures, points)
    far = np.linalg.norm(found[: len(names), None] - found[None, len(names) :], axis=-1)
    assert (far.argmin(1) == np.arange(len(names))).all()
    assert np.diag(far).mean() < 0.35 and far[~np.eye(len(names), dtype=bool)].mean() > 0.7
