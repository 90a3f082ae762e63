"""Periodic noise tiles that every texture of a person is cut from, each person and layer at a place of its own."""

import functools

import numpy as np

TILE = 256
WAVELENGTHS = (3.0, 6.0, 12.0, 26.0, 56.0, 110.0)  # texels


@functools.cache
def tiles():
    """Returns (6, TILE, TILE) float32 smooth noise, mean 0 and deviation 1, periodic, one per wavelength."""
    rng = np.random.default_rng(20)
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None])
    result = []
    for wavelength in WAVELENGTHS:
        spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE))) * np.exp(-((frequency * wavelength) ** 2) * 2)
        spectrum[0, 0] = 0
        tile = np.fft.irfft2(spectrum, (TILE, TILE))
        result.append(tile / tile.std())
    return np.stack(result).astype(np.float32)


@functools.cache
def strands():
    """Returns (TILE, TILE) float32 streaks along the columns' direction (rows are strands), mean 0, deviation 1."""
    rng = np.random.default_rng(21)
    along, across = np.fft.rfftfreq(TILE)[None], np.fft.fftfreq(TILE)[:, None]
    shape = np.exp(-((along * 70) ** 2)) * (0.55 * np.exp(-((across * 2.5) ** 2)) + 2.2 * np.exp(-((across * 14) ** 2)))
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE))) * shape
    spectrum[0, 0] = 0
    tile = np.fft.irfft2(spectrum, (TILE, TILE))
    return (tile / tile.std()).astype(np.float32)
