import keras
import matplotlib
import numpy as np
import pytest

from tfface import figures
from tfface.models import ganimation

matplotlib.use("Agg")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.float32([[[-1.0, 0.0, 2.0]]]), [[[0, 128, 255]]]),
        (np.float32([[[3.0], [5.0], [4.0]]]), [[0, 255, 128]]),
        (np.uint8([[[1, 2, 3]]]), [[[1, 2, 3]]]),
        (np.float32([[7.0, 7.0]]), [[0, 0]]),
    ],
)
def test_tensors_become_pictures(values, expected):
    assert figures.as_picture(values).tolist() == expected


def test_shapes_follow_the_network():
    network = ganimation.Generator(image_size=32, width=4, residual_blocks=1)
    found = figures.shapes(network)
    assert found[0] == ("image", (32, 32, 3)) and found[-1] == ("heads", (32, 32, 4))
    assert ("down4", (8, 8, 16)) in found and ("residual1", (8, 8, 16)) in found
    assert len(figures.draw_shapes(network).axes[0].patches) == len(found)


def test_vectors_and_a_choice_of_blocks():
    network = ganimation.Discriminator(image_size=32, width=4, depth=2)
    dense = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5, name="last")])
    assert figures.shapes(dense)[-1] == ("last", (5,)) and len(figures.draw_shapes(dense).axes[0].patches) == 1
    chosen = figures.shapes(network, only="1$")
    assert [name for name, _ in chosen] == ["image", "down1"]


def test_rows_of_pictures_with_an_empty_place():
    picture = np.zeros((4, 4, 3), np.uint8)
    figure = figures.show([[picture, None], [picture, picture]], ["a", "b"], ["x", "y"])
    assert [len(axis.images) for axis in figure.axes] == [1, 0, 1, 1]
    assert [axis.get_title() for axis in figure.axes] == ["a", "b", "", ""]
