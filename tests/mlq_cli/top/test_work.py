"""Sweeps and jobs as the list of the live screen."""

import pytest
from seen_queue import NOW, job, snapshot, sweep

from mlq_cli.render.table import columns_of
from mlq_cli.top.snapshot import Snapshot
from mlq_cli.top.work import ALL, CLOSED, ENDED_SHOWN, SORTS, WAITING_SHOWN, Arranged, work_lines


def keys(seen: Snapshot, **arranged: object) -> list[str]:
    lines = work_lines(seen, Arranged(**arranged), NOW, None)  # type: ignore[arg-type]
    return [one.key for one in lines[1:]]


def mixed() -> Snapshot:
    ended = "2026-01-01T11:59:5{}Z"
    members = [
        job("7_0", "started", sweep=7, params={"lr": "0.1"}, progress=0.5),
        job("7_1", "queued", sweep=7, params={"lr": "0.3"}),
    ]
    return snapshot(
        job("1", "finished", ended_at=ended.format(1), progress=1.0),
        job("2", "failed", ended_at=ended.format(3), reason="exit 2", name="b"),
        job("3", "queued", name="a"),
        job("4", "started", progress=0.25, left_s=100.0, machine="lab02"),
        job("5", "deferred", held="held by its user"),
        job("6", "started", inner=0.4),
        sweeps=[
            sweep(7, {"finished": 1, "started": 1, "queued": 1}, varying='["lr"]'),
            sweep(9, {"finished": 2, "failed": 1}),
        ],
        running=members[:1],
        opened={7: members},
    )


def test_what_runs_comes_first_then_what_waits_then_what_ended_last() -> None:
    assert keys(mixed()) == ["7", "7_0", "4", "6", "3", "5", "9", "2", "1"]


def test_a_sweep_is_open_as_far_as_wanted() -> None:
    assert keys(mixed(), opened={7: CLOSED})[:2] == ["7", "4"]
    assert keys(mixed(), opened={7: ALL})[:3] == ["7", "7_0", "7_1"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("lab02",), ["4"]),
        (("exit", "2"), ["2"]),
        (("lr=0.1",), ["7", "7_0"]),
        (("sweep-9",), ["9"]),
        (("held",), ["5"]),
        (("nothing like it",), []),
    ],
)
def test_only_what_has_all_words_is_shown(words: tuple[str, ...], found: list[str]) -> None:
    assert keys(mixed(), words=words) == found


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("id", ["1", "2", "3", "4", "5", "6"]),
        ("name", ["3", "2", "1", "4", "5", "6"]),
        ("done", ["1", "4", "2", "3", "5", "6"]),
        ("machine", ["6", "4", "1", "2", "3", "5"]),
    ],
)
def test_jobs_are_sorted_below_the_sweeps(sort: str, found: list[str]) -> None:
    assert keys(mixed(), sort=sort) == ["7", "7_0", "9", *found]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("width", [40, 80, 140])
def test_every_line_fits(sort: str, width: int) -> None:
    lines = work_lines(mixed(), Arranged(sort=sort), NOW, width)
    assert max(columns_of(one.text) for one in lines) <= width


def test_a_job_says_what_mlq_ls_says() -> None:
    lines = {one.key: one.text for one in work_lines(mixed(), Arranged(), NOW, None)}
    assert lines["4"].split() == ["4", "started", *lines["4"].split()[2:]]
    assert " 25% " in lines["4"]
    assert "1m40s" in lines["4"]
    assert "███·········" in lines["4"]
    assert "exit 2" in lines["2"]
    assert "held" in lines["5"]
    assert "lr=0.1" in lines["7_0"]
    assert "1/3" in lines["7"]
    assert "1 failed" in lines["9"]


def test_a_loop_that_starts_over_is_not_the_share_of_the_job() -> None:
    line = next(one for one in work_lines(mixed(), Arranged(), NOW, None) if one.key == "6")
    assert "loop 40%" in line.text
    assert all(part.kind == "faint" for part in line.parts if "█" in part.text)


def test_the_list_has_an_end_however_many_jobs_wait() -> None:
    waiting = [job(str(number)) for number in range(1, 1001)]
    ended = [
        job(str(number), "finished", ended_at="2026-01-01T11:59:55Z")
        for number in range(2000, 2060)
    ]
    counts = {"queued": 49_000, "deferred": 1000, "started": 0, "ended": 500}
    lines = work_lines(snapshot(*waiting, *ended, counts=counts), Arranged(), NOW, 80)
    assert len(lines) == 1 + WAITING_SHOWN + 1 + ENDED_SHOWN + 1
    assert lines[WAITING_SHOWN + 1].text == "  … and 49,800 more that wait: mlq ls -a"
    assert lines[-1].text == "  … and 450 more that ended in the last 24 hours: mlq ls -a"
    assert lines[-1].key == ""


def test_control_characters_do_not_reach_the_terminal() -> None:
    evil = job("1", name="\x1b[2J[red]模型\n", command="\x1b]0;owned\x07", reason="\x00\u202e")
    lines = work_lines(snapshot(evil), Arranged(), NOW, 140)
    assert lines[1].text.isprintable()
    assert "[red]模型" in lines[1].text
