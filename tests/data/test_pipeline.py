"""Batches: pure functions of seed and step, in model units, mirrored and moved with their labels."""

import logging

import numpy as np
import pytest
import tensorflow as tf

from tfface import conventions
from tfface.data import pipeline, records
from tfface.errors import InputError

SIZE = 32
ALL = tuple(key for key in records.KEYS if key not in records.TEXTS)


def record(number):
    """A picture whose red channel is the record's number, with a white dot at each landmark."""
    rng = np.random.default_rng(number)
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[..., 0] = number
    landmarks = rng.permutation(SIZE * SIZE)[:68]
    landmarks = np.stack([landmarks % SIZE, landmarks // SIZE], 1)
    for i, (x, y) in enumerate(landmarks):
        image[y, x, 1] = 100 + i
    return {
        "image": image,
        "mask": (image[..., 1] > 0).astype(np.uint8) * 255,
        "occluder": np.full((SIZE, SIZE), number, np.uint8),
        "action_units": rng.uniform(0, 5, 17),
        "attributes": rng.integers(-1, 2, 40),
        "pose": rng.uniform(-40, 40, 3),
        "light": rng.uniform(-40, 40, 2),
        "landmarks": landmarks + 0.5,
        "landmarks_visible": rng.integers(0, 2, 68),
        "identity": number,
        "embedding": rng.normal(size=128),
        "confidence": 0.9,
        "source": f"{number}.png",
        "scene": f'{{"number": {number}}}',
    }


def write(directory, rows):
    with records.RecordWriter(directory, image_size=SIZE, shard_records=16) as writer:
        for row in rows:
            writer.write(row)
    return records.open_dataset(directory)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write(tmp_path_factory.mktemp("pipeline") / "d", [record(n) for n in range(50)])


def take(batches, count):
    return list(batches.take(count).as_numpy_iterator())


def same(a, b):
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key])


def train_numbers(dataset):
    return [r["identity"] for r in dataset.records("train", images=False)]


def test_shapes_types_and_ranges(dataset):
    (batch,) = take(
        pipeline.training_batches(
            dataset, 4, image_size=SIZE, seed=0, keys=ALL, partners=("action_units", "attributes")
        ),
        1,
    )
    shapes = {key: value.shape[1:] for key, value in batch.items()}
    assert shapes == {
        "image": (SIZE, SIZE, 3), "mask": (SIZE, SIZE, 1), "occluder": (SIZE, SIZE, 1), "action_units": (17,),
        "attributes": (40,), "pose": (3,), "light": (2,), "landmarks": (68, 2), "landmarks_visible": (68,),
        "identity": (), "embedding": (128,), "confidence": (), "target_action_units": (17,),
        "target_attributes": (40,), "index": (),
    }  # fmt: skip
    for key, value in batch.items():
        whole = key in ("identity", "landmarks_visible", "index")
        assert value.dtype == (np.int64 if whole else np.float32), key
    number = batch["identity"][0]
    np.testing.assert_allclose(batch["image"][0, 0, 0, 0], number / 127.5 - 1, rtol=1e-6)
    np.testing.assert_allclose(batch["action_units"][0], record(number)["action_units"] / 5, rtol=1e-6)
    np.testing.assert_array_equal(
        batch["attributes"][0], np.where(record(number)["attributes"] < 0, 0.5, record(number)["attributes"])
    )
    assert set(np.unique(batch["mask"])) == {0.0, 1.0}
    np.testing.assert_array_equal(batch["index"], range(4))


def test_resume_gives_the_same_batches(dataset):
    def batches(first):
        return pipeline.training_batches(dataset, 7, image_size=24, seed=5, first_step=first, keys=ALL, shift=3)

    whole = take(batches(0), 20)  # crosses the end of an epoch more than once
    for first in (1, 6, 13):
        for ours, expected in zip(take(batches(first), 3), whole[first:], strict=False):
            same(ours, expected)


def test_another_seed_is_another_order_and_augmentation(dataset):
    a, b = (
        take(pipeline.training_batches(dataset, 16, image_size=SIZE, seed=s, keys=("image", "identity")), 1)[0]
        for s in (1, 2)
    )
    assert (a["identity"] != b["identity"]).any()


def test_every_record_once_in_an_epoch_in_a_new_order(dataset):
    numbers = train_numbers(dataset)
    count = len(numbers)
    a, b = take(
        pipeline.training_batches(dataset, count, image_size=SIZE, seed=1, keys=("identity",), partners=("identity",)),
        2,
    )
    for epoch in (a, b):
        assert sorted(epoch["identity"]) == numbers
        assert sorted(epoch["target_identity"]) == numbers
        assert (epoch["identity"] != epoch["target_identity"]).mean() > 0.8
    assert (a["identity"] != b["identity"]).any()
    # The order does not depend on the batch size: examples are counted from the start.
    ones = take(pipeline.training_batches(dataset, 1, image_size=SIZE, seed=1, keys=("identity",), partners=()), 5)
    assert [batch["identity"][0] for batch in ones] == list(a["identity"][:5])


