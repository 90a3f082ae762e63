import numpy as np
import pytest

from benchmarks import conditioning
from benchmarks.conditioning import control
from tfface.errors import InputError


def test_control_is_the_share_of_the_asked_change():
    source, truth = np.zeros((2, 4)), np.ones((2, 4))
    assert control(source, source, truth) == 0
    assert control(source, truth, truth) == 1
    assert control(source, 0.25 * truth, truth) == 0.25
    assert control(source, -truth, truth) == -1


def test_the_kinds_hold_the_presets():
    from tfface.models.ganimation import GANimationConfig

    laptop = GANimationConfig.from_preset("laptop")
    for name, value in conditioning.KINDS[conditioning.CONTINUED].items():
        assert getattr(laptop, name) == value


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """48 pictures of 24 scenes."""
    from tfface.synthetic.dataset import synthesize

    folder = tmp_path_factory.mktemp("data") / "answers"
    options = dict(count=48, image_size=16, seed=0, workers=1, progress=False, answers=2, images_per_person=1)
    return synthesize(folder, **options)


def test_a_comparison_goes_on_where_it_stopped(tmp_path, monkeypatch, answers):
    monkeypatch.setattr(conditioning, "KINDS", {"film": conditioning.KINDS["film"]})
    monkeypatch.setattr(conditioning, "PEOPLE", 4)
    options = dict(steps=2, further=1, image_size=16, seeds=1, progress=False)
    results = conditioning.compare(answers, tmp_path, **options)
    path = tmp_path / "results" / "film-0.json"
    before = path.stat().st_mtime_ns
    assert 0 < results["film", 0]["psnr_source"] < 60
    assert conditioning.compare(answers, tmp_path, **options) == results and path.stat().st_mtime_ns == before
    with pytest.raises(InputError, match="choose another -o"):
        conditioning.compare(answers, tmp_path, **{**options, "steps": 3})


@pytest.mark.slow
def test_the_discriminators_go_on_from_the_same_model(answers):
    from tfface.data.records import open_dataset

    dataset = open_dataset(answers)
    model, batches = conditioning.warmed_up(dataset, 1, 1, 16, conditioning.KINDS["film, relative"], seed=0)
    test = conditioning.held_out(dataset, 16)
    warm = conditioning.scores(model, test)
    new = conditioning.continued(model, batches, 1, test, new_discriminator=True)
    assert conditioning.scores(model, test) == warm  # all is put back
    old = conditioning.continued(model, batches, 1, test, new_discriminator=False)
    assert old == conditioning.continued(model, batches, 1, test, new_discriminator=False)
    assert len({warm["reading"], old["reading"], new["reading"]}) == 3


def test_tables():
    def result(value):
        return dict(control=value, control_estimated=0.1, psnr=30 + value, psnr_source=29.0, reading=0.5)

    names = (*conditioning.KINDS, *conditioning.READER)
    lines = conditioning.tables({(name, seed): result(0.2) for name in names for seed in (0, 1)}, 2).splitlines()
    assert lines[0].startswith("| conditioning | control | control, estimated | PSNR, dB |")
    assert lines[2] == "| concat | 0.200 ± 0.000 | 0.100 ± 0.000 | 30.20 ± 0.00 | 29.00 ± 0.00 | 0.500 ± 0.000 |"
    assert [line.split(" | ")[0] for line in lines[7:]] == [
        "| discriminator", "| ---", "| film, relative", "| reads already", "| starts new",
    ]  # fmt: skip


def test_bad_input_exits_2(tmp_path, capsys):
    assert conditioning.main(["--data", str(tmp_path), "-o", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
