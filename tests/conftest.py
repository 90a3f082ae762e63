"""What all tests share: a quiet TensorFlow, real pictures where there are any, one small rendered data set."""

import os
from pathlib import Path

import pytest

# Before any test imports TensorFlow. Two threads: the networks are tiny, and more would only wait for each other.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "2")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
os.environ.setdefault("MPLBACKEND", "agg")


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
    """Directory of 40 rendered heads of 32 px with exact labels; shared by all tests, which only read it."""
    from tfface.synthetic.dataset import synthesize

    return synthesize(
        tmp_path_factory.mktemp("data") / "synthetic", count=40, image_size=32, seed=0, workers=1, progress=False
    )
