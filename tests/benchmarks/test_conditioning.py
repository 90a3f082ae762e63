import numpy as np

from benchmarks.conditioning import control


def test_control_is_the_share_of_the_asked_change():
    source, truth = np.zeros((2, 4)), np.ones((2, 4))
    assert control(source, source, truth) == 0
    assert control(source, truth, truth) == 1
    assert control(source, 0.25 * truth, truth) == 0.25
    assert control(source, -truth, truth) == -1
