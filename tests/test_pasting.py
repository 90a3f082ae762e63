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


def test_detail_that_the_model_cannot_see_stays_where_it_paints_nothing(photo, face):
    grain = np.random.default_rng(0).integers(-8, 9, photo.shape)
    grainy = (np.full_like(photo, 120) + grain).astype(np.uint8)
    crop = pasting.Crop(
        images.warp(grainy, (m := pasting.take(photo, face, 32).matrix), 32), m, pasting.take(photo, face, 32).mask
    )
    edited = as_model(crop) + 30 / 127.5
    x, y = face.landmarks[30].astype(int)
    inside = np.s_[y - 8 : y + 8, x - 8 : x + 8]
    kept = pasting.paste(grainy, crop, edited, np.ones((32, 32, 1)))[inside].astype(int) - grainy[inside]
    assert np.abs(kept - 30).max() <= 1
    painted = pasting.paste(grainy, crop, edited, np.zeros((32, 32, 1)))[inside]
    assert painted.std() < 0.6 * grainy[inside].std()


def test_a_face_at_the_border_of_the_photo(photo):
    cut = np.ascontiguousarray(photo[:150, :])
    faces = Landmarker().find(cut)
    crop = pasting.take(cut, faces[0], 64)
    result = pasting.paste(cut, crop, as_model(crop) * 0.5)
    assert result.shape == cut.shape and (result != cut).any()
