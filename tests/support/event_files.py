"""TensorBoard's event files, made byte by byte: protobuf's wire format within TFRecord's frames."""

from __future__ import annotations

import struct

from mlq_worker.collector.sources.crc32c import masked_crc32c


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    found = b""
    while number >= 0x80:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def _text(field: int, data: bytes) -> bytes:
    return bytes([field << 3 | 2]) + varint(len(data)) + data


def float_value(tag: str, value: float) -> bytes:
    """A Summary.Value as PyTorch writes it."""
    return _text(1, tag.encode()) + b"\x15" + struct.pack("<f", value)


def tensor_value(tag: str, content: bytes, kind: int, field: int, shape: bytes = b"") -> bytes:
    """A Summary.Value as TensorFlow 2 writes it: content of a DataType in a field of a tensor."""
    tensor = b"\x08" + bytes([kind]) + _text(2, shape) + _text(field, content)
    metadata = _text(1, _text(1, b"scalars"))
    return _text(1, tag.encode()) + _text(8, tensor) + _text(9, metadata)


def summary(*values: bytes) -> bytes:
    return _text(5, b"".join(_text(1, one) for one in values))


def event(time_s: float, step: int, rest: bytes) -> bytes:
    counted = b"\x10" + varint(step) if step else b""
    return b"\x09" + struct.pack("<d", time_s) + counted + rest


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    sums = (struct.pack("<I", masked_crc32c(one)) for one in (length, data))
    return length + next(sums) + data + next(sums)
