"""What goes back into the photo: the edit and nothing else."""

import numpy as np
import pytest
from skimage import data

from tfface import alignment, images, pasting
from tfface.faces import Landmarker


@pytest.fixture(scope="module")
def photo():
    return data.astronaut()


@pytest.fixture(scope="module")
def face(photo):
    return Landmarker().find(photo)[0]


def as_model(crop):
    return crop.image.astype(np.float32) / 127.5 - 1


@pytest.mark.parametrize("size", [32, 128, 256])
def test_an_edit_that_changes_nothing_leaves_every_byte(photo, face, size):
    crop = pasting.take(photo, face, size)
    for attention in (None, np.ones((size, size, 1)), np.zeros((size, size, 1))):
        result = pasting.paste(photo, crop, as_model(crop), attention)
        np.testing.assert_array_equal(result, photo)
        assert result is not photo


def test_bytes_outside_the_mask_stay(photo, face):
    crop = pasting.take(photo, face, 128)
    result = pasting.paste(photo, crop, -as_model(crop))
    scale = np.diag([128 / crop.mask.shape[0], 128 / crop.mask.shape[0], 1])
    mask = images.warp(crop.mask, alignment.invert(crop.matrix) @ scale, photo.shape[1::-1], border="black")
    changed = (result != photo).any(-1)
    assert not changed[mask <= 0].any()
    assert changed[mask > 0.5].mean() > 0.9
    left, top, right, bottom = face.box.astype(int)
    assert changed.sum() < 3 * (right - left) * (bottom - top)


def test_the_mask_covers_the_face_and_ends_inside_the_crop(photo, face):
    crop = pasting.take(photo, face, 128)
    points = np.floor(alignment.apply(crop.matrix, face.landmarks) * 2).astype(int)
    assert crop.mask[points[17:, 1], points[17:, 0]].min() > 0.95
    assert crop.mask[points[:17, 1], points[:17, 0]].min() > 0.15  # the rim is soft
    edge = np.concatenate([crop.mask[0], crop.mask[-1], crop.mask[:, 0], crop.mask[:, -1]])
    assert not edge.any()
    assert np.abs(np.diff(crop.mask, axis=1)).max() < 0.12  # no step that would show as a seam


def test_an_even_change_arrives_as_it_is_and_without_a_seam(photo, face):
    crop = pasting.take(photo, face, 128)
    grey = np.full_like(photo, 100)
    flat = pasting.Crop(np.full_like(crop.image, 100), crop.matrix, crop.mask)
    result = pasting.paste(grey, flat, as_model(flat) + 40 / 127.5).astype(int)
    centre = face.landmarks[33].astype(int)
    assert (result[centre[1], centre[0]] == 140).all()
    assert np.abs(np.diff(result, axis=0)).max() <= 8 and np.abs(np.diff(result, axis=1)).max() <= 8


def test_detail_that_the_model_cannot_see(photo, face):
    rng = np.random.default_rng(0)
    x, y = face.landmarks[30].astype(int)
    clean = np.full_like(photo, 120)
    lined = clean.copy()
    lined[y] = 40  # one dark line, too thin for a small crop
    grainy = (lined + rng.integers(-4, 5, photo.shape)).astype(np.uint8)
    matrix, mask = pasting.take(photo, face, 32).matrix, pasting.take(photo, face, 32).mask
    crop = pasting.Crop(images.warp(clean, matrix, 32), matrix, mask)
    inside = np.s_[y - 3 : y + 4, x - 3 : x + 4]

    tone = as_model(crop) + 30 / 127.5
    for attention in (None, np.ones((32, 32, 1)), np.zeros((32, 32, 1))):  # another tone is no new structure
        kept = pasting.paste(grainy, crop, tone, attention)[inside].astype(int) - grainy[inside]
        assert np.abs(kept - 30).max() <= 1
    new = as_model(crop)
    new[np.indices((32, 32)).sum(0) // 3 % 2 == 0] += 60 / 127.5
    kept = pasting.paste(grainy, crop, new, np.ones((32, 32, 1)))
    gone = pasting.paste(grainy, crop, new, np.zeros((32, 32, 1)))
    assert kept[y, x - 3 : x + 4].mean() + 50 < gone[y, x - 3 : x + 4].mean()
    # Grain stays even under new paint.
    fine = [picture[y + 3, x - 3 : x + 4].astype(int) for picture in (kept, gone)]
    assert np.abs(fine[0] - fine[1]).mean() < 4


def test_a_face_at_the_border_of_the_photo(photo):
    cut = np.ascontiguousarray(photo[:150, :])
    faces = Landmarker().find(cut)
    crop = pasting.take(cut, faces[0], 64)
    result = pasting.paste(cut, crop, as_model(crop) * 0.5)
    assert result.shape == cut.shape and (result != cut).any()


def test_an_edit_is_compared_with_what_the_model_redraws_anyway(photo, face):
    crop = pasting.take(photo, face, 64)
    redrawn = as_model(crop) * 0.7 + 0.1
    np.testing.assert_array_equal(pasting.paste(photo, crop, redrawn, before=redrawn), photo)
    # An even change is added to the photo; new structure replaces what was there, with the model's own pixels.
    grey = np.full_like(photo, 100)
    flat = pasting.Crop(np.full_like(crop.image, 100), crop.matrix, crop.mask)
    x, y = face.landmarks[33].astype(int)
    dark = as_model(flat) - 60 / 127.5
    assert pasting.paste(grey, flat, dark + 20 / 127.5, before=dark)[y, x, 0] == 120
    stripes = dark + (np.indices((64, 64)).sum(0) // 4 % 2 * 80 / 127.5)[..., None].astype(np.float32)
    painted = pasting.paste(grey, flat, stripes, before=dark)[y - 8 : y + 9, x - 8 : x + 9].astype(int)
    assert abs(painted.min() - 40) < 20 and abs(painted.max() - 120) < 20  # cubic enlarging overshoots


def test_the_whole_crop_may_change_but_for_a_soft_rim(photo, face):
    crop = pasting.take(photo, face, 64, margin=1.5, region="crop")
    mask = crop.mask
    np.testing.assert_array_equal(mask, mask.T)
    np.testing.assert_array_equal(mask, mask[::-1, ::-1])
    assert not mask[0].any() and mask[128, 40] == 1.0 and (mask > 0.99).mean() > 0.5
    assert np.abs(np.diff(mask, axis=1)).max() < 0.06
