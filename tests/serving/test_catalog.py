"""New versions of an exported model are taken up while the server runs; a broken one is not."""

import asyncio

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving", reason="tfface serve needs the serving extra")

from tfface.serving import server  # noqa: E402
from tfface.serving.catalog import Catalog  # noqa: E402
from tfface.serving.status import ServingError  # noqa: E402


class Times(tf.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = tf.Variable(float(factor))

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, name="x")])
    def serve(self, x):
        return {"y": self.factor * x}


def save(folder, version):
    """Exports a model that multiplies by its version."""
    module = Times(version)
    tf.saved_model.save(module, str(folder / str(version)), signatures={"serving_default": module.serve})


def answer(catalog):
    return catalog.find("times").signature("serving_default")({"x": np.ones(2, np.float32)})["y"].tolist()


def test_newer_versions_take_the_place_of_older_ones(tmp_path):
    folder = tmp_path / "times"
    save(folder, 2)
    catalog = Catalog(folder)
    assert catalog.refresh() == [] and answer(catalog) == [2, 2]
    under_way = catalog.find("times").signature("serving_default")
    save(folder, 10)  # numbers, not texts, are compared
    save(folder, 1)
    assert catalog.refresh() == ["times version 10 in place of 2, 0 warm-up requests"]
    assert answer(catalog) == [10, 10] and catalog.refresh() == []
    assert under_way({"x": np.ones(1, np.float32)})["y"].tolist() == [2]
    with pytest.raises(ServingError, match="Servable not found"):
        catalog.find("times", 2)


@pytest.mark.parametrize("damage", ["no graph", "no weights", "no file"])
def test_a_version_that_cannot_be_loaded_is_named_once_and_tried_again(tmp_path, damage):
    folder = tmp_path / "times"
    save(folder, 1)
    catalog = Catalog(tmp_path)
    save(folder, 2)
    part = folder / "2" / ("variables/variables.index" if damage == "no weights" else "saved_model.pb")
    whole = part.read_bytes()
    part.write_bytes(b"half a file")
    if damage == "no file":
        part.unlink()
    (said,) = catalog.refresh()
    assert said.startswith("times version 2 is not served, still 1: ")
    assert catalog.refresh() == [] and answer(catalog) == [1, 1]
    part.write_bytes(whole)
    assert catalog.refresh() == ["times version 2 in place of 1, 0 warm-up requests"]


def test_the_server_looks_for_versions_all_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "POLL_SECONDS", 0.01)
    save(tmp_path / "times", 1)
    catalog, said = Catalog(tmp_path), []

    async def look():
        looking = asyncio.create_task(server._take_up_versions(catalog, said.append))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(save, tmp_path / "times", 2)
        async with asyncio.timeout(60):
            while catalog.find("times").version == 1:
                await asyncio.sleep(0.01)
        looking.cancel()

    asyncio.run(look())
    assert answer(catalog) == [2, 2]
