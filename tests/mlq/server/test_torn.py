"""The end of a log: what a crash tears off it is told from damage, at each byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlq.server.torn import Damaged, Torn, cut_off, examine, verdict


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in words)


WHOLE = (
    command(b"SELECT", b"0")
    + command(b"MULTI")
    + command(b"HSET", b"rq:job:1", b"a", b"\0x\r\n\0")
    + command(b"EXEC")
    + command(b"SET", b"k", b"v" * 30)
)
NEXT = (
    command(b"MULTI")
    + command(b"SET", b"a", b"b\0\0c")
    + command(b"SET", b"a", b"\xff" * 12)
    + command(b"EXEC")
)


@pytest.mark.parametrize("zeros", [0, 1, 2, 3, 5, 100, 5000])
def test_half_a_transaction_is_torn_wherever_it_ends(zeros: int) -> None:
    assert verdict(WHOLE, 0) is None
    assert verdict(WHOLE + NEXT, 0) is None
    for size in range(1, len(NEXT)):
        torn = WHOLE + NEXT[:size] + b"\0" * zeros
        assert verdict(torn, 0) == Torn(len(WHOLE)), (size, torn)
    if zeros:
        assert verdict(WHOLE + b"\0" * zeros, 0) == Torn(len(WHOLE))


def test_one_wrong_byte_never_passes_for_a_torn_end() -> None:
    for at in range(len(WHOLE)):
        for flip in (1, 2, 4, 8, 0x5A):
            wrong = bytearray(WHOLE + NEXT)
            wrong[at] ^= flip
            # Within a text a wrong byte shows to nobody; elsewhere it is damage.
            assert not isinstance(verdict(bytes(wrong), 0), Torn), (at, flip)


@pytest.mark.parametrize(
    "wrong",
    [
        WHOLE + b"garbage",
        WHOLE + b"\0" * 100 + NEXT,
        WHOLE + b"\0garbage\r\n" * 20 + NEXT,
        command(b"MULTI") + command(b"MULTI"),
        b"*1\r\n$-5\r\nab\r\n",
        b"*x\r\n",
    ],
)
def test_what_no_server_wrote_is_damage(wrong: bytes) -> None:
    assert isinstance(verdict(wrong, 0), Damaged)


def test_of_a_long_log_the_end_is_looked_at(tmp_path: Path) -> None:
    log = tmp_path / "log"
    many = (WHOLE + NEXT) * 20_000
    for tail, found in ((b"", None), (NEXT[:40], Torn(len(many))), (b"\0" * 9, Torn(len(many)))):
        log.write_bytes(many + tail)
        assert examine(log) == found
    log.write_bytes(b"")
    assert examine(log) is None
    log.write_bytes(b"REDIS0011\xfa")
    assert examine(log) is None


def test_what_was_cut_off_is_kept_and_can_be_put_back(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(WHOLE + NEXT[:40])
    cut = cut_off(log, len(WHOLE), tmp_path)
    assert log.read_bytes() == WHOLE
    assert cut.kept.read_bytes() == NEXT[:40]
    assert cut.kept.stat().st_mode & 0o777 == 0o600
    log.write_bytes(WHOLE + command(b"DEL", b"a" * 90))  # as a server does when keys expire
    cut.undo()
    assert log.read_bytes() == WHOLE + NEXT[:40]
    assert not cut.kept.exists()