def test_threads_change_nothing(dataset):
    results = []
    for threads in (1, 8):
        batches = pipeline.training_batches(dataset, 8, image_size=SIZE, seed=2, keys=ALL, shift=2)
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        results.append(take(batches.with_options(options), 6))
    for a, b in zip(*results, strict=True):
        same(a, b)


def test_flip_takes_all_labels_along(dataset):
    keys = tuple(key for key in ALL if key != "occluder")
    batches = take(pipeline.training_batches(dataset, 24, image_size=SIZE, seed=3, keys=keys), 1)
    plain = take(pipeline.training_batches(dataset, 24, image_size=SIZE, seed=3, keys=keys, flip=False), 1)
    flipped = 0
    for i in range(24):
        ours, original = ({k: v[i] for k, v in b[0].items()} for b in (batches, plain))
        mirrored = not np.array_equal(ours["image"], original["image"])
        flipped += mirrored
        if mirrored:
            np.testing.assert_array_equal(ours["image"], original["image"][:, ::-1])
            np.testing.assert_array_equal(ours["mask"], original["mask"][:, ::-1])
            np.testing.assert_allclose(ours["pose"], conventions.mirror_pose(original["pose"]), rtol=1e-6)
            np.testing.assert_allclose(ours["light"], conventions.mirror_light(original["light"]), rtol=1e-6)
            np.testing.assert_allclose(
                ours["landmarks"], conventions.mirror_landmarks(original["landmarks"], SIZE), rtol=1e-6
            )
            np.testing.assert_array_equal(
                ours["landmarks_visible"], original["landmarks_visible"][conventions.LANDMARK_MIRROR]
            )
        for key in ("action_units", "target_action_units", "attributes", "embedding", "identity"):
            np.testing.assert_array_equal(ours[key], original[key])
    assert 4 < flipped < 20


def dots(values, i):
    """Returns what the green channel shows at each landmark inside the picture, and which landmark that should be."""
    x, y = np.floor(values["landmarks"][i]).astype(int).T
    inside = (x >= 0) & (x < SIZE) & (y >= 0) & (y < SIZE)
    green = np.round((values["image"][i, y[inside], x[inside], 1] + 1) * 127.5) - 100
    return green, np.flatnonzero(inside)


def test_shift_and_flip_keep_landmarks_on_their_points(dataset):
    keys = ("image", "landmarks", "mask")
    (batch,) = take(pipeline.training_batches(dataset, 40, image_size=SIZE, seed=4, keys=keys, partners=(), shift=4), 1)
    (plain,) = take(
        pipeline.training_batches(dataset, 40, image_size=SIZE, seed=4, keys=keys, partners=(), flip=False), 1
    )
    moves = set()
    for i in range(40):
        green, which = dots(batch, i)
        np.testing.assert_array_equal(batch["mask"][i, ..., 0] > 0, batch["image"][i, ..., 1] > -1)
        mirrored = (green == conventions.LANDMARK_MIRROR[which]).all()
        assert mirrored or (green == which).all()
        if not mirrored:
            move = batch["landmarks"][i] - plain["landmarks"][i]
            assert (move == move[0]).all() and np.abs(move[0]).max() <= 4
            moves.add(tuple(move[0]))
    assert len(moves) > 8 and {0, 4} <= {int(abs(v)) for move in moves for v in move}


@pytest.mark.parametrize("size", [16, 64])
def test_resizing_keeps_the_mean_and_moves_the_landmarks(dataset, size):
    kwargs = {"seed": 0, "keys": ("image", "landmarks"), "flip": False, "partners": ()}
    (a,) = take(pipeline.training_batches(dataset, 8, image_size=SIZE, **kwargs), 1)
    (b,) = take(pipeline.training_batches(dataset, 8, image_size=size, **kwargs), 1)
    assert b["image"].shape == (8, size, size, 3) and np.abs(b["image"]).max() <= 1
    np.testing.assert_allclose(a["image"].mean((1, 2)), b["image"].mean((1, 2)), atol=0.01)
    np.testing.assert_allclose(a["landmarks"] * size / SIZE, b["landmarks"], rtol=1e-6)


