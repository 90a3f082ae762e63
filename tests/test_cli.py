import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tfface import checkpoints, cli, config, models, tasks


def all_tasks():
    return [tasks.get(name) for name in tasks.names()]


@pytest.mark.parametrize(
    "command, shown",
    [("train", ["--checkpoint-every", "(default: 3)", *models.names()]), ("edit", [t.flag for t in all_tasks()])],
)
def test_help_does_not_import_tensorflow(command, shown):
    code = (
        "import sys, tfface.cli\n"
        f"try: tfface.cli.main(['{command}', '--help'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert all(text in answer.stdout for text in shown)


@pytest.mark.parametrize(
    "command, message",
    [
        (["train", "ganimatoin"], "ganimation"),
        (["train", "ganimation", "--preset", "smoek"], "did you mean 'smoke'"),
        (["train", "ganimation", "--sed", "3"], "did you mean '--seed'"),
        (["train", "ganimation", "--seed", "x"], "--seed='x': expected int"),
        (["train", "ganimation", "--seed", "-1"], "must not be negative"),
        (["train", "ganimation", "--precision", "float16"], "expected one of auto, float32"),
        (["train", "ganimation", "--set", "lambda_cyk=3"], "did you mean 'lambda_cyc'"),
        (["train", "ganimation", "--set", "steps=many"], "expected int"),
        (["train", "ganimation", "--set", "conditioning=cross"], "expected one of concat, film"),
        (["train", "ganimation", "--set", "image_size=17"], "multiple of 8"),
        (["train", "ganimation", "--data", "nowhere"], "nowhere"),
        (["train", "ganimation", "--resume"], "no run of ganimation"),
        (["train", "ganimation", "--resume", "--output", "nowhere"], "no such run directory"),
        (["train"], "MODEL"),
        (["evaluate", "nowhere"], "no such run directory"),
        (["evaluate", "nowhere", "--limit", "0"], "--limit 0"),
        (["export", "nowhere"], "no such run directory"),
        (["export", "nowhere", "elsewhere"], "several runs need a folder"),
        (["export", "nowhere", "--format", "pb"], "--format"),
        (["serve", "nowhere"], "no such folder"),
        (["serve", "nowhere", "--batch", "0"], "--batch 0: expected more than 0"),
        (["train", "ganimation", "--init", "nowhere"], "no such run directory"),
        (["train", "attgan", "--preset", "finetune"], "name their run with --init RUN"),
        (["train", "ganimation", "--init", "a", "--resume", "--output", "b"], "--init: is for a new run"),
        (["edit", "--run", "nowhere", "--example", "-o", "a.png", "--au", "AU12=1"], "no such run directory"),
        (["edit", "--run", "nowhere", "--example", "-o", "a.png", "--face", "1"], "nothing to edit: say what, with"),
        (["info", "gan"], "ganimation"),
        (["trian"], "train"),
        ([], "COMMAND"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(command, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(command)
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert code == 2 and captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert message in captured.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", models.names())
def test_info_lists_every_setting_of_a_model(name, capsys):
    assert cli.main(["info", name]) == 0
    out = capsys.readouterr().out
    settings = models.get(name).Config
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert set(lines) == {"presets"} | set(config.field_types(settings)) - {"preset"}
    assert all(preset in lines["presets"] for preset in settings.PRESETS)
    assert all("(default " in line for key, line in lines.items() if key != "presets")


def test_info_lists_a_models_settings_with_presets(capsys):
    assert cli.main(["info", "ganimation"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("lambda_gp")]
    assert "float" in line and "default 10" in line
    assert cli.main(["info"]) == 0
    assert "auto means" in capsys.readouterr().out


@pytest.fixture
def train_command(tiny_settings, synthetic_data, tmp_path):
    """The arguments of a tiny training run into tmp_path/run."""
    values = [part for key, value in tiny_settings.items() for part in ("--set", f"{key}={value}")]
    where = ["--data", str(synthetic_data), "--output", str(tmp_path / "run")]
    return ["train", "ganimation", "--preset", "smoke", "--log-every", "1", *values, *where]


def test_stopped_resumed_scored_and_exported(train_command, tmp_path, capsys):
    run = tmp_path / "run"

    def interrupt():
        while not (run / "metrics.jsonl").exists():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert cli.main(train_command) == 130
    thread.join()
    captured = capsys.readouterr()
    assert "stopped after step" in captured.err
    assert f"Go on with: python -m tfface train ganimation --resume --output {run}" in captured.err
    ((step, _),) = checkpoints.found(run / "checkpoints")[-1:]
    assert 1 <= step < 8

    assert cli.main(train_command) == 2
    assert "--resume" in capsys.readouterr().err
    assert cli.main([*train_command, "--resume", "--set", "steps=9"]) == 2
    assert "steps=8, not 9" in capsys.readouterr().err

    assert cli.main([*train_command, "--resume"]) == 0
    out = capsys.readouterr().out
    assert f"after step {step} of 8" in out
    for path in ("samples/step-000008.png", "report.html", "export/ganimation/1"):
        assert str(run / path) in out and (run / path).exists()
    assert f"python -m tfface edit photo.jpg --run {run} --au AU12=0.8 -o edited.jpg" in out

    assert cli.main(["evaluate", str(run), "--limit", "1", "--output", str(tmp_path / "scores")]) == 0
    assert "PSNR  " in capsys.readouterr().out
    assert (tmp_path / "scores" / "report.html").exists()
    assert cli.main(["export", str(run)]) == 0
    assert str(run / "export" / "ganimation" / "2") in capsys.readouterr().out


def test_divergence_is_exit_code_1_and_says_what_to_try(train_command, capsys):
    assert cli.main([*train_command, "--set", "learning_rate=1e30", "--set", "warmup_steps=1"]) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ") and "is not finite after step" in last and "learning rate" in last
