"""The annotator's benchmark reads real photos; its faults are found on what there is."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from benchmarks import annotator as benchmark
from tfface.errors import InputError


def test_photos_without_a_face_are_left_out(tmp_path):
    Image.fromarray(data.astronaut()[:220, 110:340]).save(tmp_path / "a.png")
    Image.fromarray(data.coffee()[:150, :150]).save(tmp_path / "b.png")
    found, places = benchmark.read([tmp_path / "b.png", tmp_path / "a.png"])
    assert places == [1] and found["action_units"].shape == (1, 17) and np.isfinite(found["pose"]).all()
    with pytest.raises(InputError, match="no face"):
        benchmark.read([tmp_path / "b.png"])
    (line,) = benchmark.speed(str(tmp_path))
    assert line.startswith("1 faces of 2 photos")


def test_agreement_with_openface(real_data):
    clip = real_data / "openface" / "clip_00116"
    lines = list(benchmark.against_openface(clip / "00116.csv", clip / "frames"))
    assert float(lines[2].rstrip(" |").rsplit("|", 1)[1]) > 0.4
    assert len(lines) == 6
