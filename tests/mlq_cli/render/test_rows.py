"""A log is shown as a terminal would show it in the end, and as nothing but text and colours."""

import io
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

from mlq_cli.render.live_rows import LiveRows
from mlq_cli.render.rows import LONGEST, Rows, without_colours

SGR = re.compile(r"\x1b\[[0-9;:]*m")
# Text in which escape sequences, whole and torn, are likely.
NASTY = st.lists(
    st.sampled_from(("\x1b[A", "\x1b[2K", "\x1b[K", "\x1b[J", "\r", "\n", "\x1b[31m", "\x1b[0m"))
    | st.sampled_from((*"\x1b[]mHJPa(B é\x07\x9b\x9c\x00\n\r\b\u202e", "0;", "31", "\x1b\\"))
    | st.text(max_size=3)
).map("".join)


def shown(*pieces: bytes | str, most: int = 60) -> str:
    rows = Rows(most)
    encoded = [
        piece.encode("utf-8", "surrogatepass") if isinstance(piece, str) else piece
        for piece in pieces
    ]
    return "".join([rows.feed(piece) for piece in encoded] + [rows.finish()])


@given(NASTY)
def test_nothing_of_control_but_colours_and_lines_is_kept(text: str) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", SGR.sub("", shown(text)))


@given(NASTY.map(lambda text: text.encode("utf-8", "surrogatepass")), st.data())
def test_where_a_log_is_cut_makes_no_difference(log: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(log)))
    second = data.draw(st.integers(cut, len(log)))
    assert shown(log[:cut], log[cut:second], log[second:]) == shown(log)


@given(st.text("ab é🚀\n\t"))
def test_text_stays_as_it_is(text: str) -> None:
    assert shown(text) == text
    assert shown(text, most=1) == text


@given(NASTY)
def test_what_is_shown_is_shown_the_same_again(text: str) -> None:
    assert shown(shown(text)) == shown(text)


