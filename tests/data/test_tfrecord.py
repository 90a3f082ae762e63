"""Our TFRecord bytes are TensorFlow's bytes."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfface.data import tfrecord


def test_crc32c_of_the_published_example():
    assert tfrecord.crc32c(b"123456789") == 0xE3069283  # RFC 3720's polynomial, the usual check value


@given(st.binary(max_size=700))
def test_crc32c_of_short_and_long_data_agree(data):
    """The array way (64 bytes and up) equals the definition, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    assert tfrecord.crc32c(data) == crc ^ 0xFFFFFFFF


FEATURES = st.dictionaries(
    st.text(max_size=12),
    st.one_of(
        st.binary(max_size=300),
        st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9).map(lambda v: np.array(v, np.int64)),
        st.lists(st.floats(width=32), max_size=9).map(lambda v: np.array(v, np.float32)),
    ),
    max_size=6,
)


def same(ours, original):
    assert set(ours) == set(original)
    for name, value in original.items():
        if isinstance(value, bytes):
            assert ours[name] == value
        else:
            np.testing.assert_array_equal(ours[name], value)


@given(FEATURES)
def test_example_round_trip_and_tensorflow_reads_it(features):
    data = tfrecord.encode_example(features)
    same(tfrecord.decode_example(data), features)
    parsed = tf.train.Example.FromString(data).features.feature
    theirs = {}
    for name, feature in parsed.items():
        if feature.WhichOneof("kind") == "bytes_list":
            theirs[name] = feature.bytes_list.value[0]
        elif feature.WhichOneof("kind") == "float_list":
            theirs[name] = np.array(feature.float_list.value, np.float32)
        else:
            theirs[name] = np.array(feature.int64_list.value, np.int64)
    same(theirs, features)


def test_files_are_tensorflows_both_ways(tmp_path):
    rows = [b"", b"a", bytes(range(256)) * 50]
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_bytes(b"".join(tfrecord.frame(row) for row in rows))
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for row in rows:
            writer.write(row)
    assert ours.read_bytes() == theirs.read_bytes()
    assert list(tfrecord.read_frames(theirs)) == rows


@pytest.mark.parametrize("data", [b"\xff\xff", b"\x08\x01", b"\x0a\x05abc", b"\x0a\x02\x0a\x05"])
def test_bytes_that_are_no_example(data):
    with pytest.raises(tfrecord.CorruptRecord):
        tfrecord.decode_example(data)


@given(st.binary(max_size=60))
def test_any_bytes_decode_or_are_called_corrupt(data):
    try:
        tfrecord.decode_example(data)
    except tfrecord.CorruptRecord:
        pass
