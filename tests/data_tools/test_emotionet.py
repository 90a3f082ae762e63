"""EmotioNet's files in both layouts, as their users describe them, and the data set made from them."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from data_tools import emotionet, emotionet_files
from tfface.conventions import ACTION_UNITS
from tfface.data import records
from tfface.errors import InputError

AU = {name: place for place, name in enumerate(ACTION_UNITS)}


def automatic(path, rows):
    """A headerless TAB file: [(address, {number: value})]."""
    lines = []
    for address, values in rows:
        cells = [address, address + "?original", *(str(values.get(number, 0)) for number in range(1, 61))]
        lines.append("\t".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_headerless_tab_file(tmp_path):
    rows = [("http://x.org/a/N_0000000356_00190.jpg", {1: 1, 12: 1, 43: 1, 7: 999, 2: 999}), ("http://x.org/b.jpg", {})]
    first, second = emotionet_files.read(automatic(tmp_path / "server_0001.txt", rows))
    assert first.name == "N_0000000356_00190.jpg" and first.address.startswith("http://x.org/a/")
    assert first.present[AU["AU01"]] == first.present[AU["AU12"]] == 1
    assert first.present[AU["AU45"]] == 1  # closed eyes, AU43
    assert np.isnan(first.present[[AU["AU02"], AU["AU07"]]]).all()
    assert np.nansum(first.present) == 3 and (second.present == 0).all()


@pytest.mark.parametrize(
    "text",
    [
        "'URL','URL orig','AU 1','AU 12','AU 51'\n'http://x.org/a%20b.jpg','o',1,999,1\nhttp://x.org/c.jpg,o,0,1,0\n",
        "URL,URL orig, 'AU 1', 'AU 12', 'AU 51'\r\n\"http://x.org/a%20b.jpg\",'o',1,999,1\r\nhttp://x.org/c.jpg,o,0,1,0",
        "\ufeff'URL'\t'URL orig'\t'AU 1'\t'AU 12'\t'AU 51'\nhttp://x.org/a%20b.jpg\to\t1\t999\t1\n"
        "http://x.org/c.jpg\to\t0\t1\t0\n\n",
    ],
)
def test_quoted_headers(tmp_path, text):
    path = tmp_path / "EmotionNet_FACS.csv"
    path.write_text(text)
    first, second = emotionet_files.read(path)
    assert (first.name, second.name) == ("a b.jpg", "c.jpg")
    assert first.present[AU["AU01"]] == 1 and np.isnan(first.present).sum() == 16
    assert second.present[AU["AU01"]] == 0 and second.present[AU["AU12"]] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n1,2,3\n", "no EmotioNet annotations"),
        ("URL,URL orig,AU 1\nx,y\n", "line 2: 2 values, expected 3"),
        ("URL,URL orig,AU 1\nx,y,2\n", "line 2, column 3: '2'; expected 0, 1 or 999"),
        ("URL,URL orig,AU 1\nx,y,yes\n", "expected 0, 1 or 999"),
    ],
)
def test_bad_files(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        list(emotionet_files.read(path))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(data.astronaut()[:220, 110:340]).save(folder / "sub" / "face.png")
    Image.fromarray(data.coffee()[:150, :150]).save(folder / "coffee.png")
    (folder / "broken.png").write_bytes(b"nothing")
    return folder


def test_import(tmp_path, photos, capsys):
    names = ("face.png", "gone.png", "coffee.png", "broken.png")
    rows = [(f"http://x.org/{name}", {12: 1, 25: 1, 5: 999}) for name in names]
    labels = automatic(tmp_path / "labels.txt", rows)
    command = ["--labels", str(labels), "--images", str(photos), "-o", str(tmp_path / "out"), "--image-size", "64"]
    assert emotionet.main(command) == 0
    assert "4 pictures listed, 3 of them" in capsys.readouterr().out
    (record,) = records.open_dataset(tmp_path / "out")
    assert record["action_units"][AU["AU12"]] == 3 and record["action_units"][AU["AU01"]] == 0
    assert np.isnan(record["action_units"][AU["AU05"]]) and record["source"] == "face.png"
    assert record["landmarks"].min() > 0 and abs(record["pose"][2]) < 5
    rejects = (tmp_path / "out" / "rejects.csv").read_text().splitlines()
    assert rejects == [
        "line,picture,reason", "2,gone.png,no picture", "3,coffee.png,no face found",
        "4,broken.png,the picture cannot be read",
    ]  # fmt: skip
    assert emotionet.main(command) == 0  # nothing left to do
    assert emotionet.main([*command[:4]]) == 2 and "-o:" in capsys.readouterr().err
    assert emotionet.main([*command, "--intensity", "9"]) == 2
