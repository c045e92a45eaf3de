"""Reads the scalars of TensorBoard's event files.

A file is a row of records: the length of the data (8 bytes) and its checksum (4), the data, its
checksum (4). The data is an `Event` in protobuf's wire format: a time, a step, and a summary of
tagged values. A scalar is a `simple_value`, as PyTorch writes it, or a tensor without dimensions,
as TensorFlow 2 does. Everything else (pictures, histograms, graphs) is passed over.

The events of one tag are alike in all bytes but time, step and value. So the bytes around the value
are remembered for each tag, and a look into a dictionary replaces the parsing of the next one. The
checksums of data are not compared: to compute one takes longer than all the rest. That of a length
is, where a wrong length would do harm.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mlq.metrics.series import Point, is_metric_name
from mlq_worker.collector.sources.crc32c import masked_crc32c

_HEADER = struct.Struct("<Q4xBd")
_HEADER_BYTES, _FRAME_BYTES = 12, 16
_TIME_TAG = 0x09
_LEAST_BYTES = 11  # of an event with a summary
_LARGE = 1 << 16  # a length above is believed only with its checksum
_MOST_SHAPES = 2000
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")
_NUMBERS = {1: _FLOAT, 2: _DOUBLE, 3: struct.Struct("<i"), 9: struct.Struct("<q")}  # of DataType
_CONTENT, _FLOATS, _DOUBLES = 4, 5, 6  # fields of a TensorProto


class Events(NamedTuple):
    """What some bytes of a file hold.

    Args:
        points: tagged scalars, those of one step that follow each other as one point.
        used: how many bytes the whole records take.
        cut_bytes: the size of the record that is cut off after them; 0 if none is.
        is_broken: whether what follows is no record.
    """

    points: list[Point]
    used: int
    cut_bytes: int = 0
    is_broken: bool = False


class _Shape(NamedTuple):
    """The bytes around the value in the events of one tag."""

    tag: str
    number: struct.Struct
    tail: int
    after: bytes


class EventReader:
    """Reads one file piece by piece; what it remembers between them only makes it faster."""

    def __init__(self) -> None:
        self._shapes: dict[bytes, _Shape] = {}
        self._tails: list[int] = []  # how far from the end of the data values lie

    def read(self, data: bytes) -> Events:
        """Return the scalars of what begins with a record; its last record may be cut off."""
        points: list[Point] = []
        at, end = 0, len(data)
        unpack, step, values = _HEADER.unpack_from, None, dict[str, float]()
        while end - at >= _HEADER.size:
            length, first, time_s = unpack(data, at)
            if length >= _LARGE and masked_crc32c(data[at : at + 8]) != _checksum(data, at + 8):
                return Events(points, at, is_broken=True)
            begin = at + _HEADER_BYTES
            stop = begin + length
            if stop + 4 > end:
                return Events(points, at, cut_bytes=length + _FRAME_BYTES)
            if first != _TIME_TAG and length:
                return Events(points, at, is_broken=True)
            at = stop + 4
            if length < _LEAST_BYTES:
                continue
            now, place = _step(data, begin + 9)
            for tag, value in self._scalars(data[place:stop]):
                if now == step and tag not in values:
                    values[tag] = value
                else:
                    step, values = now, {tag: value}
                    points.append(Point(float(now), time_s, values))
        return Events(points, at)

    def _scalars(self, rest: bytes) -> Iterable[tuple[str, float]]:
        """Return the tagged scalars of an event, given what follows its step."""
        for tail in self._tails:
            shape = self._shapes.get(rest[:-tail])
            if shape is not None and shape.tail == tail and rest.endswith(shape.after):
                return ((shape.tag, shape.number.unpack_from(rest, len(rest) - tail)[0]),)
        return self._parsed(rest)

    def _parsed(self, rest: bytes) -> Iterator[tuple[str, float]]:
        try:
            found = list(_values(rest))
        except (IndexError, struct.error):
            return  # no event
        for tag, number, place, is_alone in found:
            name = tag.decode(errors="replace")
            if not is_metric_name(name):
                continue
            yield name, float(number.unpack_from(rest, place)[0])
            tail = len(rest) - place
            if is_alone and len(self._shapes) < _MOST_SHAPES:
                after = rest[place + number.size :]
                self._shapes[rest[:place]] = _Shape(name, number, tail, after)
                if tail not in self._tails:
                    self._tails = [*self._tails[-7:], tail]


def _checksum(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _step(data: bytes, at: int) -> tuple[int, int]:
    """Return an event's step, and where what follows begins; a step of 0 is not written."""
    if data[at] != 0x10:
        return 0, at
    byte = data[at + 1]
    if byte < 0x80:
        return byte, at + 2
    try:
        step, place = _varint(data, at + 1)
    except IndexError:
        return 0, len(data)
    return step - (1 << 64) if step >= 1 << 63 else step, place


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends; raise IndexError at the end of the data."""
    value = shift = 0
    while (byte := data[at]) >= 0x80:
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if shift > 63:
            raise IndexError
    return value | byte << shift, at + 1


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield field, number (of a varint), begin and end of each field between two places."""
    while at < end:
        key, at = _varint(data, at)
        kind, number, begin = key & 7, 0, at
        if kind == 0:
            number, at = _varint(data, at)
        elif kind == 2:
            length, begin = _varint(data, at)
            at = begin + length
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise IndexError
        if at > end:
            raise IndexError
        yield key >> 3, number, begin, at


def _values(rest: bytes) -> Iterator[tuple[bytes, struct.Struct, int, bool]]:
    """Yield tag, kind and place of each scalar, and whether it is the only value of its event."""
    for field, _, begin, end in _fields(rest, 0, len(rest)):
        if field != 5:  # summary
            continue
        values = [one for one in _fields(rest, begin, end) if one[0] == 1]
        for _, _, start, stop in values:
            tag, found = b"", None
            for inner, _, first, last in _fields(rest, start, stop):
                if inner == 1:
                    tag = rest[first:last]
                elif inner == 2 and last - first == 4:
                    found = (_FLOAT, first)
                elif inner == 8:
                    found = _tensor(rest, first, last)
            if found is not None and not tag.startswith(b"_hparams_/"):
                yield tag, *found, len(values) == 1


def _tensor(data: bytes, at: int, end: int) -> tuple[struct.Struct, int] | None:
    """Return kind and place of the only number of a tensor; None if it holds another thing."""
    number, found = None, None
    for field, value, begin, stop in _fields(data, at, end):
        if field == 1:
            number = _NUMBERS.get(value)
        elif field == 2 and stop > begin:
            return None  # it has dimensions
        elif field in (_CONTENT, _FLOATS, _DOUBLES):
            found = begin, stop
    if number is None or found is None or found[1] - found[0] != number.size:
        return None
    return number, found[0]
