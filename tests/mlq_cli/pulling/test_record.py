"""The record of what pulls have put into a folder."""

from __future__ import annotations

from mlq_cli.pulling.record import Known, Record, file_line, job_line, parse


def test_lines_come_back_whatever_the_names_hold() -> None:
    names = ("f/a\nb", "f/\udcff", "f/ä\u2028")
    text = job_line("q 6_0", "lr=0.1") + b"".join(file_line(n, Known(1, 2, 3)) for n in names)
    record = parse(text)
    assert record.folders == {"q 6_0": "lr=0.1"}
    assert record.files == {name: (Known(1, 2, 3),) for name in names}
    assert parse(record.text()) == record


def test_the_last_two_lines_of_a_file_count() -> None:
    text = b"".join(file_line("f/a", Known(n, n, n)) for n in range(4))
    assert parse(text).files == {"f/a": (Known(2, 2, 2), Known(3, 3, 3))}


def test_damage_costs_its_lines_only() -> None:
    bad = b'["job", "1", "../x"]\n["job", 1, "x"]\n["file", "a", 1]\n{"a": 1}\nnull\n\xff\n[[[[\n'
    text = bad + file_line("f/a", Known(1, 2, 3)) + job_line("1", "x")[:9]
    assert parse(text) == Record({}, {"f/a": (Known(1, 2, 3),)})
