import numpy as np
import pytest

from benchmarks import kernel_reader


def bars(angle, phase, size=32):
    """A picture of bars whose gradient points at `angle`, from 0 (across) to pi / 2 (down)."""
    y, x = np.mgrid[:size, :size]
    wave = 127.5 + 120 * np.sin((x * np.cos(angle) + y * np.sin(angle)) * 0.8 + phase)
    return np.repeat(wave[..., None], 3, -1).astype(np.uint8)


def test_histograms_tell_orientations():
    across, down, slanted = (kernel_reader.histograms(bars(a, 0)[None]).reshape(9, 4, 9) for a in (0, np.pi / 2, 0.52))
    assert across.dtype == np.float32 and (across.argmax(-1) == 0).all()
    assert np.isin(down.argmax(-1), (4, 5)).all()  # 90 degrees lie between 80 and 100
    assert np.isin(slanted.argmax(-1), (1, 2)).all()
    norms = np.linalg.norm(across.reshape(9, -1), axis=1)
    np.testing.assert_allclose(norms, 1, atol=0.01)


def test_histograms_ignore_brightness_and_flat_pictures():
    picture = bars(0.3, 0)[None]
    darker = (picture * 0.5).astype(np.uint8)
    assert np.abs(kernel_reader.histograms(picture) - kernel_reader.histograms(darker)).max() < 0.05
    assert not kernel_reader.histograms(np.full((1, 32, 32, 3), 7, np.uint8)).any()


def test_many_pictures_are_as_one():
    pictures = np.random.default_rng(0).integers(0, 255, (7, 16, 16, 3)).astype(np.uint8)
    alone = np.concatenate([kernel_reader.histograms(picture[None]) for picture in pictures])
    np.testing.assert_allclose(kernel_reader.histograms(pictures), alone, rtol=1e-5, atol=1e-7)


def test_a_reader_learns_what_it_was_shown_and_noise_asks_for_a_larger_ridge():
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, np.pi / 2, 120)
    images = np.stack([bars(angle, phase) for angle, phase in zip(angles, rng.uniform(0, 6, 120))])
    exact = np.stack([np.cos(2 * angles), angles], 1)
    chosen = np.arange(120) < 100
    clean, noisy = kernel_reader.fit(images, [exact, exact + rng.normal(0, 0.8, exact.shape)], chosen)
    new = rng.uniform(0, np.pi / 2, 40)
    truth = np.stack([np.cos(2 * new), new], 1)
    pictures = np.stack([bars(angle, phase) for angle, phase in zip(new, rng.uniform(0, 6, 40))])
    assert np.abs(clean(pictures) - truth).mean() < 0.05
    assert np.abs(clean(pictures) - truth).mean() < np.abs(noisy(pictures) - truth).mean() < 0.5
    np.testing.assert_allclose(clean(pictures), clean(pictures[:, :, ::-1]), atol=0.02)  # mirrored ones were shown too
    assert clean(pictures).shape == (40, 2) and clean(pictures) == pytest.approx(clean(pictures))
