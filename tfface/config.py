"""Settings: one dataclass field is one setting, read from flags, from ``--set key=value`` and from ``config.json``.

A model's settings are its ``Config`` dataclass; the settings every run has are `RunSettings`. Values are checked
against the field's type wherever they come from, and a name that does not exist is an error that offers the nearest
one. No TensorFlow is imported here.
"""

import argparse
import dataclasses
import difflib
import json
import math
import types
import typing
from pathlib import Path

from tfface.errors import InputError

TRUE, FALSE = ("true", "on", "yes", "1"), ("false", "off", "no", "0")


def setting(default, help, choices=None):
    """A dataclass field with the one sentence that ``--help`` shows and, if given, its allowed values."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices})


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """What every training run has, whatever the model. A cadence of 0 follows from the length of the run."""

    seed: int = setting(0, "seed of weights, batches and of the rendered data set")
    precision: str = setting(
        "auto",
        "auto: mixed_bfloat16 where the GPU or CPU computes in it, else float32",
        ("auto", "float32", "mixed_bfloat16"),
    )
    jit: str = setting("auto", "compile with XLA; auto: on a GPU", ("auto", "on", "off"))
    deterministic: bool = setting(True, "on a GPU too, the same run twice gives the same weights")
    strategy: str = setting(
        "none",
        "none: one device; mirrored: all GPUs of this machine; multiworker: the machines that TF_CONFIG names",
        ("none", "mirrored", "multiworker"),
    )
    log_every: int = setting(0, "steps between lines of metrics.jsonl (0: 200 lines a run)")
    sample_every: int = setting(0, "steps between sample grids (0: 20 grids a run, 10 steps or more)")
    checkpoint_every: int = setting(0, "steps between checkpoints (0: 20 a run, 10 steps or more)")
    keep_checkpoints: int = setting(3, "newest checkpoints kept on disk")

    def __post_init__(self):
        for name in ("seed", "log_every", "sample_every", "checkpoint_every"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}={getattr(self, name)}: must not be negative")
        if self.strategy != "none" and self.jit == "on":
            raise InputError(f"jit=on: XLA compiles the step of one device only; leave out --strategy {self.strategy}")
        if self.keep_checkpoints < 2:
            raise InputError(
                f"keep_checkpoints={self.keep_checkpoints}: at least 2, so that a damaged one can be replaced"
            )


# Settings that change what is learned: a resumed run must keep them. The others may differ from one start to the next.
FIXED_SETTINGS = ("seed", "precision", "jit", "deterministic")


def nearest(name, known):
    """Returns `` (did you mean 'x'?)`` for the known name most like `name`, or the list of them."""
    known = [str(k) for k in known]
    match = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    return f" (did you mean {match[0]!r}?)" if match else f" (known: {', '.join(known)})"


def field_types(cls):
    """Returns ``{field name: resolved type}`` of a dataclass, in order."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def type_name(kind):
    """Returns a type the way messages spell it: ``int``, ``float or none``, ``tuple of float``."""
    if _is_optional(kind):
        return f"{type_name(_inner(kind))} or none"
    if typing.get_origin(kind) is tuple:
        return f"tuple of {type_name(typing.get_args(kind)[0])}"
    return kind.__name__


def check_value(name, value, kind):
    """Returns `value` as `kind` (an int may stand where a float is meant, a list where a tuple is); else InputError."""
    if _is_optional(kind):
        return None if value is None else check_value(name, value, _inner(kind))
    if typing.get_origin(kind) is tuple:
        if isinstance(value, (list, tuple)):
            inner = typing.get_args(kind)
            kinds = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is Ellipsis else inner
            if len(kinds) == len(value):
                return tuple(check_value(name, item, k) for item, k in zip(value, kinds, strict=True))
            raise InputError(f"{name}={value!r}: expected {len(kinds)} values, got {len(value)}")
    elif kind is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    elif kind is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif isinstance(value, kind):
        return value
    raise InputError(f"{name}={value!r}: expected {type_name(kind)}")


