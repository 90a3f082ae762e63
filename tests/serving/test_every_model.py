"""Every model that edits gives the same photo on the server as in process, byte for byte."""

import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from tfface import edit_command, export, models, tasks
from tfface.editing import Editor
from tfface.faces import Landmarker

pytest.importorskip("aiohttp", reason="tfface serve needs the serving extra")
pytest.importorskip("tensorflow_serving", reason="tfface serve needs the serving extra")

from tfface.serving.remote import RemoteModel  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))
sys.path.insert(0, str(Path(__file__).parent))
import small  # noqa: E402
from conftest import serving  # noqa: E402

pytestmark = pytest.mark.slow  # five exports; `test_client` does the same with one
NAMES = [name for name in models.names() if models.get(name).task]


@pytest.fixture(scope="module")
def built():
    return {name: small.build(name) for name in NAMES}


@pytest.fixture(scope="module")
def all_models(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("all")
    for name, model in built.items():
        export.export_model(model, folder / name)
    with serving(folder) as server:
        yield server


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
@pytest.mark.parametrize("name", NAMES)
def test_edits_are_the_same_bytes(name, protocol, built, all_models):
    address = all_models.rest if protocol == "rest" else f"grpc://{all_models.grpc}"
    model, task = built[name], tasks.get(built[name].task)
    served = RemoteModel(f"{address}/{name}", [task.flag])
    assert (served.name, served.task) == (name, model.task)
    landmarker, photo = Landmarker(), data.astronaut()
    faces = landmarker.find(photo)
    texts = [task.example] if task.example else []
    wanted = edit_command.parse(model, texts, None, relative=False).series[0]
    assert edit_command.parse(served, texts, None, relative=False).series[0] == wanted
    expected, actual = (Editor(each, landmarker).edit(photo, faces, wanted) for each in (model, served))
    np.testing.assert_array_equal(actual, expected)
