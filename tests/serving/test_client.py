"""`Client` and ``tfface edit --server`` against the stand-in: the same answers, the same files, readable errors."""

import numpy as np
import pytest
import tensorflow as tf

from tfface import cli, provenance, training
from tfface.errors import InputError
from tfface.serving import Client
from tfface.serving.remote import RemoteModel

SIZE = 16


@pytest.fixture(params=["rest", "grpc"])
def address(request, server):
    return f"{server.rest}" if request.param == "rest" else f"grpc://{server.grpc}"


def images(count):
    return np.random.default_rng(count).random((count, SIZE, SIZE, 3), np.float32) * 2 - 1


def test_answers_are_those_of_the_model_in_process(address, run):
    model, client = training.load_model(run), Client(f"{address}/ganimation")
    image, units = images(3), np.random.default_rng(0).random((3, 17), np.float32)
    for name, value in client.predict({"image": image, "action_units": units}).items():
        expected = model.edit({"image": tf.constant(image), "action_units": tf.constant(units)})[name]
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, expected, atol=1e-5)
    shown = client.estimate(image)["action_units"]
    np.testing.assert_allclose(shown, model.estimate_action_units(tf.constant(image)), atol=1e-5)
    files = client.edit(
        [tf.io.encode_png(np.uint8(each * 127.5 + 127.5)).numpy() for each in image], action_units=units
    )
    assert [tf.io.decode_png(file).shape for file in files] == [(SIZE, SIZE, 3)] * 3
    assert client.card()["model"] == "ganimation" and client.card()["run"] == run.name
    assert client.metadata()["estimate"] == {"inputs": ["image"], "outputs": ["action_units"]}
    client.close()


def test_one_output_has_its_name_and_its_type(address):
    client = Client(f"{address}/half_plus_three", version=123)
    answer = client.predict({"x": np.float32([1, 2, 5])})
    assert list(answer) == ["y"] and answer["y"].tolist() == [3.5, 4.0, 5.5]


def test_the_server_s_words_arrive(address):
    with pytest.raises(InputError, match=r"Servable not found for request: Latest\(nobody\) \((HTTP 404|NOT_FOUND)\)"):
        Client(f"{address}/nobody").card()
    with pytest.raises(InputError, match="not found"):
        Client(f"{address}/ganimation", version=9).card()
    with pytest.raises(InputError, match=r"expected float32 \['\?', 17\]"):
        Client(f"{address}/ganimation").predict({"image": images(1), "action_units": np.zeros((1, 3), np.float32)})


@pytest.mark.parametrize("address", ["localhost:1/ganimation", "grpc://localhost:1/ganimation"])
def test_nobody_at_home(address):
    with pytest.raises(InputError, match="localhost:1"):
        Client(address, timeout=5).card()


@pytest.mark.parametrize(
    "address, message",
    [
        ("localhost", "expected HOST:PORT"),
        ("https://localhost:1/a", "expected HOST:PORT"),
        ("localhost:8501", "which model"),
        ("localhost:8501/a/b", "which model"),
    ],
)
def test_addresses_that_are_none(address, message):
    with pytest.raises(InputError, match=message):
        Client(address)


def test_an_edit_on_the_server_is_the_edit_in_process_to_the_byte(address, run, tmp_path, capsys):
    asked = ["--example", "--au", "AU12=0.9", "AU04=0.3"]
    assert cli.main(["edit", *asked, "--run", str(run), "-o", str(tmp_path / "local.png")]) == 0
    assert cli.main(["edit", *asked, "--server", address, "-o", str(tmp_path / "served.png")]) == 0
    assert (tmp_path / "served.png").read_bytes() == (tmp_path / "local.png").read_bytes()
    assert provenance.read(tmp_path / "served.png").run == run.name


def test_what_the_served_model_does_not_take_is_refused(address, tmp_path, capsys):
    out = ["--example", "-o", str(tmp_path / "x.png")]
    assert cli.main(["edit", *out, "--server", f"{address}/ganimation", "--pose", "yaw=3"]) == 2
    assert "serves ganimation, which takes --au" in capsys.readouterr().err
    assert cli.main(["edit", *out, "--server", address, "--pose", "yaw=3"]) == 2
    assert "Latest(rotator)" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


def test_what_a_model_cannot_estimate_is_no_attribute(address):
    model = RemoteModel(address, ["--au"])
    assert model.task == "expression" and model.config.image_size == SIZE and model.synthetic == {"margin": 1.0}
    with pytest.raises(AttributeError):
        model.decode  # noqa: B018
