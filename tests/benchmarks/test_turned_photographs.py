import numpy as np
import pytest

from benchmarks import turned_photographs
from tfface.errors import InputError


def write(folder, rows):
    (folder / "pose_estimates.csv").write_text("file,identity,yaw,pitch,roll\n" + "".join(f"{row}\n" for row in rows))


def test_pairs_are_the_most_turned_and_the_most_frontal_photo_of_each_person(tmp_path):
    write(
        tmp_path,
        ["a.jpg,7,-2,0,0", "b.jpg,7,-41,0,0", "c.jpg,7,30,0,0", "d.jpg,8,5,0,0", "e.jpg,9,1,0,0", "f.jpg,9,9,0,0"],
    )
    (first, turned, yaw, frontal), second = turned_photographs.pairs(tmp_path)
    assert (first, turned.name, yaw, frontal.name) == ("7", "b.jpg", 41.0, "a.jpg")
    assert second[0] == "9" and turned.parent == tmp_path / "images"


@pytest.mark.parametrize("rows", (["a.jpg,7,-2,0,0"], ["a.jpg,7,left,0,0"]))
def test_tables_without_pairs_are_refused(tmp_path, rows):
    write(tmp_path, rows)
    with pytest.raises(InputError, match="pose_estimates.csv"):
        turned_photographs.pairs(tmp_path)


def test_table_by_hand():
    """Two people: the edit brings the first one's descriptor home, and the second one's to the first."""
    frontal = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = {
        "yaw": np.array([31.0, 50.0]),
        "person": np.array(["a", "b"]),
        "frontal": frontal,
        "before": np.array([[0.0, 1.0], [0.0, 1.0]]),
        "after": np.array([[1.0, 0.0], [1.0, 0.0]]),
        "off": np.array([[30.0, 2.0], [50.0, 4.0]]),
    }
    rows = {name: values for name, *values in turned_photographs.table(found)}
    assert set(rows) == {"30-35", "40-90", "all"}
    np.testing.assert_allclose(rows["30-35"], [1, np.sqrt(2), 0, 0, 1, 30, 2])
    np.testing.assert_allclose(rows["all"], [2, np.sqrt(2) / 2, np.sqrt(2) / 2, 0.5, 0.5, 40, 3])
