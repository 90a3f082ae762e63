"""Exports: what TensorFlow Serving would load computes what the model in memory does, and needs TensorFlow alone."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

from tfface import checkpoints, conventions, export, formats, models, signatures, training
from tfface.config import RunSettings
from tfface.data.records import RecordWriter
from tfface.errors import InputError

SIZE = 16


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory of a tiny GANimation whose attention is neither all 0 nor all 1."""
    path = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(3)
    with RecordWriter(path / "data", image_size=SIZE, source="noise", licence="CC0 1.0") as writer:
        for number in range(4):
            writer.write({"image": rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8), "source": str(number)})
    settings = models.get("ganimation").Config.from_preset(
        "smoke", image_size=SIZE, generator_width=4, residual_blocks=1, discriminator_width=4
    )
    opened = training.Run(path / "ganimation-test", "ganimation", settings, RunSettings(), path / "data")
    opened.path.mkdir()
    opened.save()
    model = training.build_model(opened, jit=False)
    for variable in model.ema_generator.trainable_variables:
        variable.assign_add(rng.normal(0, 0.05, variable.shape))
    model.step.assign(7)
    checkpoints.save(model, opened.path / "checkpoints", keep=2)
    return opened.path


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return export.export_run(run, tmp_path_factory.mktemp("export") / "faces")


def inputs(batch):
    rng = np.random.default_rng(batch)
    pixels = rng.integers(0, 256, (batch, SIZE, SIZE, 3), np.uint8)
    return pixels, rng.random((batch, 17), dtype=np.float32)


# Runs where neither tfface nor Keras can be imported, as in TensorFlow Serving.
CLIENT = """
import sys
sys.modules["tfface"] = sys.modules["keras"] = None
import numpy as np, tensorflow as tf
signatures = tf.saved_model.load(sys.argv[1]).signatures
results = {}
for batch in (1, 3):
    given = np.load(sys.argv[2])
    pixels, units = given[f"pixels{batch}"], tf.constant(given[f"units{batch}"])
    floats = signatures["serving_default"](image=tf.constant(pixels / np.float32(127.5) - 1), action_units=units)
    results |= {f"{name}{batch}": value.numpy() for name, value in floats.items()}
    files = tf.stack([tf.io.encode_png(p) for p in pixels])
    edited = signatures["edit_bytes"](image_bytes=files, action_units=units)["image_bytes"]
    results[f"bytes{batch}"] = np.stack([tf.io.decode_png(f).numpy() for f in edited])
np.savez(sys.argv[3], **results)
"""


def test_another_process_without_tfface_computes_the_same(run, exported, tmp_path):
    given = {}
    for batch in (1, 3):
        given[f"pixels{batch}"], given[f"units{batch}"] = inputs(batch)
    np.savez(tmp_path / "given.npz", **given)
    subprocess.run(
        [sys.executable, "-I", "-c", CLIENT, str(exported.directory), "given.npz", "results.npz"],
        cwd=tmp_path,
        check=True,
    )
    results = np.load(tmp_path / "results.npz")
    model = training.load_model(run)
    for batch in (1, 3):
        image = given[f"pixels{batch}"] / np.float32(127.5) - 1
        expected = model.edit({"image": tf.constant(image), "action_units": tf.constant(given[f"units{batch}"])})
        assert 0.05 < float(tf.reduce_mean(expected["attention"])) < 0.95  # so that both heads count
        for name, value in expected.items():
            np.testing.assert_allclose(results[f"{name}{batch}"], value, atol=1e-5)
        expected_pixels = np.clip(expected["image"] * 127.5 + 127.5, 0, 255)
        assert results[f"bytes{batch}"].dtype == np.uint8
        np.testing.assert_allclose(results[f"bytes{batch}"], expected_pixels, atol=0.5 + 2e-3)


