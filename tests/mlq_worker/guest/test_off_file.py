"""What stands at `/tmp/mlq-off`: anything at all, of anybody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import strangers

from mlq_worker.guest.off_file import (
    DEFAULT_S,
    LONGEST_S,
    MOST_BYTES,
    Content,
    left_s,
    look,
    parse,
    read,
)


def only(folder: Path) -> Content:
    (file,) = look(str(folder))
    return read(str(folder), file)


@pytest.mark.parametrize(
    ("content", "meant"),
    [
        (b"", Content()),
        (b"4h\n", Content(4 * 3600)),
        (b"90m\nneed the GPU\n", Content(5400, "need the GPU")),
        (b"48h\n", Content(LONGEST_S)),
        (b"100d", Content(LONGEST_S)),
        (b"need the GPU\n", Content(DEFAULT_S, "need the GPU")),
        (b"4\n", Content(DEFAULT_S, "4")),
        (b"-4h\n", Content(DEFAULT_S, "-4h")),
        (b"0h\n", Content(DEFAULT_S, "0h")),
        (
            b"1h\nmy \x1b]0;x\x07\xff\nGPU\x00",
            Content(3600, "my ]0;x\N{REPLACEMENT CHARACTER} GPU"),
        ),
    ],
)
def test_what_it_says(tmp_path: Path, content: bytes, meant: Content) -> None:
    assert parse(content) == meant
    (tmp_path / "mlq-off").write_bytes(content)
    assert only(tmp_path) == meant


@given(st.binary(max_size=MOST_BYTES))
def test_any_content(content: bytes) -> None:
    found = parse(content)
    assert 0 < found.lasts_s <= LONGEST_S
    assert found.why.isprintable()


@pytest.mark.parametrize("kind", ["folder", "link", "dangling", "fifo", "large", "socket"])
def test_anything_of_that_name_counts_and_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mlq-off"
    (tmp_path / "other").write_text("1h\n")
    match kind:
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(tmp_path / "other")
        case "dangling":
            path.symlink_to("/nowhere")
        case "fifo":
            os.mkfifo(path)
        case "socket":
            os.mknod(path, 0o140644)
        case "large":
            path.write_text("1h\n" + "x" * MOST_BYTES)
    assert only(tmp_path) == Content()


def test_other_names_count_too_and_none_is_none(tmp_path: Path) -> None:
    assert list(look(str(tmp_path))) == []
    assert list(look(str(tmp_path / "missing"))) == []
    (tmp_path / "mlq-offer").touch()
    (tmp_path / "mlq-off.2").write_text("1h")
    assert only(tmp_path) == Content(3600)


def test_its_time_counts_and_a_future_time_is_now(tmp_path: Path) -> None:
    path = tmp_path / "mlq-off"
    path.write_text("2h")
    os.utime(path, (10_000, 10_000))
    (file,) = look(str(tmp_path))
    assert left_s(file, Content(7200), 10_000 + 3600) == 3600
    assert left_s(file, Content(7200), 10_000 + 9000) == -1800
    assert left_s(file, Content(7200), 5) == 7200


def test_a_file_that_its_owner_closes_counts(tmp_path: Path) -> None:
    me, other = strangers()
    path = tmp_path / "mlq-off"
    path.write_text("1h\nsecret")
    path.chmod(0o600)
    other.own(path)
    folder = os.open(tmp_path, os.O_PATH)  # those above are closed to strangers
    tmp_path.chmod(0o1777)
    os.seteuid(me.uid)
    try:
        (file,) = look(f"/proc/self/fd/{folder}")
        content = read(f"/proc/self/fd/{folder}", file)
    finally:
        os.seteuid(0)
        os.close(folder)
    assert (file.uid, content) == (other.uid, Content())
