import argparse
import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfface import config
from tfface.errors import InputError


@dataclasses.dataclass(frozen=True)
class Example:
    preset: str = "paper"
    steps: int = 10
    rate: float = 1e-4
    residual: bool = False
    name: str = "x"
    widths: tuple[int, ...] = (1, 2)
    pair: tuple[float, float] = (0.5, 0.999)
    limit: int | None = None

    PRESETS = {"smoke": {"steps": 1, "rate": 1}, "paper": {}}

    def __post_init__(self):
        if self.steps < 0:
            raise ValueError("steps must not be negative")


finite = st.floats(allow_nan=False, allow_infinity=False)
examples = st.builds(
    Example,
    steps=st.integers(0),
    rate=finite,
    residual=st.booleans(),
    name=st.text(),
    widths=st.lists(st.integers()).map(tuple),
    pair=st.tuples(finite, finite),
    limit=st.none() | st.integers(),
)


@given(examples)
def test_json_and_back_is_the_same(example):
    assert config.build(Example, json.loads(json.dumps(config.to_json(example)))) == example


@given(examples)
def test_assignments_and_back_are_the_same(example):
    texts = []
    for name, value in dataclasses.asdict(example).items():
        if name == "name":  # any text, also with blanks around it, which an assignment drops
            continue
        text = ",".join(map(repr, value)) if isinstance(value, tuple) else str(value)
        texts.append(f"{name}={text}")
    parsed = config.build(Example, config.parse_assignments(texts, Example))
    assert dataclasses.replace(parsed, name=example.name) == example


def test_a_whole_number_is_a_float_but_not_the_other_way_round():
    assert config.check_value("rate", 1, float) == 1.0
    for value in (1.0, True, "1"):
        with pytest.raises(InputError, match="expected int"):
            config.check_value("steps", value, int)


@pytest.mark.parametrize(
    "assignment, message",
    [
        ("step=3", "did you mean 'steps'"),
        ("zzz=3", "known: preset, steps"),
        ("steps", "expected key=value"),
        ("steps=1.5", "expected int"),
        ("rate=nan", "expected float"),
        ("rate=fast", "expected float"),
        ("residual=maybe", "expected bool"),
        ("widths=1,x", "expected int"),
        ("pair=1,2,3", "expected 2 values"),
    ],
)
def test_a_bad_assignment_is_named(assignment, message):
    with pytest.raises(InputError, match=message) as caught:
        config.parse_assignments([assignment], Example)
    assert "\n" not in str(caught.value)


def test_presets_then_overrides():
    assert config.from_preset(Example, "smoke", {"steps": 7}) == Example(preset="smoke", steps=7, rate=1.0)
    with pytest.raises(InputError, match="did you mean 'smoke'"):
        config.from_preset(Example, "smoek", {})
    with pytest.raises(InputError, match="--preset"):
        config.from_preset(Example, "smoke", {"preset": "paper"})
    with pytest.raises(InputError, match="must not be negative"):
        config.from_preset(Example, "paper", {"steps": -1})


def test_only_given_flags_are_returned():
    parser = argparse.ArgumentParser()
    config.add_flags(parser, config.RunSettings)
    arguments = parser.parse_args(["--seed", "3", "--deterministic", "off"])
    assert config.flag_values(arguments, config.RunSettings) == {"seed": 3, "deterministic": False}
    with pytest.raises(InputError, match="precision='float16': expected one of auto, float32"):
        config.flag_values(parser.parse_args(["--precision", "float16"]), config.RunSettings)


def test_every_run_setting_has_help_and_survives_json():
    settings = config.RunSettings(seed=5, jit="on")
    assert config.build(config.RunSettings, config.to_json(settings)) == settings
    assert all(field.metadata["help"] for field in dataclasses.fields(config.RunSettings))
    assert set(config.FIXED_SETTINGS) < set(config.field_types(config.RunSettings))


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_damaged_json_file_is_an_input_error(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match="config.json"):
        config.read_json(tmp_path / "config.json")


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError):
        config.write_json(tmp_path / "metrics.json", {"psnr": math.nan})
    assert not (tmp_path / "metrics.json").exists()