def test_bytes_of_any_square_size_and_format(exported):
    signature = tf.saved_model.load(str(exported.directory)).signatures["edit_bytes"]
    big = tf.image.resize(inputs(1)[0], (90, 90)).numpy().astype(np.uint8)[0]
    gray = big[..., :1]
    files = [tf.io.encode_jpeg(big), tf.io.encode_png(big), tf.io.encode_jpeg(gray)]
    edited = signature(image_bytes=tf.stack(files), action_units=tf.zeros((3, 17)))["image_bytes"]
    assert [tf.io.decode_png(data).shape for data in edited] == [(SIZE, SIZE, 3)] * 3


def test_decoding_a_crop_averages_over_pixels_when_it_shrinks():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = signatures.decode_crop(tf.io.encode_png(stripes), SIZE)
    assert np.abs(crop).max() < 0.1  # without antialias it would be -1 or 1


@pytest.mark.parametrize("data", [b"not a picture", tf.io.encode_png(np.zeros((20, 30, 3), np.uint8)).numpy()])
def test_bytes_that_are_no_square_picture_are_refused(exported, data):
    signature = tf.saved_model.load(str(exported.directory)).signatures["edit_bytes"]
    with pytest.raises(tf.errors.InvalidArgumentError):
        signature(image_bytes=tf.constant([data]), action_units=tf.zeros((1, 17)))


def count_variables(exported):
    names = [name for name, _ in tf.train.list_variables(str(exported.directory / "variables" / "variables"))]
    return sum(name.endswith("VARIABLE_VALUE") for name in names)


def test_only_what_edits_and_what_estimates_is_inside(run, exported, tmp_path):
    model = training.load_model(run)
    assert model.discriminator.trainable_variables
    assert count_variables(exported) <= len(model.ema_generator.variables) + len(model.discriminator.variables)
    assert exported.size == sum(p.stat().st_size for p in exported.directory.rglob("*") if p.is_file())
    absolute = models.get("ganimation")(dataclasses.replace(model.config, relative=False))
    alone = export.export_model(absolute, tmp_path / "alone", estimate=False)
    assert count_variables(alone) == len(absolute.editor().variables)
    assert set(tf.saved_model.load(str(alone.directory)).signatures) == {"serving_default", "edit_bytes", "model_card"}


def test_the_model_says_what_a_face_shows_and_what_it_is(run, exported):
    model = training.load_model(run)
    served = tf.saved_model.load(str(exported.directory)).signatures
    image = tf.constant(inputs(3)[0] / np.float32(127.5) - 1)
    shown = served["estimate"](image=image)["action_units"]
    np.testing.assert_allclose(shown, model.estimate_action_units(image), atol=1e-6)
    cards = served["model_card"](request=tf.constant(["", "?"]))["card"].numpy()
    written = json.loads((exported.directory / "model_card.json").read_text())
    del written["signatures"]  # a list of which the card itself is one
    assert [json.loads(card) for card in cards] == [written] * 2


def test_card_says_what_it_is_and_what_it_saw(exported):
    card = json.loads((exported.directory / "model_card.json").read_text())
    assert card["model"] == "ganimation" and card["preset"] == "smoke" and card["step"] == 7
    assert card["data"]["source"] == "noise" and card["data"]["licence"] == "CC0 1.0"
    assert card["inputs"]["action_units"]["labels"] == list(conventions.ACTION_UNITS)
    assert card["inputs"]["image"]["shape"] == [SIZE, SIZE, 3]
    assert card["metrics"] == "not evaluated" and len(card["limits"]) == 4 and "Apache-2.0" in card["licence"]


def test_warmup_requests_are_what_tensorflow_serving_reads(exported):
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    path = exported.directory / "assets.extra" / "tf_serving_warmup_requests"
    signatures = tf.saved_model.load(str(exported.directory)).signatures
    seen = []
    for data in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(data.numpy())
        request = log.predict_log.request
        assert request.model_spec.name == "faces"
        tensors = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        signatures[request.model_spec.signature_name](**tensors)
        assert log.SerializeToString(deterministic=True) == data.numpy()  # nothing unknown, nothing left out
        seen.append(request.model_spec.signature_name)
    assert seen == ["serving_default", "edit_bytes", "estimate", "model_card"]