@pytest.mark.parametrize(
    ("log", "rows"),
    [
        ("10%\r20%\r", "20%"),
        ("100 of 9\r7\n", "700 of 9\n"),
        ("long bar\r        \rend\n", "end\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("0%\b\b10%\n", "10%\n"),
        ("bar 1\r\x1b[Kx\n", "x\n"),
        ("bar 1\x1b[2K\rx\n", "x\n"),
        ("one\ntwo\n\x1b[2A\x1b[2KONE\n\n", "ONE\ntwo\n"),
        ("one\ntwo\n\x1b[1F\x1b[Jlast", "one\nlast"),
        ("abc\x1b[2Dx\x1b[1Gy\x1b[5Cz", "yxc   z"),
        ("abc\x1b[2D\x1b[1K", "  c"),
        ("\x1b[9Aabove\n", "above\n"),
        ("\x1b[31mred\x1b[0m\x1b[2J\x1b]0;x\x07 end\n", "\x1b[31mred\x1b[0m end\n"),
        ("\x1b[31mtwo\nrows\n", "\x1b[31mtwo\x1b[0m\n\x1b[31mrows\x1b[0m\n"),
        ("\x1b[1;31mloss\x1b[0m 0.3\n", "\x1b[1;31mloss\x1b[0m 0.3\n"),
        ("\x1b]0;title without end\nnext line\n", "\nnext line\n"),
        ("50%|\x1b[32m##\x1b[0m|\r99%|\x1b[32m####\x1b[0m|\n", "99%|\x1b[32m####\x1b[0m|\n"),
    ],
)
def test_a_row_is_what_a_terminal_shows(log: str, rows: str) -> None:
    assert shown(log) == rows


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert shown(b"\xff\xfe ok\n") == "\ufffd\ufffd ok\n"
    assert shown(b"\x1bP" + b"x" * 10_000).endswith("x" * 5000)


def nested_bars(outer: int, inner: int) -> str:
    log = io.StringIO()
    options = {"file": log, "mininterval": 0, "bar_format": "{desc} {n}/{total}"}
    for _ in tqdm(range(outer), desc="epochs", **options):
        for _ in tqdm(range(inner), desc="batches", leave=False, **options):
            pass
        tqdm.write("measured", file=log)
    return log.getvalue()


def test_nested_bars_are_one_row_each() -> None:
    log = nested_bars(3, 5)
    assert log.count("\x1b[A") > 10
    assert shown(log).split() == ["measured"] * 3 + ["epochs", "3/3"]
    half = log[: log.rindex("batches 4/5") + 11]
    assert shown(half).splitlines()[-2:] == ["epochs 2/3", "batches 4/5"]


def test_a_log_that_is_shown_from_the_middle_on_mixes_no_rows() -> None:
    log = nested_bars(3, 5)
    rest = log[log.index("\n", len(log) // 2) + 1 :]
    assert shown(rest).splitlines()[-1] == "epochs 3/3"
    assert set(shown(rest).split()) <= {"measured", "epochs", "3/3"}
    assert set(shown(rest, most=1).split()) <= {"measured", "epochs", "3/3"}
    assert shown("\x1b[5A") == ""


def test_who_follows_gets_only_whole_rows() -> None:
    rows = Rows(1)
    assert rows.feed(b"one\ntw") == "one\n"
    assert rows.feed(b"o\r 10%") == ""
    assert rows.feed(b"\r 20%\r100%\nthree") == "100%\n"
    log = nested_bars(3, 5).encode()
    following = Rows(1)
    final = "".join(following.feed(log[at : at + 9]) for at in range(0, len(log), 9))
    # The outer bar may appear early once, before it is known that the log moves up.
    assert (final + following.finish()).count("\n") <= 6


def test_a_row_without_end_comes_in_parts() -> None:
    rows = Rows()
    parts = [rows.feed(b"x" * (1 << 18)) for _ in range(4)]
    assert max(map(len, parts)) <= (1 << 18)
    assert "".join(parts) + rows.finish() == "x" * (1 << 20)
    assert len(shown("\x1b[31m" + "y" * (3 * LONGEST))) < 4 * LONGEST


@given(st.lists(NASTY, max_size=6), st.integers(3, 90))
def test_a_terminal_that_follows_shows_the_same_in_the_end(log: list[str], columns: int) -> None:
    rows, live, written = Rows(10), LiveRows(), []
    for piece in log:
        final = rows.feed(piece.encode("utf-8", "surrogatepass"))
        written.append(live.update(final, rows.changing(), 10_000, 60))
    written.append(live.update("", rows.finish().split("\n"), 10_000, 60))
    whole = Rows(10)
    pieces = [whole.feed(piece.encode("utf-8", "surrogatepass")) for piece in log]
    wanted = without_colours("".join([*pieces, whole.finish()]))
    assert [one.rstrip() for one in without_colours(shown("".join(written))).split("\n")] == [
        one.rstrip() for one in wanted.split("\n")
    ]


def test_plain_text_is_written_to_a_terminal_as_it_is() -> None:
    live = LiveRows()
    assert live.update("", ["one"], 80, 24) == "one"
    assert live.update("one and\n", ["tw"], 80, 24) == " and\ntw"
    assert live.update("two\n", [""], 80, 24) == "o\n"
    assert live.update("", [""], 80, 24) == ""
    assert live.update("", ["10%"], 80, 24) == "10%"
    assert live.update("", ["20%"], 80, 24) == "\r\x1b[J20%"
    assert live.update("", ["x" * 25, "y"], 10, 24) == "\r\x1b[J" + "x" * 25 + "\ny"
    assert live.update("", ["z", "模" * 5], 10, 24) == "\x1b[3A\r\x1b[Jz\n" + "模" * 5
    assert live.update("", ["a"], 10, 24) == "\x1b[1A\r\x1b[Ja"


def test_millions_of_states_are_played_quickly() -> None:
    bar = "".join(f"\r{n:6} of 99999 |######    | 3.5 it/s" for n in range(100_000)).encode()
    plain = b"epoch 3: loss 0.25, accuracy 0.75\n" * 100_000
    began = time.process_time()
    for log in (bar, plain):
        for at in range(0, len(log), 1 << 18):
            shown(log[at : at + (1 << 18)])
    assert time.process_time() - began < 2  # measured: 0.06 s
