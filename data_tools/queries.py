"""Queries over a data set's labels, such as ``AU12>0.5 and emotion=happy``, for ``data_tools.inspect --where``.

A condition is ``NAME OP VALUE`` with one of ``= != < <= > >=``; conditions join by ``and``, ``or``, ``not`` and
parentheses. Names are action units (0-5), attributes (0/1, or alone: ``Smiling``), ``yaw pitch roll azimuth
elevation`` (degrees), ``identity``, ``confidence`` and ``emotion`` (`tfface.emotions`). What is unknown about a record
makes a condition neither true nor false, and such records are not chosen, not by ``not`` either.
"""

import ast
import operator
import re

import numpy as np

from tfface import config, conventions, emotions
from tfface.errors import InputError

_OPERATORS = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip
_ANGLES = {"yaw": ("pose", 0), "pitch": ("pose", 1), "roll": ("pose", 2), "azimuth": ("light", 0),
           "elevation": ("light", 1)}  # fmt: skip
NAMES = (*conventions.ACTION_UNITS, *conventions.ATTRIBUTES, *_ANGLES, "identity", "confidence", "emotion")
_SPELLED = {name.lower(): name for name in NAMES}


def select(text, labels):
    """Returns which records a query chooses.

    Args:
        text: the query.
        labels: dict of arrays with a row for each record: the record's features by name.

    Returns:
        (N,) bool.

    Raises:
        InputError: the query cannot be read, or names something unknown.
    """
    try:
        # A name may begin with a digit (5_o_Clock_Shadow) and "=" is how people write "is".
        spelled = re.sub(r"\b5_o_clock_shadow\b", "_5_o_Clock_Shadow", text, flags=re.IGNORECASE)
        tree = ast.parse(re.sub(r"(?<![<>!=])=(?!=)", "==", spelled).strip(), mode="eval").body
    except SyntaxError:
        raise _unread(text) from None
    yes, _ = _truth(tree, labels, text)
    return yes


def _unread(text):
    return InputError(f'--where "{text}": cannot be read; expected conditions such as "AU12>0.5 and emotion=happy"')


def _truth(node, labels, text):
    """Returns two (N,) bools: where the node is true, and where it is false; where neither, it is unknown."""
    if isinstance(node, ast.BoolOp):
        parts = [_truth(part, labels, text) for part in node.values]
        yes, no = (np.stack(side) for side in zip(*parts, strict=True))
        return (yes.all(0), no.any(0)) if isinstance(node.op, ast.And) else (yes.any(0), no.all(0))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yes, no = _truth(node.operand, labels, text)
        return no, yes
    if isinstance(node, ast.Name):
        name = _name(node, text)
        if name not in conventions.ATTRIBUTES:
            raise InputError(f'--where "{text}": {name} is no yes or no; compare it, for instance {name}>1')
        return _compared(name, ast.Eq, 1, labels, text)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPERATORS:
        return _compared(_name(node.left, text), type(node.ops[0]), node.comparators[0], labels, text)
    raise _unread(text)


def _name(node, text):
    if not isinstance(node, ast.Name):
        raise _unread(text)
    name = node.id.removeprefix("_") if node.id.startswith("_5") else node.id
    if name.lower() not in _SPELLED:
        raise InputError(f'--where "{text}": unknown {name!r}{config.nearest(name, NAMES)}')
    return _SPELLED[name.lower()]


def _compared(name, kind, value, labels, text):
    if name == "emotion":
        return _emotion(kind, value, labels, text)
    values = _values(name, labels).astype(np.float64)
    known = ~np.isnan(values)
    if name in conventions.ATTRIBUTES or name == "identity":
        known &= values != conventions.UNKNOWN
    yes = _OPERATORS[kind](values, _number(value, text))
    return yes & known, ~yes & known


def _emotion(kind, value, labels, text):
    asked = value.id if isinstance(value, ast.Name) else getattr(value, "value", None)
    if kind not in (ast.Eq, ast.NotEq) or asked not in emotions.CATEGORIES:
        raise InputError(f'--where "{text}": an emotion is = or != one of {", ".join(emotions.CATEGORIES)}')
    shown = np.array([emotions.category(units) for units in labels["action_units"]])
    known = ~np.isnan(labels["action_units"]).any(1)
    same = shown == asked
    return (same & known, ~same & known) if kind is ast.Eq else (~same & known, same & known)


def _values(name, labels):
    if name in conventions.ACTION_UNITS:
        return labels["action_units"][:, conventions.ACTION_UNITS.index(name)]
    if name in conventions.ATTRIBUTES:
        return labels["attributes"][:, conventions.ATTRIBUTES.index(name)]
    if name in _ANGLES:
        feature, place = _ANGLES[name]
        return labels[feature][:, place]
    return labels[name]


def _number(value, text):
    if isinstance(value, int):
        return value
    try:
        number = ast.literal_eval(value)
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise InputError(f'--where "{text}": {ast.unparse(value)} is no number; expected one, such as AU12>0.5')
    return number
