import dataclasses
import json
import shutil

import numpy as np
import pytest

from tfface import checkpoints, config, training
from tfface.data.records import RecordWriter, read_info
from tfface.errors import InputError
from tfface.synthetic import dataset, render


def test_a_run_directory_holds_everything(trained_run, tiny_settings):
    saved = config.read_json(trained_run.path / "config.json")
    assert saved["model"] == "ganimation" and saved["settings"]["preset"] == "smoke"
    assert saved["run"]["precision"] in ("float32", "mixed_bfloat16") and saved["run"]["jit"] in ("on", "off")
    assert training.open_run(trained_run.path) == trained_run
    steps = tiny_settings["steps"]
    lines = [json.loads(line) for line in (trained_run.path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, steps + 1))
    assert [line["phase"] for line in lines] == ["warmup"] * 3 + ["adversarial"] * 5
    assert {"d_loss", "g_loss", "attention_mean", "images_per_second"} <= set(lines[-1])
    rate = trained_run.settings.learning_rate
    assert lines[3]["g_learning_rate"] == pytest.approx(rate) and 0 < lines[6]["g_learning_rate"] < rate
    assert [step for step, _ in checkpoints.found(trained_run.path / "checkpoints")] == list(range(1, steps + 1))
    assert sorted(p.name for p in (trained_run.path / "samples").iterdir()) == [f"step-00000{s}.png" for s in (0, 4, 8)]
    assert list((trained_run.path / "logs").glob("events.*"))
    assert not list(trained_run.path.rglob("*.part*"))


def test_a_loaded_model_is_the_newest_checkpoint(trained_run):
    model = training.load_model(trained_run.path)
    assert int(model.step) == model.total_steps
    assert int(model.g_optimizer.iterations) == 5


def test_an_output_that_is_not_empty_is_refused(trained_run, synthetic_data, tiny_settings):
    before = (trained_run.path / "config.json").read_bytes()
    with pytest.raises(InputError, match="--resume"):
        training.new_run("ganimation", "smoke", tiny_settings, {}, data=synthetic_data, output=trained_run.path)
    assert (trained_run.path / "config.json").read_bytes() == before


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(preset="paper"), "--preset smoke"),
        (dict(overrides={"learning_rate": 1}), r"learning_rate=0\.\d+, not 1\.0"),
        (dict(run_values={"seed": 3}), "--seed 0, not 3"),
        (dict(overrides={"steps": 9}), "steps=8, not 9"),
    ],
)
def test_resuming_with_a_changed_setting_names_it(trained_run, change, message):
    values = {"preset": None, "overrides": {}, "run_values": {}} | change
    with pytest.raises(InputError, match=message):
        training.resumed_run("ganimation", **values, output=trained_run.path)


def test_resuming_keeps_the_settings_and_takes_a_new_rhythm(trained_run):
    same = {"overrides": {"steps": 8}, "run_values": {"log_every": 2, "precision": "auto"}}
    run = training.resumed_run("ganimation", "smoke", **same, output=trained_run.path)
    assert run.settings == trained_run.settings
    assert run.run == dataclasses.replace(trained_run.run, log_every=2)


def test_resuming_with_other_data_is_refused_but_moved_data_is_not(trained_run, synthetic_data, tmp_path):
    shutil.copytree(synthetic_data, tmp_path / "moved")
    resume = dict(preset=None, overrides={}, run_values={}, output=trained_run.path)
    assert training.resumed_run("ganimation", **resume, data=tmp_path / "moved").data == tmp_path / "moved"
    path = tmp_path / "moved" / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": 99}))
    with pytest.raises(InputError, match="not the data set"):
        training.resumed_run("ganimation", **resume, data=tmp_path / "moved")


def test_what_is_no_run_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no such run directory"):
        training.open_run(tmp_path / "none")
    with pytest.raises(InputError, match="no config.json"):
        training.open_run(tmp_path)
    with pytest.raises(InputError, match="no run of ganimation"):
        training.newest_run("ganimation")
    (tmp_path / "config.json").write_text('{"model": "ganimation"}')
    with pytest.raises(InputError, match="lacks 'settings'"):
        training.open_run(tmp_path)


def test_without_data_a_set_is_rendered_and_used_again(tmp_path, tiny_settings):
    small = tiny_settings | {"synthetic_count": 4}
    said = []
    for name in ("a", "b"):
        run = training.new_run("ganimation", "smoke", small, {}, output=tmp_path / name, say=said.append)
        made = (run.data / "dataset.json").stat().st_mtime_ns
        if name == "a":
            first = run.data, made
    assert (run.data, made) == first and run.data.parent == tmp_path
    assert "synthetic heads" in said[0]


def test_a_set_of_another_renderer_is_left_and_a_new_one_rendered(tmp_path, tiny_settings, monkeypatch):
    small, made = tiny_settings | {"synthetic_count": 4}, []
    for version in (1, 2):
        for module in (render, dataset):
            monkeypatch.setattr(module, "RENDERER_VERSION", version)
        run = training.new_run("ganimation", "smoke", small, {}, output=tmp_path / str(version), say=str)
        made.append(run.data)
        assert read_info(run.data)["settings"]["renderer"] == version
    assert made[0] != made[1] and made[0].exists()


def test_cadences_follow_the_length_of_the_run():
    auto = config.RunSettings()
    assert training.cadences(auto, 4000) == {"log": 20, "sample": 200, "checkpoint": 200}
    assert training.cadences(auto, 60) == {"log": 1, "sample": 10, "checkpoint": 10}
    assert training.cadences(auto, 1) == {"log": 1, "sample": 10, "checkpoint": 10}
    for total in (7, 90, 1234, 4500):
        every = training.cadences(auto, total)
        assert every["checkpoint"] % every["log"] == 0
    assert training.cadences(config.RunSettings(sample_every=7), 4000)["sample"] == 7


def test_bfloat16_is_chosen_by_the_processors_flags(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("flags\t\t: fpu avx2 avx512_bf16 sse\n")
    assert training.cpu_computes_bfloat16(path)
    path.write_text("flags\t\t: fpu avx2 avx512f\n")
    assert not training.cpu_computes_bfloat16(path)
    assert not training.cpu_computes_bfloat16(tmp_path / "none")


def test_data_without_the_labels_a_model_needs_leave_no_run_behind(tmp_path):
    with RecordWriter(tmp_path / "data", image_size=16, source="noise", licence="CC0 1.0") as writer:
        for number in range(4):
            writer.write({"image": np.full((16, 16, 3), number, np.uint8), "source": str(number)})
    with pytest.raises(InputError, match="attributes"):
        training.new_run("attgan", "smoke", {}, {}, data=tmp_path / "data", output=tmp_path / "run")
    assert not (tmp_path / "run").exists()
