"""Every model that edits can be exported, and its card describes all it takes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tfface import export, formats, models, signatures

sys.path.insert(0, str(Path(__file__).parent))
import small  # noqa: E402

EDITING = [name for name in models.names() if models.get(name).task]


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """``{name: (model, Exported)}`` of every model that edits, its weights away from where they start."""
    folder, made = tmp_path_factory.mktemp("exports"), {}
    rng = np.random.default_rng(0)
    for name in EDITING:
        model = small.build(name)
        for variable in model.editor().trainable_variables:
            variable.assign_add(rng.normal(0, 0.02, variable.shape))
        made[name] = model, export.export_model(model, folder / name)  # compares the two
    return made


# Runs where neither tfface nor Keras can be imported, as in TensorFlow Serving.
CLIENT = """
import sys
sys.modules["tfface"] = sys.modules["keras"] = None
import numpy as np, tensorflow as tf
for directory, given, result in zip(*[iter(sys.argv[1:])] * 3):
    inputs = {name: tf.constant(value) for name, value in np.load(given).items()}
    outputs = tf.saved_model.load(directory).signatures["serving_default"](**inputs)
    np.savez(result, **{name: value.numpy() for name, value in outputs.items()})
"""


def test_a_process_without_tfface_computes_the_same(exports, tmp_path):
    given, words = {}, []
    for name, (model, exported) in exports.items():
        inputs = model.editor().input
        given[name] = {key: v for key, v in small.request(name, model, 3).items() if key in inputs}
        assert given[name].keys() == inputs.keys()
        np.savez(tmp_path / f"{name}.npz", **given[name])
        words += [str(exported.directory), f"{name}.npz", f"{name}-result.npz"]
    subprocess.run([sys.executable, "-I", "-c", CLIENT, *words], cwd=tmp_path, check=True)
    for name, (model, _) in exports.items():
        expected, results = model.edit(given[name]), np.load(tmp_path / f"{name}-result.npz")
        assert np.abs(expected["image"] - given[name]["image"]).mean() > 1e-3
        np.testing.assert_allclose(results["image"], expected["image"], atol=1e-5)


@pytest.mark.parametrize("name", EDITING)
def test_exports_say_what_they_take(name, exports):
    model, exported = exports[name]
    card = json.loads((exported.directory / "model_card.json").read_text())
    assert list(card["inputs"]) == list(model.editor().input)
    assert all(len(said["range"]) == 2 for said in card["inputs"].values())
    assert card["crop_margin"] == model.synthetic.get("margin", 1.0)
    assert (card["model"], card["task"]) == (name, model.task)
    assert ("estimate" in card["signatures"]) == bool(signatures.estimates(model))


SLOW = ("rotator", "tpgan")  # graphs of thousands of operations


@pytest.mark.parametrize("kind", formats.FILES)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in EDITING],
)
def test_other_formats_compute_the_same_on_a_real_face(name, kind, tmp_path):
    if kind == "onnx":
        pytest.importorskip("tf2onnx", reason="ONNX exports need the onnx extra")
        pytest.importorskip("onnxruntime", reason="ONNX exports need the onnx extra")
    assert export.export_model(small.build(name), tmp_path / name, kind=kind).max_error < 1e-4
