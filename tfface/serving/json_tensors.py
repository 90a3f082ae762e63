"""TensorFlow Serving's JSON: requests in row and column format to arrays, arrays to answers. No TensorFlow.

The forms are those of "RESTful API" in TensorFlow Serving's guide: rows are ``{"instances": [...]}`` and answered with
``{"predictions": [...]}``, columns are ``{"inputs": ...}`` and answered with ``{"outputs": ...}``. Bytes are
``{"b64": "..."}``; an output whose name ends in ``_bytes`` is written so. NaN and Infinity are allowed.
"""

import base64
import binascii
import json

import numpy as np

from tfface.serving.status import invalid

_WHOLE = 2**24 - 1  # the largest whole number up to which float32 has all


def parse_request(body, signature):
    """Returns (arrays by name, format, signature name) of the body of a predict request.

    Args:
        body: bytes.
        signature: function from a signature's name to ``{input name: NumPy dtype}``, dtype object for bytes.

    Returns:
        dict of arrays whose first axis is the batch; "row" or "column"; name.

    Raises:
        ServingError: INVALID_ARGUMENT, as TensorFlow Serving answers.
    """
    try:
        request = json.loads(body)
    except RecursionError:
        raise invalid("JSON Parse error: nested too deeply") from None
    except ValueError as error:
        raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(request, dict):
        raise invalid(f"JSON Value: {_short(request)} Is not object")
    name = request.get("signature_name", "serving_default")
    if not isinstance(name, str):
        raise invalid("'signature_name' key must be a string value")
    types = signature(name or "serving_default")
    if "instances" in request and "inputs" in request:
        raise invalid("Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist")
    if "instances" in request:
        return _rows(request["instances"], types), "row", name
    if "inputs" in request:
        return _columns(request["inputs"], types), "column", name
    raise invalid("Missing 'inputs' or 'instances' key")


def _rows(instances, types):
    if not isinstance(instances, list):
        raise invalid("Expecting 'instances' to be a list/array")
    if not instances:
        raise invalid("No values in 'instances' array")
    named = _is_object(instances[0])
    if not named and len(types) > 1:
        raise invalid(f"instances is a plain list, but expecting list of objects with the keys {_names(types)}")
    for number, item in enumerate(instances):
        if _is_object(item) != named:
            raise invalid(f"Expecting {'object' if named else 'value/list'} at item {number} of input list")
        if named and item.keys() != types.keys():
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. Keys {_names(item)} must be equal to: "
                f"{_names(types)}"
            )
    if not named:
        (name,) = types
        return {name: to_array(instances, types[name], name)}
    return {name: to_array([item[name] for item in instances], kind, name) for name, kind in types.items()}


def _columns(inputs, types):
    if not _is_object(inputs):
        if len(types) > 1:
            raise invalid(f"inputs is a plain value/list, but expecting an object with the keys {_names(types)}")
        (name,) = types
        return {name: to_array(inputs, types[name], name)}
    for name in types:
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    if extra := inputs.keys() - types.keys():
        raise invalid(f"'inputs' object has unknown named inputs: {_names(extra)}; expected {_names(types)}")
    return {name: to_array(inputs[name], kind, name) for name, kind in types.items()}


def to_array(value, dtype, name):
    """Returns a nested JSON value as an array; `ServingError` if it is ragged or of another type.

    Args:
        value: numbers, strings or ``{"b64": ...}``, in lists of any depth.
        dtype: NumPy dtype, object for bytes.
        name: of the input, for messages.
    """
    dtype = np.dtype(dtype)
    if dtype.hasobject:
        shape = _shape(value)
        flat = []
        _flatten(value, shape, flat, name)
        result = np.empty(len(flat), object)
        result[:] = flat
        return result.reshape(shape)
    try:
        array = np.array(value)
    except (ValueError, OverflowError):  # lists of different lengths
        raise invalid(f"input {name!r}: lists of different lengths or depths at the same level") from None
    if array.size == 0:
        return array.astype(dtype)
    if array.dtype.kind not in ("iuf" if dtype.kind == "f" else "b" if dtype.kind == "b" else "iu"):
        raise invalid(f"input {name!r}: JSON value {_short(value)} is not of expected type: {dtype}")
    if dtype.kind == "f":
        finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
        largest = _WHOLE if array.dtype.kind in "iu" else np.finfo(dtype).max
        if finite.size and np.abs(finite).max() > largest:
            raise invalid(f"Cannot convert JSON value of input {name!r} to {dtype} without loss of precision.")
    return array.astype(dtype)


def _shape(value):
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _flatten(value, shape, found, name):
    if shape:
        if not isinstance(value, list) or len(value) != shape[0]:
            raise invalid(f"input {name!r}: lists of different lengths or depths at the same level")
        for item in value:
            _flatten(item, shape[1:], found, name)
    elif isinstance(value, str):
        found.append(value.encode())
    elif _is_base64(value):
        found.append(_decode(value["b64"]))
    elif isinstance(value, dict):
        raise invalid(f"JSON Value: {_short(value)} not formatted correctly for base64 data")
    else:
        raise invalid(f"input {name!r}: JSON value {_short(value)} is not of expected type: string")


def _decode(text):
    packed = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def _is_base64(value):
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _is_object(value):
    return isinstance(value, dict) and not _is_base64(value)


def answer(outputs, form):
    """Returns the text of the answer to a request of format `form` ("row" or "column").

    Args:
        outputs: arrays by name; in row format all of the same length.
    """
    values = {name: _to_json(array, name) for name, array in outputs.items()}
    if form == "row" and len({len(array) if np.ndim(array) else -1 for array in outputs.values()}) > 1:
        raise invalid("outputs have different batch sizes; use the column format, 'inputs'")
    if len(values) == 1:
        (content,) = values.values()
    elif form == "row":
        content = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    else:
        content = values
    return json.dumps({"predictions" if form == "row" else "outputs": content})


def _to_json(array, name):
    array = np.asarray(array)
    if array.dtype == object:
        binary = name.endswith("_bytes")
        return _strings(array.tolist(), binary)
    return short_decimals(array).tolist() if array.dtype == np.float32 else array.tolist()


def _strings(value, binary):
    if isinstance(value, list):
        return [_strings(item, binary) for item in value]
    return {"b64": base64.b64encode(value).decode()} if binary else value.decode("utf-8", "replace")


def short_decimals(array):
    """Returns float64 of the shortest of 6 or 9 digits that read back as the same float32.

    So 0.2 is written as 0.2 and not as 0.20000000298023224, which is what its float64 looks like.
    """
    exact = np.asarray(array, np.float64)
    result = exact.copy()
    with np.errstate(all="ignore"):
        places = np.floor(np.log10(np.abs(exact)))
        for digits in (9, 6):
            scale = np.power(10.0, digits - 1 - places)
            rounded = np.rint(exact * scale) / scale
            same = (np.abs(rounded) <= np.finfo(np.float32).max) & (rounded.astype(np.float32) == exact)
            result[same] = rounded[same]
    return result


def _names(names):
    return ",".join(sorted(names))


def _short(value):
    text = json.dumps(value)
    return text if len(text) < 80 else f"{text[:77]}..."
