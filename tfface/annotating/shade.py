"""Shade of a face: what wrinkles, bulges and shut lids look like. No TensorFlow.

Two descriptions of one upright crop. Gabor responses at the landmarks are EmotioNet's (Benitez-Quiroz, Srinivasan &
Martinez 2016): wavelengths 4, 4 sqrt 2, 8, 8 sqrt 2 and 16 pixels, gamma 1; here 6 orientations, sigma = lambda / 2 and
the size of the response to both phases, relative to the contrast around the landmark, which light changes least.
Histograms of oriented gradients (Dalal & Triggs 2005) of the whole crop also see what lies between the landmarks.
"""

import functools

import cv2
import numpy as np
from skimage import feature

from tfface import alignment, images
from tfface.annotating.shape import POINTS

CROP = 128  # pixels of the crop (margin 1.0): about 38 between the eyes
WAVELENGTHS = (4.0, 4 * 2**0.5, 8.0, 8 * 2**0.5, 16.0)
ORIENTATIONS = 6
_HALF = 15  # pixels of a landmark's surroundings to each side
_LEAST_CONTRAST = 2.0  # grey levels of 255 below which there is nothing but noise


def crop(picture, landmarks, size=CROP, margin=1.0):
    """Returns the (size, size, 3) uint8 upright crop of a picture and the (68, 2) landmarks in its pixels."""
    matrix = alignment.alignment_matrix(landmarks, size, margin)
    return images.warp(picture, matrix, size), alignment.apply(matrix, landmarks)


def gabor(face, landmarks):
    """Returns (66 * 5 * 6,) float32 responses at the landmarks of a `crop`, 0 or more."""
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
    around = np.arange(-_HALF, _HALF + 1, dtype=np.float32)
    centres = landmarks[POINTS].astype(np.float32) - 0.5  # OpenCV's pixel centres are at integers
    x = np.repeat(centres[:, :1, None] + around[None, None], len(around), 1)
    y = np.repeat(centres[:, 1:, None] + around[None, :, None], len(around), 2)
    shape = (-1, len(around))
    patches = cv2.remap(grey, x.reshape(shape), y.reshape(shape), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    patches = patches.reshape(len(POINTS), -1)
    patches = patches - patches.mean(1, keepdims=True)
    patches /= np.maximum(patches.std(1, keepdims=True), _LEAST_CONTRAST)
    even, odd = np.split(patches @ bank(), 2, 1)
    return np.hypot(even, odd).ravel()


@functools.cache
def bank():
    """Returns (961, 60) float32: the 30 even filters, then the 30 odd ones, without mean and with unit length."""
    y, x = np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1].astype(np.float64)
    filters = []
    for phase in (0.0, np.pi / 2):
        for wavelength in WAVELENGTHS:
            envelope = np.exp(-(x**2 + y**2) / (2 * (wavelength / 2) ** 2))
            for angle in np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS:
                along = x * np.cos(angle) + y * np.sin(angle)
                wave = np.cos(2 * np.pi * along / wavelength + phase)
                filtered = envelope * (wave - (envelope * wave).sum() / envelope.sum())
                filters.append(filtered.ravel() / np.linalg.norm(filtered))
    return np.stack(filters, 1).astype(np.float32)


def histograms(face):
    """Returns (8100,) float32: 9 orientations in cells of 8 pixels, blocks of 2 x 2 cells, of a `crop`."""
    grey = np.sqrt(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255)
    return feature.hog(grey, 9, (8, 8), (2, 2), "L2-Hys").astype(np.float32)
