"""What the live screen reads of a job from the results root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlq.files.layout import Layout
from mlq.metrics.series import Point, line_of
from mlq_cli.root_files import FilesHere
from mlq_cli.top.job_files import LINES_MOST, TAIL_BYTES, JobFiles, shown_lines


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def files(layout: Layout) -> JobFiles:
    return JobFiles(FilesHere(layout.root), layout)


def log_of(layout: Layout, job_id: str = "1", attempt: int = 1) -> Path:
    path = layout.log_file(job_id, attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_a_log_is_shown_as_a_terminal_would(layout: Layout, files: JobFiles) -> None:
    log_of(layout).write_bytes(
        b"one\r\n10%|# |\r\x1b[32m90%|##|\x1b[0m\n\x1b[2J\x1b]0;owned\x07x\ty"
    )
    assert files.log("1", 1).lines == ("one", "90%|##|", "x       y")


def test_of_a_long_log_only_the_end_is_read(layout: Layout, files: JobFiles) -> None:
    path = log_of(layout)
    path.write_bytes(b"a line of a log\n" * 10_000)
    os.truncate(path, 10 << 30)  # sparse: nobody could read all of it
    with path.open("ab") as file:
        file.write(b"\nthe last line\n")
    lines = files.log("1", 1).lines
    assert lines[-1] == "the last line"
    assert len(lines) <= LINES_MOST


def test_a_first_line_that_may_be_torn_is_left_out() -> None:
    assert shown_lines(b"orn\nwhole\n", is_whole=False) == ("whole",)
    assert shown_lines(b"", is_whole=True) == ()
    assert len(shown_lines(b"x\n" * TAIL_BYTES, is_whole=False)) == LINES_MOST


def test_a_log_that_is_none_says_why(layout: Layout, files: JobFiles) -> None:
    assert files.log("1", 1).why == "it has no log here"
    os.mkfifo(log_of(layout))
    assert files.log("1", 1).why == "its log is a named pipe"
    log_of(layout).unlink()
    log_of(layout).write_bytes(b"here\n")
    assert files.log("1", 1).lines == ("here",)


def test_a_log_that_was_emptied_is_read_anew(layout: Layout, files: JobFiles) -> None:
    path = log_of(layout)
    path.write_bytes(b"long and gone\n")
    assert files.log("1", 1).lines == ("long and gone",)
    path.write_bytes(b"new\n")
    assert files.log("1", 1).lines == ("new",)


def test_a_curve_goes_over_all_attempts_and_is_read_only_if_it_changed(
    layout: Layout, files: JobFiles
) -> None:
    for attempt, steps in ((1, range(5)), (2, range(3, 8))):
        log_of(layout, attempt=attempt)
        path = Path(layout.folder("1").metrics_file(attempt))
        points = (Point(step, 1.0, {"loss": 10.0 * attempt + step}) for step in steps)
        path.write_bytes(b"rubbish\n" + b"".join(map(line_of, points)) + b'{"step":')
    found = files.curve("1", "loss", "first").values
    assert list(found) == [10, 11, 12, 23, 24, 25, 26, 27]
    Path(layout.folder("1").metrics_file(2)).unlink()
    assert files.curve("1", "loss", "first").values == found
    assert len(files.curve("1", "loss", "second").values) == 5
    assert files.curve("1", "none", "second").values == []
