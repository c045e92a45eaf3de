"""The reader of TensorBoard's event files, against bytes in their exact format."""

from __future__ import annotations

import math
import struct

import pytest
from event_files import event, float_value, record, summary, tensor_value
from hypothesis import given
from hypothesis import strategies as st

from mlq.metrics.series import Point
from mlq_worker.collector.sources.crc32c import masked_crc32c
from mlq_worker.collector.sources.events import EventReader

# The first record of each file: the version of its format.
VERSION = bytes.fromhex("0900008066d91cda411a0d627261696e2e4576656e743a32")
WRITTEN = record(VERSION)


def test_the_checksum_is_the_one_that_tensorflow_writes() -> None:
    # CRC-32C of "123456789" is e3069283, a check value of its standard; masked as TFRecord does.
    crc = 0xE3069283
    assert masked_crc32c(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_scalars_are_read_as_pytorch_and_tensorflow_write_them() -> None:
    data = WRITTEN
    data += record(event(1.0, 0, summary(float_value("loss", 0.5))))
    data += record(event(2.0, 300, summary(float_value("loss", 0.25))))
    data += record(event(3.0, 301, summary(tensor_value("acc", struct.pack("<f", 0.75), 1, 4))))
    data += record(event(4.0, 302, summary(tensor_value("acc", struct.pack("<d", 0.875), 2, 6))))
    found = EventReader().read(data)
    assert found.points == [
        Point(0, 1.0, {"loss": 0.5}),
        Point(300, 2.0, {"loss": 0.25}),
        Point(301, 3.0, {"acc": 0.75}),
        Point(302, 4.0, {"acc": 0.875}),
    ]
    assert (found.used, found.cut_bytes, found.is_broken) == (len(data), 0, False)


def test_what_is_no_scalar_is_passed_over() -> None:
    vector = tensor_value("vector", struct.pack("<2f", 1, 2), 1, 4, shape=b"\x12\x02\x08\x02")
    texts = tensor_value("text", b"12345", 7, 8)
    hparams = float_value("_hparams_/session", 1.0)
    control = float_value("a\x1b[2Jb", 1.0)
    data = b"".join(
        record(event(1.0, 1, summary(one))) for one in (vector, texts, hparams, control)
    )
    data += record(event(1.0, 1, b"\x1a\x02ab"))
    assert EventReader().read(data).points == []


def test_several_values_of_one_step_are_one_point() -> None:
    data = record(event(1.0, 7, summary(float_value("a", 1.0), float_value("b", 2.0))))
    data += record(event(2.0, 7, summary(float_value("c", 3.0))))
    data += record(event(3.0, 7, summary(float_value("a", 4.0))))
    points = EventReader().read(data).points
    assert [one.values for one in points] == [{"a": 1, "b": 2, "c": 3}, {"a": 4}]


def test_infinite_values_and_negative_steps_are_kept() -> None:
    data = record(event(1.0, -5, summary(float_value("a", math.inf))))
    data += record(event(1.0, 2**40, summary(float_value("a", math.nan))))
    first, second = EventReader().read(data).points
    assert (first.step, first.values) == (-5, {"a": math.inf})
    assert second.step == 2**40
    assert math.isnan(second.values["a"])


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_file_that_is_cut_off_is_read_to_its_last_whole_record(cut: int) -> None:
    whole = record(event(1.0, 1, summary(float_value("loss", 0.5))))
    last = record(event(2.0, 2, summary(float_value("loss", 0.25))))
    reader = EventReader()
    found = reader.read((whole + last)[:-cut] if cut < len(last) else whole)
    assert [one.step for one in found.points] == [1]
    assert found.used == len(whole)
    assert [one.step for one in reader.read(last).points] == [2]


def test_a_length_that_cannot_be_one_ends_the_reading() -> None:
    good = record(event(1.0, 1, summary(float_value("loss", 0.5))))
    found = EventReader().read(good + b"\xff" * 100)
    assert (len(found.points), found.is_broken) == (1, True)


def test_a_large_record_that_is_cut_off_tells_its_size() -> None:
    picture = record(event(1.0, 1, b"\x2a" + b"x" * 200_000))
    found = EventReader().read(picture[:1000])
    assert (found.used, found.cut_bytes, found.is_broken) == (0, len(picture), False)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_bytes_raise(parts: list[bytes]) -> None:
    reader = EventReader()
    good = record(event(1.0, 1, summary(float_value("loss", 0.5))))
    reader.read(b"".join(parts))
    reader.read(good + b"".join(record(b"\x09" + one) for one in parts) + good)
    reader.read(good + b"".join(record(event(1.0, 1, b"\x2a" + one)) for one in parts))
