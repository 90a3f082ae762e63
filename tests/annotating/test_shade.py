"""Shade features answer to lines of their own width and direction, and hardly to the light."""

import numpy as np
import pytest

from tfface.annotating import shade


def striped(wavelength, angle, contrast=60.0):
    y, x = np.mgrid[: shade.CROP, : shade.CROP] + 0.5
    along = x * np.cos(angle) + y * np.sin(angle)
    grey = 128 + contrast * np.cos(2 * np.pi * along / wavelength)
    return np.repeat(grey[..., None], 3, -1).round().astype(np.uint8)


LANDMARKS = np.random.default_rng(0).uniform(40, 88, (68, 2))


def responses(picture, landmarks=LANDMARKS):
    return shade.gabor(picture, landmarks).reshape(66, len(shade.WAVELENGTHS), shade.ORIENTATIONS)


@pytest.mark.parametrize("wavelength", range(5))
@pytest.mark.parametrize("orientation", range(6))
def test_the_matching_filter_answers_most(wavelength, orientation):
    found = responses(striped(shade.WAVELENGTHS[wavelength], orientation * np.pi / 6)).mean(0)
    assert np.unravel_index(found.argmax(), found.shape) == (wavelength, orientation)


def test_contrast_and_brightness_hardly_matter():
    strong, weak = (responses(striped(8.0, 0.5, contrast)) for contrast in (100, 20))
    np.testing.assert_allclose(weak, strong, rtol=0.1, atol=0.15)


def test_a_flat_picture_has_no_response():
    assert responses(np.full((128, 128, 3), 90, np.uint8)).max() == pytest.approx(0, abs=1e-3)


def test_filters_have_no_mean_and_unit_length():
    np.testing.assert_allclose(np.linalg.norm(shade.bank(), axis=0), 1, rtol=1e-5)
    # What little envelope lies outside of the largest filters leaves them a small mean.
    assert np.abs(shade.bank().sum(0)).max() < 1e-2


def test_crop_places_landmarks():
    landmarks = np.random.default_rng(1).normal(100, 30, (68, 2))
    picture = np.random.default_rng(2).integers(0, 255, (220, 200, 3), dtype=np.uint8)
    face, placed = shade.crop(picture, landmarks)
    eyes = placed[36:42].mean(0), placed[42:48].mean(0)
    assert face.shape == (128, 128, 3) and shade.histograms(face).shape == (8100,)
    assert np.isfinite(eyes).all()
