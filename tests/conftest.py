"""What all tests share: a quiet TensorFlow, real pictures where there are any, one small rendered data set."""

import os
import signal
from pathlib import Path

import hypothesis
import pytest

from tfface import environment

# Before any test imports TensorFlow. Two threads: the networks are tiny, and more would only wait for each other.
environment.prepare()
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "2")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
os.environ.setdefault("MPLBACKEND", "agg")

# A script that starts the tests in the background makes them deaf to Ctrl-C, and every command they start inherits
# that; tests that interrupt a command could not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# A busy machine is no failure.
hypothesis.settings.register_profile("tfface", deadline=None)
hypothesis.settings.load_profile("tfface")


@pytest.fixture(scope="session")
def real_data():
    """Folder of photographs and label files that may not be redistributed; skips where there is none."""
    folder = os.environ.get("TFFACE_TEST_DATA")
    if not folder:
        pytest.skip("needs real pictures: set TFFACE_TEST_DATA to their folder")
    assert Path(folder).is_dir(), f"TFFACE_TEST_DATA={folder} is not a folder"
    return Path(folder)


@pytest.fixture(scope="session")
def synthetic_data(tmp_path_factory):
    """Directory of 40 rendered heads (20 people, 2 of them held out) of 32 px with exact labels; tests only read it."""
    from tfface.synthetic.dataset import synthesize

    return synthesize(
        tmp_path_factory.mktemp("data") / "synthetic", count=40, image_size=32, seed=0, workers=1, progress=False,
        images_per_person=2,
    )  # fmt: skip


@pytest.fixture(scope="session")
def tiny_settings():
    """Values over a preset that make GANimation train in seconds: 3 warm-up and 5 adversarial steps at 16 px."""
    return {
        "image_size": 16, "batch_size": 2, "n_critic": 1, "steps": 8, "warmup_steps": 3, "generator_width": 2,
        "residual_blocks": 1, "discriminator_width": 2, "discriminator_layers": 2,
    }  # fmt: skip


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory, synthetic_data, tiny_settings):
    """A finished `training.Run` of the tiny GANimation, with a checkpoint after every step; tests only read it."""
    from tfface import training

    every = {"checkpoint_every": 1, "log_every": 1, "sample_every": 4, "keep_checkpoints": 20}
    output = tmp_path_factory.mktemp("runs") / "tiny"
    run = training.new_run("ganimation", "smoke", tiny_settings, every, data=synthetic_data, output=output)
    training.train(run, progress=False)
    return run