def test_versions_count_up_and_are_never_overwritten(run, tmp_path):
    first, second = (export.export_run(run, tmp_path / "faces") for _ in range(2))
    assert [first.directory.name, second.directory.name] == ["1", "2"]
    before = (second.directory / "saved_model.pb").read_bytes()
    with pytest.raises(InputError, match="2: exists"):
        export.export_run(run, tmp_path / "faces", version=2)
    assert (second.directory / "saved_model.pb").read_bytes() == before
    assert export.export_run(run, tmp_path / "faces", version=20).directory.name == "20"
    assert sorted(p.name for p in (tmp_path / "faces").iterdir()) == ["1", "2", "20"]
    assert export.next_version(tmp_path / "faces") == 21


@pytest.mark.parametrize("version", [0, -3])
def test_version_must_be_positive(run, tmp_path, version):
    with pytest.raises(InputError, match="start at 1"):
        export.export_run(run, tmp_path / "faces", version=version)
    assert not (tmp_path / "faces").exists()


def test_what_is_not_a_run_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="no such run"):
        export.export_run(tmp_path / "nothing", tmp_path / "faces")
    assert not (tmp_path / "faces").exists()


def test_a_file_is_no_folder_to_export_to(run, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        export.export_run(run, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_model_that_reloads_differently_leaves_nothing(run, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(RuntimeError, match="differs"):
        export.export_run(run, tmp_path / "faces")
    assert list((tmp_path / "faces").iterdir()) == []


def test_several_models_share_a_list(run, tmp_path):
    server_config = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    for name in ("smiles", "poses"):
        export.export_run(run, tmp_path / name)
    (tmp_path / "notes").mkdir()
    export.write_models_config(tmp_path)
    read = text_format.Parse((tmp_path / "models.config").read_text(), server_config.ModelServerConfig())
    listed = [(each.name, each.base_path, each.model_platform) for each in read.model_config_list.config]
    assert listed == [(name, f"/models/{name}", "tensorflow") for name in ("poses", "smiles")]


def test_two_models_of_one_name_are_refused_before_anything_is_written(run, tmp_path):
    with pytest.raises(InputError, match="two models named ganimation"):
        export.export_runs([run, run], tmp_path / "export")
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize("kind", formats.FILES)
def test_other_formats_are_held_to_the_savedmodel(run, tmp_path, kind, monkeypatch):
    if kind == "onnx":
        pytest.importorskip("tf2onnx", reason="ONNX exports need the onnx extra")
        pytest.importorskip("onnxruntime", reason="ONNX exports need the onnx extra")
    made = export.export_run(run, tmp_path / kind, kind=kind)
    assert 0 < made.max_error < 1e-5
    assert sorted(path.name for path in made.directory.iterdir()) == sorted([formats.FILES[kind], "model_card.json"])
    pixels, units = inputs(3)
    image = pixels / np.float32(127.5) - 1
    expected = training.load_model(run).edit({"image": tf.constant(image), "action_units": tf.constant(units)})
    actual = formats.run(kind, made.directory / formats.FILES[kind], {"image": image, "action_units": units})
    assert formats.max_error({name: value.numpy() for name, value in expected.items()}, actual) < 1e-5
    with pytest.raises(InputError, match="one format in a folder"):
        export.export_run(run, tmp_path / kind)
    monkeypatch.setattr(formats, "TOLERANCE", 0.0)
    with pytest.raises(RuntimeError, match="differs from the SavedModel"):
        export.export_run(run, tmp_path / kind, kind=kind)
    assert [path.name for path in (tmp_path / kind).iterdir()] == ["1"]


def test_faces_for_the_comparison_are_faces():
    images, landmarks = formats.real_faces(64, 1.0)
    assert images.shape == (4, 64, 64, 3) and np.abs(images).max() <= 1
    eyes, mouth = landmarks[:, 36:48].mean(1), landmarks[:, 48:].mean(1)
    assert (eyes[:, 1] < 32).all() and (mouth[:, 1] > 32).all()
    assert np.ptp(images[-1], axis=-1).max() == 0  # one is grey
