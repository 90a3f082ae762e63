"""TFRecord files and ``tf.train.Example`` messages without TensorFlow.

Rendering processes write and read records; importing TensorFlow in each would cost seconds and hundreds of MB. The
bytes are the ones TensorFlow writes and reads. Sources: tensorflow/core/lib/io/record_writer.h (framing, masked CRC),
tensorflow/core/example/feature.proto (messages), RFC 3720 appendix B.4 (CRC-32C).
"""

import functools
import struct

import numpy as np

FRAMING = 16  # bytes around a record: length (8), its checksum (4), the data's checksum (4)
_HEADER = struct.Struct("<QI")


class CorruptRecord(ValueError):
    """The bytes are not a whole TFRecord or not an Example."""


@functools.cache
def _byte_table():
    """Returns the CRC-32C (reflected polynomial 0x82F63B78) of every byte: (256,) uint32."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table


@functools.cache
def _byte_list():
    return _byte_table().tolist()


def _shift(crc, tables):
    """Applies a linear operator, given by its effect on each of the four bytes, to an array of CRCs."""
    return tables[0][crc & 255] ^ tables[1][crc >> 8 & 255] ^ tables[2][crc >> 16 & 255] ^ tables[3][crc >> 24]


@functools.cache
def _append_zeros(level):
    """Returns the operator that appends ``4 * 2**level`` zero bytes to a CRC: (4, 256) uint32."""
    if level:
        half = _append_zeros(level - 1)
        return _shift(half, half)
    byte = np.arange(256, dtype=np.uint32)
    tables = np.stack([byte << np.uint32(8 * i) for i in range(4)])
    for _ in range(4):
        tables = _byte_table()[tables & 255] ^ (tables >> 8)
    return tables


def crc32c(data):
    """Returns the CRC-32C of bytes.

    A CRC is linear, so long data are joined pairwise, four bytes to start with: a dozen array operations instead of
    one Python step a byte.
    """
    if len(data) < 64:
        table, crc = _byte_list(), 0xFFFFFFFF
        for byte in data:
            crc = table[(crc ^ byte) & 255] ^ crc >> 8
        return crc ^ 0xFFFFFFFF
    levels = (-(-len(data) // 4) - 1).bit_length()
    padded = np.zeros(4 << levels, np.uint8)  # zeros in front leave a CRC that starts from 0 as it is
    own = padded[len(padded) - len(data) :]
    own[:] = np.frombuffer(data, np.uint8)
    own[:4] ^= 255  # the same as starting from all ones
    state = padded.view("<u4")
    for level in range(levels):
        state = _shift(state[0::2], _append_zeros(level)) ^ state[1::2]
    return int(_shift(state, _append_zeros(0))[0]) ^ 0xFFFFFFFF


def _masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(data):
    """Returns the bytes of one record as they stand in a TFRecord file."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, struct.pack("<I", _masked(length)), data, struct.pack("<I", _masked(data))))


def read_frames(path):
    """Yields the data of each record of a file.

    Raises:
        CorruptRecord: at the first record that is cut off or whose checksum differs; the message gives its number.
    """
    with open(path, "rb") as file:
        number = 0
        while header := file.read(_HEADER.size):
            if len(header) < _HEADER.size or _masked(header[:8]) != _HEADER.unpack(header)[1]:
                raise CorruptRecord(f"record {number} has no valid header")
            length = _HEADER.unpack(header)[0]
            data, tail = file.read(length), file.read(4)
            if len(data) < length or len(tail) < 4:
                raise CorruptRecord(f"record {number} is cut off")
            if _masked(data) != struct.unpack("<I", tail)[0]:
                raise CorruptRecord(f"record {number} has a wrong checksum")
            yield data
            number += 1


def _varint(value):
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, data):
    """Returns one length-delimited field (wire type 2) of a protocol buffer."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def encode_example(features):
    """Returns the bytes of a ``tf.train.Example``.

    Args:
        features: dict from name to bytes, to a floating array (stored as float32) or to an integer array (int64).
            Arrays are flattened. Features are written in the order of their names, so equal dicts give equal bytes.
    """
    entries = []
    for name in sorted(features):
        value = features[name]
        if isinstance(value, bytes):
            feature = field(1, field(1, value))
        elif np.issubdtype(np.asarray(value).dtype, np.floating):
            feature = field(2, field(1, np.asarray(value, "<f4").tobytes()))
        else:
            feature = field(3, field(1, b"".join(_varint(int(v)) for v in np.ravel(value))))
        entries.append(field(1, field(1, name.encode()) + field(2, feature)))
    return field(1, b"".join(entries))


def _read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _fields(data):
    """Yields (number, bytes) of the length-delimited fields of a message; no other kind occurs in an Example."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        if key & 7 != 2:
            raise CorruptRecord(f"a field of wire type {key & 7}, which no packed Example has")
        length, at = _read_varint(data, at)
        if at + length > len(data):
            raise CorruptRecord("a field that is cut off")
        yield key >> 3, data[at : at + length]
        at += length


def _integers(data):
    at, out = 0, []
    while at < len(data):
        value, at = _read_varint(data, at)
        out.append(value - (1 << 64) if value >> 63 else value)
    return np.array(out, np.int64)


def decode_example(data):
    """Returns the features of a ``tf.train.Example``: bytes, (n,) float32 or (n,) int64 by name.

    Raises:
        CorruptRecord: the bytes are not an Example with packed lists.
    """
    try:
        features = {}
        for _, message in _fields(data):
            for _, entry in _fields(message):
                parts = dict(_fields(entry))
                kind, values = next(_fields(parts[2]))
                values = next(_fields(values), (1, b""))[1]
                if kind == 1:
                    values = bytes(values)
                elif kind == 2:
                    values = np.frombuffer(values, "<f4").copy()
                else:
                    values = _integers(values)
                features[bytes(parts[1]).decode()] = values
        return features
    except (KeyError, IndexError, StopIteration, ValueError) as error:
        raise CorruptRecord(f"not a tf.train.Example ({error})") from error