def test_partner_noise_is_bounded_and_clamped(dataset):
    kwargs = {"image_size": SIZE, "seed": 6, "keys": ("identity",), "partners": ("action_units", "attributes")}
    (noisy,) = take(pipeline.training_batches(dataset, 40, partner_noise=0.1, **kwargs), 1)
    (exact,) = take(pipeline.training_batches(dataset, 40, partner_noise=0.0, **kwargs), 1)
    difference = noisy["target_action_units"] - exact["target_action_units"]
    assert 0.09 < np.abs(difference).max() <= 0.1 + 1e-6 and abs(difference.mean()) < 0.01
    assert noisy["target_action_units"].min() == 0 and noisy["target_action_units"].max() == 1
    np.testing.assert_array_equal(noisy["target_attributes"], exact["target_attributes"])


def test_records_without_a_needed_label_are_left_out_and_counted(tmp_path, caplog):
    rows = [record(n) for n in range(48)]
    for row in rows[::3]:
        row["action_units"] = None
    rows[1]["action_units"] = np.array([np.nan] + [1.0] * 16)
    dataset = write(tmp_path / "d", rows)
    with caplog.at_level(logging.WARNING):
        batches = pipeline.training_batches(dataset, 32, image_size=SIZE, seed=0, split=None, keys=("identity",))
        (batch,) = take(batches, 1)
    assert "left out of 48 records: 17 without action_units" in caplog.text
    assert all(n % 3 and n != 1 for n in batch["identity"])
    assert not np.isnan(batch["target_action_units"]).any()
    for row in rows:
        row["action_units"] = None
    dataset = write(tmp_path / "none", rows)
    with pytest.raises(InputError, match="no usable record in the train split .* without action_units"):
        pipeline.training_batches(dataset, 4, image_size=SIZE, seed=0)


def test_damage_is_named(tmp_path):
    dataset = write(tmp_path / "d", [record(n) for n in range(20)])
    shard = tmp_path / "d/shard-00001.tfrecord"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    with pytest.raises(InputError, match="shard-00001.tfrecord: damaged"):
        pipeline.training_batches(dataset, 4, image_size=SIZE, seed=0)


def test_texts_and_unknown_keys_are_refused_in_training(dataset):
    with pytest.raises(ValueError, match="scene: texts"):
        pipeline.training_batches(dataset, 4, image_size=SIZE, seed=0, keys=("image", "scene"))
    with pytest.raises(ValueError, match="'smile'"):
        take(pipeline.training_batches(dataset, 4, image_size=SIZE, seed=0, keys=("image", "smile")), 1)


def test_evaluation_goes_through_the_split_once_in_order(dataset):
    keys = ("image", "action_units", "identity", "scene", "source")
    for split in ("train", "test", None):
        expected = [r["identity"] for r in dataset.records(split, images=False)]
        batches = take(pipeline.evaluation_batches(dataset, 8, keys=keys, split=split), 1000)
        assert [n for b in batches for n in b["index"]] == expected  # a record's number is its identity here
        assert [n for b in batches for n in b["identity"]] == expected
        assert [s for b in batches for s in b["source"]] == [f"{n}.png".encode() for n in expected]
        assert [len(b["image"]) for b in batches][:-1] == [8] * (len(batches) - 1)
        whole = list(pipeline.evaluation_records(dataset, keys=keys, split=split))
        assert [r["scene"] for r in whole] == [s.decode() for b in batches for s in b["scene"]]
        np.testing.assert_array_equal(whole[0]["image"], np.round((batches[0]["image"][0] + 1) * 127.5))
    assert len(take(pipeline.evaluation_batches(dataset, 8, split=None, limit=11), 9)[-1]["index"]) == 3


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Scenes of three answers each: green tells the scene, red the record."""
    rows = []
    for number in range(3 * 60):
        row = record(number % 200)
        row["image"][..., 1] = number // 3
        rows.append({**row, "identity": number // 3, "view": f"answer/{number // 3:06d}"})
    return write(tmp_path_factory.mktemp("answered"), rows)


def test_an_answer_is_another_picture_of_the_same_scene(answered):
    known = {row["image"][0, 0, 0].item(): row["action_units"] / 5 for row in answered}
    batches = pipeline.training_batches(answered, 8, image_size=SIZE, seed=3, answers=True, shift=2)
    for batch in take(batches, 12):
        pixels = np.rint((batch["image"] + 1) * 127.5)
        target = np.rint((batch["target_image"] + 1) * 127.5)
        assert np.array_equal(pixels[..., 1], target[..., 1])
        assert (pixels[:, 0, 0, 0] != target[:, 0, 0, 0]).all()
        for i in range(8):
            assert np.allclose(batch["target_action_units"][i], known[int(target[i, 0, 0, 0])], atol=1e-6)


def test_data_without_answers_gives_other_partners(dataset):
    (batch,) = take(pipeline.training_batches(dataset, 4, image_size=SIZE, seed=0, answers=True), 1)
    assert "target_action_units" in batch and "target_image" not in batch
