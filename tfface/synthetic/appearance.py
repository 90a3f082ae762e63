"""A person's whole head texture, painted layer on layer: `face_texture`."""

import functools

import numba
import numpy as np

from tfface.synthetic import atlas, facehair, features, hair, skin
from tfface.synthetic.surface import surface


@functools.lru_cache(maxsize=24)
def _texture(person):
    colors = skin.paint(person)
    tone = np.median(colors[_sample(), :3], 0)
    features.paint_lips(colors, person.mouth, person.skin.melanin)
    facehair.paint_beard(colors, person.beard)
    facehair.paint_brows(colors, person.brows)
    facehair.paint_scalp(colors, hair.scalp_coverage(person), hair.root_color(person))
    features.paint_eyes(colors, person.eyes)
    features.paint_mouth_inside(colors, person.mouth)
    features.paint_lashes(colors, person.eyes, tone)
    texture = np.empty((atlas.SIZE, atlas.SIZE, 4), np.float32)
    _lay_out(texture, colors, _numbers())
    texture.setflags(write=False)
    return texture


@functools.cache
def _sample():
    """Texels spread over the head, whose median is the person's skin colour."""
    return np.flatnonzero(surface().where("head"))[::37]


@functools.cache
def _numbers():
    """(SIZE, SIZE) int32 number of each texel in use; texels that nothing shows repeat the first."""
    numbers = np.zeros((atlas.SIZE, atlas.SIZE), np.int32)
    numbers[surface().row, surface().column] = np.arange(len(surface().row))
    return numbers


@numba.njit(cache=True)
def _lay_out(texture, colors, numbers):
    for row in range(numbers.shape[0]):
        for column in range(numbers.shape[1]):
            for k in range(4):
                texture[row, column, k] = colors[numbers[row, column], k]


def face_texture(person):
    """Returns the (512, 512, 4) float32 read-only texture of a `people.Person` in atlas coordinates.

    Linear RGB albedo and gloss, all 0..1. It depends on the person and the attributes, never on expression, pose or
    light, and is kept for the last two dozen people.
    """
    return _texture(_ByLook(person))


def clear():
    """Forgets the textures that were kept."""
    _texture.cache_clear()


class _ByLook:
    """A person as a cache key: (identity, attributes) name the look, comparing every gene would take longer."""

    def __init__(self, person):
        self._person = person
        # Glasses are a mesh: putting them on paints nothing.
        self._key = (person.identity, tuple(pair for pair in person.attributes if pair[0] != "Eyeglasses"))

    def __getattr__(self, name):
        return getattr(self._person, name)

    def __hash__(self):
        return hash(self._key)

    def __eq__(self, other):
        return self._key == other._key
