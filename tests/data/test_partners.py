"""Partners that belong to a picture: answers to an edit, frontal views, batches in which one factor varies."""

import logging

import numpy as np
import pytest

from tfface import conventions
from tfface.data import index, pipeline, records
from tfface.errors import InputError
from tfface.synthetic.sampler import FACTOR_BATCH, FACTORS

SIZE = 16


def record(number, group, **values):
    """Red tells the record, green its group; the left edge is blue, so that a mirrored picture shows."""
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[..., 0], image[..., 1], image[:, 0, 2] = number, group, 255
    rng = np.random.default_rng(number)
    return {
        "image": image,
        "action_units": rng.uniform(0, 5, 17),
        "attributes": rng.integers(0, 2, 40),
        "pose": rng.uniform(-40, 40, 3),
        "light": rng.uniform(-40, 40, 2),
        "landmarks": rng.uniform(2, SIZE - 2, (68, 2)),
        "identity": group,
        "source": f"{number}.png",
        **values,
    }


def write(directory, rows, **settings):
    with records.RecordWriter(directory, image_size=SIZE, settings=settings) as writer:
        for row in rows:
            writer.write(row)
    return records.open_dataset(directory)


def take(dataset, batch_size, count, **settings):
    batches = pipeline.training_batches(dataset, batch_size, **{"image_size": SIZE, "seed": 1, **settings})
    return list(batches.take(count).as_numpy_iterator())


