"""How a diff looks on a terminal."""

from mlq_cli.render.differences import Changed, changes_of, painted, stat_lines
from mlq_cli.render.style import Style

COLOUR = Style(80, colour=True)


def test_lines_have_the_colours_of_git_and_nothing_of_control() -> None:
    shown = list(painted("diff --git a/x b/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\x1b[2J\tc\n d", COLOUR))
    assert shown == [
        "\x1b[1mdiff --git a/x b/x\x1b[0m",
        "\x1b[1m+++ b/x\x1b[0m",
        "\x1b[36m@@ -1 +1 @@\x1b[0m",
        "\x1b[31m-a\x1b[0m",
        "\x1b[32m+b  c\x1b[0m",
        " d",
    ]


def test_numbers_of_git_are_read() -> None:
    text = (
        b"1\t2\t\0a/x.py\0b/x.py\0" + b"3\t0\t\0/dev/null\0b/n\n.py\0-\t-\t\0a/d.bin\0/dev/null\0"
    )
    assert changes_of(text) == [
        Changed("x.py", 1, 2),
        Changed("n\n.py", 3, 0),
        Changed("d.bin", None, None),
    ]


def test_the_table() -> None:
    changes = [Changed("a.py", 1, 1), Changed("long/b\n.py", 398, 0), Changed("d.bin", None, None)]
    assert list(stat_lines(changes, Style())) == [
        " a.py       |   2 +-",
        f" long/b .py | 398 {'+' * 40}",
        " d.bin      | binary",
        " 3 files changed, 399 lines added, 1 deleted",
    ]
