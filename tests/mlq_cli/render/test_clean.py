"""Text from jobs cannot reach the terminal as anything but text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq_cli.render.clean import clean

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