def shown(pictures):
    """Returns (number, group, mirrored) of pictures."""
    pixels = np.rint((pictures + 1) * 127.5).astype(int)
    return pixels[:, 0, SIZE // 2, 0], pixels[:, 0, SIZE // 2, 1], pixels[:, 0, 0, 2] == 0


def assert_labels(batch, prefix=""):
    """Each label is that of the record which the picture shows, mirrored if the picture is."""
    numbers, groups, mirrored = shown(batch[f"{prefix}image"])
    for i, (number, group) in enumerate(zip(numbers, groups, strict=True)):
        truth = record(number, group)
        if mirrored[i]:
            truth["pose"] = conventions.mirror_pose(truth["pose"])
            truth["light"] = conventions.mirror_light(truth["light"])
            truth["landmarks"] = conventions.mirror_landmarks(truth["landmarks"], SIZE)
        truth["action_units"] = truth["action_units"] / 5
        for key in ("pose", "light", "landmarks", "action_units", "attributes"):
            np.testing.assert_allclose(batch[prefix + key][i], truth[key], rtol=1e-5, err_msg=prefix + key)


# -- answers -----------------------------------------------------------------------------------------------------------


LABELS = ("action_units", "attributes", "pose", "light", "landmarks")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Three pictures each of forty scenes, of which pose, light and landmarks are known."""
    rows = [record(n, n // 3, view=f"answer/{n // 3:06d}") for n in range(3 * 40)]
    return write(tmp_path_factory.mktemp("answers"), rows, vary="pose")


def test_answers_bring_all_asked_labels_mirrored_with_their_picture(rendered):
    mirrors = set()
    for batch in take(rendered, 6, 8, answers=True, keys=("image", *LABELS), partners=LABELS):
        (number, group, mirrored), (other, its_group, alike) = shown(batch["image"]), shown(batch["target_image"])
        np.testing.assert_array_equal(group, its_group)
        np.testing.assert_array_equal(mirrored, alike)
        assert (number != other).all()
        assert_labels(batch)
        assert_labels(batch, "target_")
        mirrors |= set(mirrored)
    assert mirrors == {True, False}


def test_too_few_people_for_answers_are_warned_of(tmp_path, caplog):
    rows = [record(n, n // 3, view=f"answer/{n // 3:06d}") for n in range(3 * 10)]
    with caplog.at_level(logging.WARNING):
        (batch,) = take(write(tmp_path, rows, answers=3, vary="pose"), 4, 1, answers=True, partners=("pose",))
    assert "fewer than 16 people" in caplog.text and "target_image" not in batch


def test_answers_to_what_is_not_asked_are_warned_of(rendered, caplog):
    with caplog.at_level(logging.WARNING):
        take(rendered, 4, 1, answers=True, partners=("pose",))
    assert "no true answers" not in caplog.text
    with caplog.at_level(logging.WARNING):
        (batch,) = take(rendered, 4, 1, answers=True, partners=("attributes",))
    assert "differ in pose, which is not asked for" in caplog.text
    assert "target_image" in batch and "target_pose" not in batch


# -- frontal views -----------------------------------------------------------------------------------------------------


def test_views_are_named_and_numbered():
    assert records.split_view("frontal") == ("frontal", -1)
    assert records.split_view("-60/000012") == ("-60", 12)
    assert records.split_view("60") == ("60", -1)
    assert [view for view in ("frontal", "0", "0/000003", "frontal/1", "turned", "answer/0", "60", "") if
            records.is_frontal(view)] == ["frontal", "0", "0/000003", "frontal/1"]  # fmt: skip


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    """Rounds of three views; a person has two of them, with other expressions."""
    views = ("turned", "frontal", "60")
    rows = [record(n, n // 3, view=views[n % 3], identity=n // 6) for n in range(180)]
    return write(tmp_path_factory.mktemp("views"), rows, views=views)


def test_the_frontal_view_of_the_same_round_is_the_partner(turned):
    seen = set()
    settings = {"pairs": "frontal", "keys": ("image", *LABELS, "identity"), "partners": LABELS[1:] + ("action_units",)}
    for batch in take(turned, 12, 14, **settings):
        (number, group, mirrored), (other, its_group, alike) = shown(batch["image"]), shown(batch["target_image"])
        np.testing.assert_array_equal(group, its_group)
        np.testing.assert_array_equal(mirrored, alike)
        np.testing.assert_array_equal(other, 3 * group + 1)
        assert_labels(batch, "target_")
        seen |= set(number)
    assert seen == {r["image"][0, 0, 0] for r in turned.records("train")}  # frontal ones too


def test_frontal_pairs_need_no_partner_keys_and_move_together(turned):
    moves = set()
    for batch in take(turned, 6, 4, pairs="frontal", keys=("image",), partners=(), shift=3, flip=False):
        assert set(batch) == {"image", "target_image", "index"}
        np.testing.assert_array_equal(batch["image"][..., 2], batch["target_image"][..., 2])  # the marked left edge
        moves |= set(np.argmax(batch["image"][:, 0, :, 2], 1))
    assert len(moves) > 2


def test_frontal_pairs_resume_exactly(turned):
    settings = {"pairs": "frontal", "keys": ("image",), "partners": ("landmarks",), "shift": 2}
    whole = take(turned, 7, 40, **settings)  # more than one epoch
    for first in (3, 30):
        for ours, expected in zip(take(turned, 7, 4, first_step=first, **settings), whole[first:], strict=False):
            for key in expected:
                np.testing.assert_array_equal(ours[key], expected[key])


def test_photos_pair_by_identity_or_by_the_number_of_their_view(tmp_path, caplog):
    by_identity = [
        record(0, 1, view="frontal"), record(1, 1, view="frontal"), record(2, 1), record(3, 2), record(4, -1 % 256),
        record(5, 3, view="frontal"),
    ]  # fmt: skip
    by_identity[4]["identity"] = -1
    # Identity 3 twice more, in two lights: numbers join what belongs together, whoever it is.
    numbered = [record(6 + n, 7 + n // 2, identity=3, view=f"{(-45, 0)[n % 2]}/{n // 2:06d}") for n in range(4)]
    dataset = write(tmp_path / "d", by_identity + numbered)
    with caplog.at_level(logging.WARNING):
        batches = take(dataset, 8, 2, split=None, pairs="frontal", keys=("image",), partners=(), flip=False)
    assert "left out of 10 records: 2 without a frontal view" in caplog.text
    found = {}
    for batch in batches:
        for number, other in zip(shown(batch["image"])[0], shown(batch["target_image"])[0], strict=True):
            found.setdefault(int(number), set()).add(int(other))
    # Two epochs: of several frontal views each has its turn.
    assert found == {0: {0, 1}, 1: {0, 1}, 2: {0, 1}, 5: {5}, 6: {7}, 7: {7}, 8: {9}, 9: {9}}


def test_without_frontal_views_there_is_nothing_to_learn_from(tmp_path):
    dataset = write(tmp_path / "d", [record(n, n, view="turned") for n in range(9)])
    with pytest.raises(InputError, match="9 without a frontal view"):
        take(dataset, 2, 1, split=None, pairs="frontal", keys=("image",))


# -- batches in which one factor varies --------------------------------------------------------------------------------


def factor_rows(batches):
    """Batches of the four factors in turn; all pictures of a batch but those of "shape" show one person."""
    for batch in range(batches):
        factor = FACTORS[batch % 4]
        for n in range(FACTOR_BATCH):
            number = batch * FACTOR_BATCH + n
            identity = number if factor == "shape" else batch * FACTOR_BATCH
            yield record(n, batch, identity=identity, view=f"{factor}/{batch:06d}")


@pytest.fixture(scope="module")
def factors(tmp_path_factory):
    return write(tmp_path_factory.mktemp("factors"), factor_rows(60), factor="all")


GROUPED = {"groups": FACTOR_BATCH, "keys": ("image", "pose", "light"), "partners": ()}


def batches_of(dataset, count, **settings):
    """Returns ``[(batch number, factor)]`` after checking that each batch is a whole one, treated alike."""
    found = []
    for batch in take(dataset, FACTOR_BATCH, count, **{**GROUPED, **settings}):
        numbers, groups, mirrored = shown(batch["image"])
        np.testing.assert_array_equal(numbers, range(FACTOR_BATCH))
        assert len(set(groups)) == 1 and len(set(mirrored)) == 1 and len(set(batch["factor"])) == 1
        assert batch["factor"].dtype == np.int64 and batch["factor"].shape == (FACTOR_BATCH,)
        found.append((int(groups[0]), int(batch["factor"][0])))
    return found


def test_a_batch_is_one_whole_run_of_its_factor(factors):
    in_train = sorted({r["image"][0, 0, 1] for r in factors.records("train")})
    assert 45 < len(in_train) < 60
    found = batches_of(factors, 2 * len(in_train))
    assert all(number % 4 == factor for number, factor in found)
    first, second = found[: len(in_train)], found[len(in_train) :]
    assert sorted(number for number, _ in first) == sorted(number for number, _ in second) == in_train
    assert first != second and first != sorted(first)


def test_runs_are_held_out_whole(factors):
    splits = {}
    for split in ("train", "test"):
        splits[split] = {r["image"][0, 0, 1] for r in factors.records(split)}
        assert set(index.RecordIndex(factors, split, ("image",)).numbers // FACTOR_BATCH) == splits[split]
    assert not splits["train"] & splits["test"] and len(splits["train"] | splits["test"]) == 60


def test_factors_are_drawn_in_the_asked_ratio_and_resume_exactly(factors):
    found = batches_of(factors, 39, ratio=(1, 1, 1, 10))
    for start in (0, 13, 26):
        drawn = [factor for _, factor in found[start : start + 13]]
        assert [drawn.count(factor) for factor in range(4)] == [1, 1, 1, 10]
    shapes = [number for number, factor in found if factor == 3]
    count = len(index.RecordIndex(factors, "train", ()).factor_batches(FACTOR_BATCH)[3])
    assert 10 < count < 16 and len(set(shapes[:count])) == count == len(set(shapes[count : 2 * count]))
    for settings in ({"ratio": (1, 1, 1, 10)}, {}):
        whole = take(factors, FACTOR_BATCH, 20, **GROUPED, **settings)
        (ours,) = take(factors, FACTOR_BATCH, 1, first_step=17, **GROUPED, **settings)
        for key in ours:
            np.testing.assert_array_equal(ours[key], whole[17][key])


def test_factor_batches_mirror_their_labels(factors):
    mirrors = set()
    for batch in take(factors, FACTOR_BATCH, 6, **GROUPED):
        numbers, groups, mirrored = shown(batch["image"])
        truth = [record(n, g)["pose"] for n, g in zip(numbers, groups, strict=True)]
        sign = (-1, 1, -1) if mirrored[0] else (1, 1, 1)
        np.testing.assert_allclose(batch["pose"], np.array(truth) * sign, rtol=1e-5)
        mirrors.add(bool(mirrored[0]))
    assert mirrors == {True, False}


def test_batches_that_are_not_whole_are_left_out(tmp_path):
    rows = list(factor_rows(40))
    rows[5]["pose"] = None
    dataset = write(tmp_path / "d", rows, factor="all")
    assert sorted(number for number, _ in batches_of(dataset, 39, split=None)) == list(range(1, 40))
    plain = write(tmp_path / "plain", [record(n, 0) for n in range(20)])
    with pytest.raises(InputError, match="no batch of 20 pictures.*--factor all"):
        take(plain, FACTOR_BATCH, 1, split=None, **GROUPED)


@pytest.mark.parametrize(
    "settings",
    [{"groups": 10}, {"groups": 20, "partners": ("pose",)}, {"groups": 20, "answers": True},
     {"pairs": "frontal", "answers": True}, {"pairs": "side"}, {"groups": 20, "pairs": "frontal"}],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(factors, settings):
    with pytest.raises(ValueError, match="go together|cannot be one"):
        pipeline.training_batches(factors, 20, image_size=SIZE, seed=0, keys=("image",), **{"partners": (), **settings})
