"""How Slurm's commands read their command lines, and how they print: pure."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from mlq.errors import InvalidInputError
from mlq_cli.shims.asking import ids_of, states_of
from mlq_cli.shims.columns import Column, line, of_letters, of_names
from mlq_cli.shims.moments import moment_s
from mlq_cli.shims.options import Known, read
from mlq_cli.shims.states import span

KNOWN = Known("noheader/h me", "jobs/j name nice?")


def test_options_in_all_their_forms() -> None:
    found = read(["-hj", "1,2", "--jo=3", "x", "--nice", "--", "-y"], KNOWN)
    assert found.listed("jobs") == ["1", "2", "3"]
    assert found.has("noheader")
    assert found.last("nice", "none") == ""
    assert found.words == ["x", "-y"]


@pytest.mark.parametrize("words", [["--json"], ["-z"], ["-j"], ["--me=1"], ["--n"]])
def test_what_is_unknown_is_an_error(words: list[str]) -> None:
    with pytest.raises(InvalidInputError):
        read(words, KNOWN)


def test_columns_have_widths_and_what_stands_between_them() -> None:
    before, columns = of_letters("<%.5i|%2t>%j")
    assert line(columns, ["12", "PENDING", "a b"], before) == "<   12|PE>a b"
    assert line(of_names("JobID:4,State:.8,Name"), ["12", "R", "x"]) == "12         Rx" + " " * 19
    assert Column("x").cell("long") == "long"
    with pytest.raises(InvalidInputError):
        of_letters("no field")


def test_ids_of_jobs_members_and_steps() -> None:
    assert ids_of(["7", "8_3", "8_[1,4-5%2]", "7.batch", "1042000000007"]) == [
        ("7", None),
        ("8", {"3"}),
        ("8", {"1", "4", "5"}),
        ("7", None),
        ("1042", {"7"}),
    ]
    for word in ("x", "8_[a]", "8_"):
        with pytest.raises(InvalidInputError):
            ids_of([word])


def test_states_by_any_of_their_names() -> None:
    assert states_of(["pd", "RUNNING", "canceled"]) == {"PENDING", "RUNNING", "CANCELLED"}
    assert states_of(["all"]) is None


def test_moments() -> None:
    now_s = time.time()
    assert moment_s("now-2hours", now_s) == now_s - 7200
    assert moment_s("now", now_s) == now_s
    assert moment_s("2026-11-26T06:00", now_s) == datetime(2026, 11, 26, 6).timestamp()
    for word in ("yore", "now+2moons", "25:00"):
        with pytest.raises(InvalidInputError):
            moment_s(word, now_s)


def test_spans() -> None:
    assert [span(one) for one in (5, 3723, 93784)] == ["00:00:05", "01:02:03", "1-02:03:04"]
    assert [span(one, short=True) for one in (5, 3723)] == ["0:05", "1:02:03"]
