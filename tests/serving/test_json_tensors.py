"""The examples of "RESTful API" in TensorFlow Serving's guide, as requests and as answers, and what it refuses."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfface.serving import json_tensors
from tfface.serving.status import ServingError

NAMED = {"tag": object, "signal": np.int64, "sensor": np.float32}


def parse(text, types):
    def signature(name):
        return {key: np.dtype(kind) for key, kind in types.items()}

    return json_tensors.parse_request(text.encode(), signature)


def test_rows_of_one_input_need_no_name():
    arrays, form, signature = parse('{"instances": ["foo", "bar", "baz"]}', {"tag": object})
    assert arrays["tag"].tolist() == [b"foo", b"bar", b"baz"]
    assert (form, signature) == ("row", "serving_default")
    arrays, _, _ = parse('{"instances": [[[1, 2]], [[3, 4]]]}', {"x": np.float32})
    assert arrays["x"].dtype == np.float32 and arrays["x"].tolist() == [[[1, 2]], [[3, 4]]]


ROWS = """{"signature_name": "named", "instances": [
  {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
  {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]}]}"""
COLUMNS = """{"inputs": {
  "tag": ["foo", "bar"],
  "signal": [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]],
  "sensor": [[[1, 2], [3, 4]], [[4, 5], [6, 8]]]}}"""


def test_rows_and_columns_of_named_inputs_say_the_same():
    rows, form, signature = parse(ROWS, NAMED)
    assert (form, signature) == ("row", "named")
    columns, form, signature = parse(COLUMNS, NAMED)
    assert (form, signature) == ("column", "serving_default")
    for name, kind in NAMED.items():
        assert rows[name].dtype == columns[name].dtype == kind
        np.testing.assert_array_equal(rows[name], columns[name])
    assert rows["sensor"].shape == (2, 2, 2)


def test_binary_values_are_base64_and_captions_are_text():
    text = """{"instances": [
        {"image_bytes": {"b64": "aW1hZ2UgYnl0ZXM="}, "caption": "seaside"},
        {"image_bytes": {"b64": "YXdlc29tZSBpbWFnZSBieXRlcw=="}, "caption": "mountains"}]}"""
    arrays, _, _ = parse(text, {"image_bytes": object, "caption": object})
    assert arrays["image_bytes"].tolist() == [b"image bytes", b"awesome image bytes"]
    assert arrays["caption"].tolist() == [b"seaside", b"mountains"]
    single, _, _ = parse('{"instances": [{"b64": "aW1hZ2UgYnl0ZXM"}]}', {"image_bytes": object})  # padding left out
    assert single["image_bytes"].tolist() == [b"image bytes"]


def test_numbers_that_json_does_not_know():
    arrays, _, _ = parse('{"inputs": [1.0, -3.14, NaN, Infinity, -Infinity, 1e-3]}', {"x": np.float32})
    np.testing.assert_array_equal(arrays["x"], np.float32([1.0, -3.14, np.nan, np.inf, -np.inf, 1e-3]))
    assert json_tensors.answer({"x": np.float32([np.nan, -np.inf])}, "row") == '{"predictions": [NaN, -Infinity]}'


def test_answers_in_both_formats():
    one = {"y": np.float32([3.5, 4.0, 5.5])}
    assert json_tensors.answer(one, "row") == '{"predictions": [3.5, 4.0, 5.5]}'
    assert json_tensors.answer(one, "column") == '{"outputs": [3.5, 4.0, 5.5]}'
    two = {"y": np.float32([[1], [2]]), "name": np.array([b"a", b"b"], object)}
    assert json.loads(json_tensors.answer(two, "row")) == {
        "predictions": [{"y": [1.0], "name": "a"}, {"y": [2.0], "name": "b"}]
    }
    assert json.loads(json_tensors.answer(two, "column")) == {"outputs": {"y": [[1.0], [2.0]], "name": ["a", "b"]}}
    packed = json.loads(json_tensors.answer({"image_bytes": np.array([b"\x89PNG"], object)}, "row"))
    assert packed == {"predictions": [{"b64": base64.b64encode(b"\x89PNG").decode()}]}


@pytest.mark.parametrize(
    "text, types, message",
    [
        ("", {"x": np.float32}, "Parse error"),
        ("{", {"x": np.float32}, "Parse error"),
        ("[" * 100_000, {"x": np.float32}, "nested too deeply"),
        ("[1]", {"x": np.float32}, "Is not object"),
        ("{}", {"x": np.float32}, "Missing 'inputs' or 'instances'"),
        ('{"instances": [1], "inputs": [1]}', {"x": np.float32}, "only one of"),
        ('{"instances": 1}', {"x": np.float32}, "list/array"),
        ('{"instances": []}', {"x": np.float32}, "No values"),
        ('{"instances": [1], "signature_name": 3}', {"x": np.float32}, "must be a string"),
        ('{"instances": ["a"]}', {"x": np.float32}, "not of expected type"),
        ('{"instances": [true]}', {"x": np.float32}, "not of expected type"),
        ('{"instances": [null]}', {"x": np.float32}, "not of expected type"),
        ('{"instances": [1.5]}', {"x": np.int64}, "not of expected type"),
        ('{"instances": [33554433]}', {"x": np.float32}, "without loss of precision"),
        ('{"instances": [1e39]}', {"x": np.float32}, "without loss of precision"),
        ('{"instances": [[1, 2], [3]]}', {"x": np.float32}, "different lengths"),
        ('{"instances": [[1], 2]}', {"x": np.float32}, "different lengths"),
        ('{"instances": [["a"], "b"]}', {"x": object}, "different lengths"),
        ('{"instances": [{"b64": "not base64!"}]}', {"x": object}, "Unable to base64 decode"),
        ('{"instances": [{"b64": 5}]}', {"x_bytes": object}, "must be equal to"),
        ('{"inputs": {"x": [{"b65": "YQ=="}]}}', {"x": object}, "for base64 data"),
        ('{"instances": [5]}', {"x": object}, "expected type: string"),
        ('{"instances": [1]}', NAMED, "list of objects"),
        ('{"instances": [{"tag": "a"}]}', NAMED, "must be equal to: sensor,signal,tag"),
        ('{"instances": [{"x": 1}, 2]}', {"x": np.float32}, "item 1"),
        ('{"inputs": [1]}', NAMED, "expecting an object"),
        ('{"inputs": {"tag": ["a"]}}', NAMED, "Missing named input"),
        ('{"inputs": {"x": [1], "y": [1]}}', {"x": np.float32}, "unknown named inputs: y"),
    ],
)
def test_what_is_refused(text, types, message):
    with pytest.raises(ServingError, match=message) as refused:
        parse(text, types)
    assert (refused.value.code, refused.value.http) == ("INVALID_ARGUMENT", 400)


def test_rows_need_outputs_of_one_length():
    with pytest.raises(ServingError, match="column format"):
        json_tensors.answer({"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)}, "row")


@given(st.lists(st.floats(width=32), min_size=1))
def test_written_numbers_read_back_as_the_same_floats(values):
    array = np.array(values, np.float32)
    text = json_tensors.answer({"x": array}, "column")
    again, _, _ = parse(f'{{"inputs": {json.dumps(json.loads(text)["outputs"])}}}', {"x": np.float32})
    np.testing.assert_array_equal(again["x"], array)


def test_written_numbers_are_short():
    array = np.array([0.2, 1.0, 1 / 3, 0.0, -2.5e-8, 123456.0], np.float32)
    assert (
        json_tensors.answer({"x": array}, "row") == '{"predictions": [0.2, 1.0, 0.333333343, 0.0, -2.5e-08, 123456.0]}'
    )
