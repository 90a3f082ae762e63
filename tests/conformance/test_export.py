"""Every model that edits can be exported, and its card describes all it takes."""

import json
import sys
from pathlib import Path

import pytest

from tfface import export, formats, models, signatures

sys.path.insert(0, str(Path(__file__).parent))
import small  # noqa: E402


@pytest.mark.parametrize("name", [name for name in models.names() if models.get(name).task])
def test_exports_compute_the_same_and_say_what_they_take(name, tmp_path):
    model = small.build(name)
    exported = export.export_model(model, tmp_path / name)  # compares the two
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
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in models.names()
        if models.get(name).task
    ],
)
def test_other_formats_compute_the_same_on_a_real_face(name, kind, tmp_path):
    if kind == "onnx":
        pytest.importorskip("tf2onnx", reason="ONNX exports need the onnx extra")
        pytest.importorskip("onnxruntime", reason="ONNX exports need the onnx extra")
    assert export.export_model(small.build(name), tmp_path / name, kind=kind).max_error < 1e-4
