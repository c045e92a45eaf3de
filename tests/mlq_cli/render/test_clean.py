"""Text from jobs cannot reach the terminal as anything but text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq_cli.render.clean import LogCleaner, clean

SGR = re.compile(r"\x1b\[[0-9;:]*m")
# Text in which escape sequences, whole and torn, are likely.
NASTY = st.lists(
    st.sampled_from((*"\x1b[]mHJPa(B é\x07\x9b\x9c\x00\n\r\u202e", "0;", "31", "\x1b\\"))
    | st.text(max_size=3)
).map("".join)


@given(NASTY | st.text())
def test_cleaned_text_is_one_printable_line(text: str) -> None:
    assert clean(text).isprintable()


@given(NASTY)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(st.text().filter(str.isprintable))
def test_printable_text_stays(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("dirty", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;new title\x07name", "name"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[2J\x1b[Hfake", "fake"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("\udcffbyte", "\N{REPLACEMENT CHARACTER}byte"),
        ("a\u202eb", "ab"),
        ("bell\x07 null\x00", "bell null"),
        ("äöü 模型 🚀", "äöü 模型 🚀"),
    ],
)
def test_sequences_go_and_text_stays(dirty: str, shown: str) -> None:
    assert clean(dirty) == shown


def shown_in_log(*pieces: bytes) -> str:
    cleaner = LogCleaner()
    return "".join([cleaner.feed(piece) for piece in pieces] + [cleaner.finish()])


@given(NASTY)
def test_a_log_keeps_nothing_of_control_but_colours_and_lines(text: str) -> None:
    shown = SGR.sub("", shown_in_log(text.encode("utf-8", "surrogatepass")))
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", shown)


@given(NASTY.map(lambda text: text.encode("utf-8", "surrogatepass")), st.data())
def test_where_a_log_is_cut_makes_no_difference(log: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(log)))
    second = data.draw(st.integers(cut, len(log)))
    assert shown_in_log(log[:cut], log[cut:second], log[second:]) == shown_in_log(log)


def test_colours_stay_in_a_log_and_are_ended() -> None:
    assert shown_in_log(b"\x1b[1;31mloss\x1b[0m 0.3\n") == "\x1b[1;31mloss\x1b[0m 0.3\n\x1b[0m"
    assert shown_in_log(b"plain\n") == "plain\n"


def test_progress_bars_stay_in_a_log() -> None:
    assert shown_in_log(b"10%\r20%\r") == "10%\r20%\r"


def test_an_unended_sequence_does_not_swallow_the_log() -> None:
    assert shown_in_log(b"\x1b]0;title without end\nnext line\n") == "\nnext line\n"
    assert shown_in_log(b"\x1bP" + b"x" * 10_000).endswith("x" * 5000)


def test_what_is_no_utf8_is_shown_as_such() -> None:
    assert shown_in_log(b"\xff\xfe ok\n") == "\ufffd\ufffd ok\n"
