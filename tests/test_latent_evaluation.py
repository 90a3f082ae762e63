"""Scores of a code: a perfect one made with the renderer itself, the same one entangled, and pictures of light."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfface import latent_evaluation as evaluation
from tfface import latent_figures, page
from tfface.models.dcign import DCIGN
from tfface.synthetic import sampler

SIZE, PEOPLE = 24, 12
SETTINGS = sampler.Settings(**DCIGN.synthetic)
RANGES = np.array([86.0, 23.0, 80.0])


@pytest.fixture(scope="module")
def pool():
    return evaluation.draw_pool(SETTINGS, 0, PEOPLE, 6, SIZE, DCIGN.grey, progress=False)


class Perfect:
    """Looks the picture up, and renders what its code says: three factors as shares of their range, and the person."""

    grey = DCIGN.grey

    def __init__(self, pool, mixing=np.eye(3)):
        self.mixing, self.scenes = np.asarray(mixing), {}
        for scene, image in zip(pool.scenes, pool.images, strict=True):
            self.scenes[image.tobytes()] = scene
        self.people = [pool.scenes[number] for number in range(0, len(pool.scenes), 6)]
        for number, scene in enumerate(pool.scenes):  # the views that `novel_view` may ask for
            turned = evaluation.with_factor(self.people[number // 6], 0, scene.pose.yaw)
            self.scenes[evaluation.picture_of(turned, SIZE, self.grey).tobytes()] = turned

    def encode(self, images):
        codes = []
        for image in np.rint((np.asarray(images) + 1) * 127.5).astype(np.uint8):
            scene = self.scenes[image.tobytes()]
            person = [p.identity for p in self.people].index(scene.identity)
            shares = evaluation.factors_of([scene])[0] / RANGES
            codes.append([*(self.mixing @ shares), *np.eye(PEOPLE)[person]])
        return tf.constant(codes, tf.float32)

    def decode(self, codes):
        pictures = []
        for code in np.asarray(codes):
            scene = self.people[int(np.argmax(code[3:]))]
            for place, degrees in enumerate(np.linalg.solve(self.mixing, code[:3]) * RANGES):
                scene = evaluation.with_factor(scene, place, round(float(degrees), 3))
            pictures.append(evaluation.picture_of(scene, SIZE, self.grey))
        return tf.constant(np.stack(pictures) / 127.5 - 1, tf.float32)

    def places(self):
        return np.arange(3)


def test_the_pool_has_everybody_in_many_poses_and_lights(pool):
    assert pool.images.shape == (6 * PEOPLE, SIZE, SIZE, 3) and (pool.images[..., 0] == pool.images[..., 2]).all()
    assert np.unique(pool.factors[:, 0]).size == 6 * PEOPLE and (pool.factors.std(0) > 0.3 * RANGES).all()
    for person in range(PEOPLE):
        same = [pool.scenes[n].identity for n in np.flatnonzero(pool.person == person)]
        assert len(same) == 6 and len(set(same)) == 1 and sampler.role(same[0]) == "evaluation"


def test_a_factor_can_be_set_alone(pool):
    scene = pool.scenes[0]
    for place in range(3):
        changed = evaluation.with_factor(scene, place, 5.0)
        difference = evaluation.factors_of([changed])[0] - evaluation.factors_of([scene])[0]
        assert evaluation.factors_of([changed])[0][place] == 5.0 and np.flatnonzero(difference).tolist() == [place]
        assert dataclasses.replace(changed, pose=scene.pose, light=scene.light) == scene


def test_the_judge_sees_what_true_pictures_show(pool):
    judge = evaluation.Judge(pool.images[::2], pool.factors[::2])
    np.testing.assert_allclose(judge(pool.images[::2]), pool.factors[::2], atol=0.2 * RANGES.max())
    yaw = judge(pool.images[1::2])[:, 0]
    assert np.corrcoef(yaw, pool.factors[1::2, 0])[0, 1] > 0.7


def test_interventions_on_a_perfect_and_on_an_entangled_code(pool):
    perfect = Perfect(pool)
    good = evaluation.intervention(perfect, pool, evaluation.encode(perfect, pool.images))
    mixed = Perfect(pool, [[0.7, 0.0, 0.7], [0.0, 1.0, 0.0], [0.7, 0.0, -0.7]])
    bad = evaluation.intervention(mixed, pool, evaluation.encode(mixed, pool.images))
    assert good["view_azimuth"]["moved"] > bad["view_azimuth"]["moved"] + 0.1
    assert good["score"] > bad["score"]


def test_nothing_moves_where_the_latents_do_nothing(pool):
    class Ignored(Perfect):
        def decode(self, codes):
            return tf.zeros((len(codes), SIZE, SIZE, 3))

    scores = evaluation.intervention(Ignored(pool), pool, evaluation.encode(Perfect(pool), pool.images))
    assert scores["view_azimuth"] == {"moved": pytest.approx(0, abs=1e-9), "disturbed": pytest.approx(0, abs=1e-9)}


def test_a_perfect_code_renders_the_new_view_and_recognises_everybody(pool):
    model = Perfect(pool)
    codes = evaluation.encode(model, pool.images)
    found = evaluation.recognition(pool, codes, model.places())
    views = evaluation.novel_view(model, pool, codes)
    assert views["same_person"] == views["reconstruction"] == 0.0 < views["another"] < views["copy"]
    assert views["unchanged"] == views["copy"] and views["pictures"] > PEOPLE / 2
    assert found["shape_code"] == 1.0 > found["pixels"] and found["chance"] == pytest.approx(1 / PEOPLE)


def test_mean_squared_error_is_of_numbers_from_0_to_1():
    assert evaluation.mean_squared_error(np.uint8([0, 255]), np.uint8([255, 255])) == 0.5


def test_table_and_plots_of_two_runs():
    scores = {
        "reconstruction_mse": 0.01, "information": [1.0, 2.0, 3.0],
        "inferred": {name: [[0.0, 1.0], [0.5, 0.7]] for name in ("view_azimuth", "view_elevation", "light_azimuth")},
    }  # fmt: skip
    head, rows = latent_figures.table({"ours": scores, "plain": scores})
    assert head == ["", "ours", "plain"] and rows[0] == ["reconstruction, MSE", 0.01, 0.01]
    assert "0.0100" in page.table(head, rows, ".4f")
    assert latent_figures.inferred_against_true({"ours": scores, "plain": scores}).startswith(b"\x89PNG")