def parse_value(name, text, kind):
    """Returns what `text` says, as `kind`; tuples are comma-separated, bools true/false or on/off."""
    wrong = InputError(f"{name}={text!r}: expected {type_name(kind)}")
    if _is_optional(kind):
        return None if text.lower() == "none" else parse_value(name, text, _inner(kind))
    if typing.get_origin(kind) is tuple:
        parts = [part.strip() for part in text.strip("()[] ").split(",") if part.strip()]
        inner = typing.get_args(kind)[0]
        return check_value(name, [parse_value(name, part, inner) for part in parts], kind)
    if kind is bool:
        if text.lower() not in TRUE + FALSE:
            raise wrong
        return text.lower() in TRUE
    if kind is str:
        return text
    try:
        return check_value(name, kind(text), kind)
    except ValueError:
        raise wrong from None


def _is_optional(kind):
    return typing.get_origin(kind) in (typing.Union, types.UnionType) and type(None) in typing.get_args(kind)


def _inner(kind):
    return next(k for k in typing.get_args(kind) if k is not type(None))


def check_values(cls, values, where="setting"):
    """Returns `values` checked field by field against the dataclass `cls`; unknown names are InputErrors."""
    kinds = field_types(cls)
    choices = {field.name: field.metadata.get("choices") for field in dataclasses.fields(cls)}
    checked = {}
    for name, value in values.items():
        if name not in kinds:
            raise InputError(f"unknown {where} {name!r}{nearest(name, kinds)}")
        checked[name] = check_value(name, value, kinds[name])
        if choices[name] and value not in choices[name]:
            raise InputError(f"{name}={value!r}: expected one of {', '.join(map(str, choices[name]))}")
    return checked


def parse_assignments(assignments, cls):
    """Returns the checked values of ``["key=value", ...]`` for the dataclass `cls`."""
    kinds, values = field_types(cls), {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise InputError(f"--set {assignment!r}: expected key=value")
        if name not in kinds:
            raise InputError(f"--set {assignment!r}: unknown setting {name!r}{nearest(name, kinds)}")
        values[name] = parse_value(name, text.strip(), kinds[name])
    return check_values(cls, values)


def from_preset(cls, preset, overrides):
    """Returns `cls`, which has a field `preset`, with that preset's values and, over them, the checked `overrides`."""
    if preset not in cls.PRESETS:
        raise InputError(f"unknown preset {preset!r}{nearest(preset, cls.PRESETS)}")
    if "preset" in overrides:
        raise InputError("--set preset: choose the preset with --preset")
    return build(cls, {"preset": preset, **cls.PRESETS[preset], **overrides})


def build(cls, values):
    """Returns the dataclass from plain values; a value the dataclass itself refuses is an InputError too."""
    try:
        return cls(**check_values(cls, values))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(" ".join(str(error).split())) from error


def to_json(config):
    """Returns a dataclass as a dict of plain JSON values (tuples become lists)."""
    return json.loads(json.dumps(dataclasses.asdict(config), allow_nan=False))


def add_flags(parser, cls):
    """Adds one ``--flag`` per field of `cls` to an argparse parser; a flag not given leaves no attribute behind."""
    kinds = field_types(cls)
    for field in dataclasses.fields(cls):
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            dest=field.name,
            default=argparse.SUPPRESS,
            metavar="|".join(field.metadata["choices"] or ()) or type_name(kinds[field.name]).upper(),
            help=f"{field.metadata['help']} (default: {field.default})",
        )


def flag_values(arguments, cls):
    """Returns the checked values of those flags of `cls` that were given on the command line."""
    given = {name: kind for name, kind in field_types(cls).items() if hasattr(arguments, name)}
    values = {
        name: parse_value("--" + name.replace("_", "-"), getattr(arguments, name), kind) for name, kind in given.items()
    }
    return check_values(cls, values)


def write_json(path, values):
    """Writes `values` as readable JSON, complete or not at all."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n")
    part.replace(path)


def read_json(path):
    """Returns the dict in a JSON file; a missing or damaged file is an InputError."""
    try:
        values = json.loads(Path(path).read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error})") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a JSON object")
    return values
