"""Models that come with tfface: what packing keeps, that they edit after installing, that nothing writes there."""

import json
import re

import h5py
import numpy as np
import pytest

from tfface import cli, images, models, packing, pretrained, provenance, tasks, training
from tfface.errors import InputError

LIMIT = 20e6  # bytes of all of them, which every installation carries


@pytest.fixture(scope="module")
def packed(trained_run, tmp_path_factory):
    return packing.pack(trained_run.path, tmp_path_factory.mktemp("packed"))


def test_packed_run_edits_as_the_run_does(packed, trained_run):
    rng = np.random.default_rng(0)
    inputs = {
        "image": rng.uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32),
        "action_units": rng.uniform(0, 1, (2, 17)).astype(np.float32),
    }
    edited = [training.load_model(path).edit(inputs)["image"].numpy() for path in (packed, trained_run.path)]
    assert 0 < np.abs(edited[0] - edited[1]).max() < 1 / 127.5  # half floats are less than a grey level away


def test_packed_averages_stand_for_the_networks_they_follow(packed):
    model = training.load_model(packed)
    for ours, average in zip(model.generator.weights, model.ema_generator.weights, strict=True):
        np.testing.assert_array_equal(ours, average)
    assert not any(np.any(variable) for variable in model.g_optimizer.variables[2:])
    assert int(model.step) == 8
    (path,) = packed.glob("checkpoints/*.h5")
    with h5py.File(path) as file:
        assert file["generator"] == file["ema_generator"]  # one group under two names


def test_packed_run_says_where_it_comes_from_and_no_folder_of_its_maker(packed, trained_run):
    card = json.loads((packed / "model_card.json").read_text())
    assert card["trained_with"].startswith("bash train.sh ganimation --preset smoke --seed 0 --set image_size=16 ")
    assert card["data"]["records"] == 40 and card["step"] == 8
    assert card["inputs"]["action_units"]["shape"] == [17]
    text = (packed / "config.json").read_text() + (packed / "model_card.json").read_text()
    assert str(trained_run.path.parent) not in text and str(trained_run.data.parent) not in text


def test_the_command_of_a_card_trains_with_the_same_settings(trained_run):
    said = packing.command(trained_run).split()
    arguments = cli.build_parser().parse_args(["train", *said[2:]])
    settings = type(trained_run.settings)
    overrides = cli.config.parse_assignments(arguments.set, settings)
    assert cli.config.from_preset(settings, arguments.preset, overrides) == trained_run.settings


def test_training_goes_on_from_a_packed_run(packed, synthetic_data, tiny_settings, tmp_path):
    run = training.new_run(
        "ganimation", None, tiny_settings | {"steps": 4}, {}, data=synthetic_data, output=tmp_path / "on", init=packed
    )
    training.train(run, progress=False)
    assert (run.path / "config.json").exists() and list((run.path / "checkpoints").glob("step-00000004-*"))


def test_a_weight_beyond_half_floats_is_refused_and_nothing_is_left(trained_run, tmp_path):
    import shutil

    from tfface import checkpoints

    copy = shutil.copytree(trained_run.path, tmp_path / "run")
    newest = checkpoints.newest(copy / "checkpoints")
    with h5py.File(newest, "r+") as file:
        file["discriminator/layers/conv2d/vars/0"][0] = 1e6
    newest.rename(newest.with_name(checkpoints.name_of(8, newest)))
    with pytest.raises(InputError, match="does not fit into half floats"):
        packing.pack(copy, tmp_path / "packed")
    assert not list((tmp_path / "packed").iterdir())


def test_a_folder_of_that_name_comes_before_the_model_that_comes_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = pretrained.names()[0]
    assert pretrained.find(name) == pretrained.FOLDER / name
    (tmp_path / name).mkdir()
    assert pretrained.find(name).resolve() == tmp_path / name
    assert pretrained.find("elsewhere").name == "elsewhere"


def test_what_comes_along_is_small():
    assert sum(path.stat().st_size for path in pretrained.FOLDER.rglob("*") if path.is_file()) <= LIMIT


@pytest.mark.parametrize("name", pretrained.names())
def test_card_of_what_comes_along(name):
    card = json.loads((pretrained.FOLDER / name / "model_card.json").read_text())
    assert card["model"] == name and card["metrics"]["people"] >= 50 and card["limits"] and card["licence"]
    arguments = cli.build_parser().parse_args(["train", *card["trained_with"].split()[2:]])
    assert arguments.model == name
    assert not re.search(r'"(/|[A-Z]:\\)', json.dumps(card))
    assert not re.search(r'"(/|[A-Z]:\\)', (pretrained.FOLDER / name / "config.json").read_text())


@pytest.mark.parametrize("name", pretrained.names())
def test_example_is_edited_without_a_run(name, tmp_path, capsys):
    task = tasks.get(models.get(name).task)
    target = tmp_path / "edited.png"
    assert cli.main(["edit", "--example", task.flag, task.example, "-o", str(target)]) == 0
    edit = provenance.read(target)
    assert (edit.model, edit.run) == (name, name)
    picture = images.read_image(target)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1000
    assert str(target) in capsys.readouterr().out


@pytest.mark.parametrize(
    "command, message",
    [
        (["evaluate", "NAME"], "name --data to score it on"),
        (["export", "NAME"], "say with -o"),
        (["train", "NAME", "--resume", "--output", "NAME"], "train on from it with --init"),
        (["edit", "--example", "-o", "a.png", "--frontal"], "no model for it comes with tfface"),
        (["edit", "--example", "-o", "a.gif", "--sweep", "smile=0:1:3"], "no model for it comes with tfface"),
    ],
)
def test_nothing_is_written_into_what_comes_along(command, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name = pretrained.names()[0]
    assert cli.main([name if word == "NAME" else word for word in command]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
