import pytest

from benchmarks import planning
from benchmarks.planning import Device, Work

WORK = Work(operations=2e9, examples=5, exchanged=4e8)
DEVICE = Device(peak=1e13, share=0.5, bandwidth=1e10, batch=10)


def test_a_step_computes_and_exchanges():
    assert planning.step_seconds(WORK, DEVICE, 1) == pytest.approx((2e9 * 5 * 10 / 5e12, 0.0))
    assert planning.step_seconds(WORK, DEVICE, 8) == pytest.approx((0.02, 4e8 * 2 * 7 / 8 / 1e10))


def test_devices_add_up_but_for_the_exchange():
    assert planning.examples_per_second(WORK, DEVICE, 1) == pytest.approx(50 / 0.02)
    assert planning.examples_per_second(WORK, DEVICE, 8) == pytest.approx(8 * 50 / (0.02 + 0.07))


def test_work_of_a_model_is_that_of_its_step():
    from benchmarks.speed import flops
    from tfface.models.attgan import AttGAN, AttGANConfig

    work = planning.counted("attgan", 64)
    config = AttGANConfig.from_preset("paper", image_size=64, steps=1000)
    model = AttGAN(config)
    assert work.examples == 6  # five critic updates and one of the generator, on examples of their own
    sizes = [sum(v.numpy().nbytes for v in m.trainable_variables) for m in (model.discriminator, model.generator)]
    assert work.exchanged == 5 * sizes[0] + sizes[1]
    updates = flops.iteration(model)
    assert work.operations * 6 == pytest.approx(5 * updates["d"] + updates["g"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--peak 0 --share 0.5", "--peak"),
        ("--peak 1 --share 2", "--share"),
        ("--peak 1 --share 1 --devices 0", "--devices"),
    ],
)
def test_bad_input_is_one_line(words, said, capsys):
    assert planning.main(words.split()) == 2
    shown = capsys.readouterr().err
    assert said in shown and shown.count("\n") == 1
