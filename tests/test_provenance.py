"""An edited picture says so: visibly, and in its metadata, in every format."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from tfface import images, provenance
from tfface.errors import InputError

EDIT = provenance.Edit(
    model="ganimation", run="run & <1>", edit='face 1: AU12=0.8 \u2013 "quoted"', source="fot\u00f3.jpg"
)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".gif"])
def test_metadata_round_trip(tmp_path, suffix):
    path = tmp_path / f"edited{suffix}"
    images.write_image(path, data.astronaut()[:64, :64], metadata=provenance.metadata(EDIT))
    assert provenance.read(path) == EDIT
    if suffix != ".gif":  # has no XMP
        assert provenance.SOURCE_TYPE.encode() in path.read_bytes()
    with Image.open(path) as image:
        assert suffix == ".gif" or "tfface" in str(image.info.get("Software") or image.getexif()[0x0131])


def test_unmarked_and_foreign_pictures(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    assert provenance.read(tmp_path / "plain.png") is None
    foreign = images.Metadata("other", "AI-edited with tfface 1: {broken", "<x:xmpmeta><broken></x:xmpmeta>")
    for suffix in (".png", ".jpg", ".gif"):
        images.write_image(tmp_path / f"foreign{suffix}", np.zeros((8, 8, 3), np.uint8), metadata=foreign)
        assert provenance.read(tmp_path / f"foreign{suffix}") is None
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match="text.png"):
        provenance.read(tmp_path / "text.png")
    with pytest.raises(InputError, match="missing.png"):
        provenance.read(tmp_path / "missing.png")


@pytest.mark.parametrize("size", [(4, 3), (24, 24), (48, 48), (64, 200), (256, 256), (1200, 1800)])
@pytest.mark.parametrize("level", [0, 110, 255])
def test_label_is_there_and_nowhere_else(size, level):
    pixels = np.full((*size, 3), level, np.uint8)
    labelled, (left, top, right, bottom) = provenance.add_label(pixels)
    assert 0 <= left < right <= size[1] and 0 <= top < bottom <= size[0]
    inside = labelled[top:bottom, left:right].astype(int)
    if min(size) >= 48:
        assert inside.max() - inside.min() > 150  # text and plate contrast whatever is behind
    outside = labelled.copy()
    outside[top:bottom, left:right] = level
    np.testing.assert_array_equal(outside, pixels)
    assert (pixels == level).all()
    if min(size) >= 256:
        assert (right - left) * (bottom - top) < 0.03 * size[0] * size[1]


def test_label_avoids_faces():
    pixels = np.zeros((200, 300, 3), np.uint8)
    corner = provenance.add_label(pixels)[1]
    assert corner[0] > 150 and corner[1] > 100
    _, (left, top, _, _) = provenance.add_label(pixels, [(150, 100, 300, 200), (0, 100, 150, 200)])
    assert left > 150 and top < 100
