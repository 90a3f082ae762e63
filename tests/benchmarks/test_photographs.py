"""The benchmark of edits on photographs: every photo with a face is read before and after, the others are named."""

import cv2
import numpy as np
from skimage import data

from benchmarks import photographs


def test_a_folder_of_photographs(trained_run, tmp_path, capsys):
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "photos" / "deep" / "face.png"), data.astronaut()[..., ::-1])
    cv2.imwrite(str(tmp_path / "photos" / "wall.png"), np.full((96, 96, 3), 90, np.uint8))
    assert photographs.main([str(trained_run.path), str(tmp_path / "photos")]) == 0
    said = capsys.readouterr()
    row = said.out.splitlines()[-1].split("|")
    assert row[2].strip() == "1" and 0 <= float(row[3]) <= 5 and row[5].strip() in ("0%", "100%")
    assert "wall.png" in said.err


def test_bad_input_is_named(trained_run, tmp_path, capsys):
    assert photographs.main([str(trained_run.path), str(tmp_path / "none")]) == 2
    assert "none: no such folder of photos" in capsys.readouterr().err
    assert photographs.main([str(trained_run.path), str(tmp_path), "--au", "AU99=1"]) == 2
    assert "AU99" in capsys.readouterr().err
    assert photographs.main([str(trained_run.path), str(tmp_path)]) == 2
    assert "no photo with a face" in capsys.readouterr().err
