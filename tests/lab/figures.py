"""What the scenarios found, as figures: of each one a row, of all of them a table.

The two that matter must be 0. A job is lost that was acknowledged (`mlq enqueue` printed its id)
and did not finish, though all of them can. Two attempts overlap that both ticked at one instant.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from campus import Campus
from intervals import Overlap, overlaps, read_ticks
from waiting import wait_for

from mlq.jobs.lifecycle import ENDED

# What docs/liveness.md says: jobs of a machine that wakes run until the supervisor gets its turn.
WAKING_S = 0.5
COLUMNS = ("fault", "jobs", "finished", "attempts", "recovery", "lost", "overlaps")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one scenario found.

    Args:
        fault: what happened.
        jobs: how many were acknowledged.
        finished: how many of them finished.
        attempts: how often one was started, all together.
        recovery: what was waited for after the fault, and how long.
        overlaps: two attempts of one job at once.
    """

    fault: str
    jobs: int
    finished: int
    attempts: int
    recovery: str
    overlaps: tuple[Overlap, ...] = ()

    @property
    def lost(self) -> int:
        """How many acknowledged jobs did not finish."""
        return self.jobs - self.finished

    def row(self) -> tuple[str, ...]:
        """Return it as a row of the table."""
        counts = (self.jobs, self.finished, self.attempts)
        return (
            *(self.fault, *map(str, counts), self.recovery),
            *(str(self.lost), str(len(self.overlaps))),
        )


@dataclass
class Scenario:
    """A scenario that runs: jobs enqueued so far, the instant of the fault, what was measured.

    Args:
        campus: where.
        fault: what happens, for the table.
        woken_s: when a machine woke; an overlap in that instant is shown and excused.
    """

    campus: Campus
    fault: str
    jobs: list[str] = field(default_factory=list)
    struck_s: float = 0.0
    measured: list[str] = field(default_factory=list)
    woken_s: list[float] = field(default_factory=list)

    def enqueue(self, count: int, seconds: float, *words: str, checkpoints: bool = True) -> None:
        """Enqueue so many jobs, each of which runs so long."""
        for _ in range(count):
            self.jobs.append(self.campus.enqueue(seconds, *words, checkpoints=checkpoints))

    def until_all_run(self) -> None:
        """Wait until every job ticks."""
        for job in self.jobs:
            self.campus.until_ticks(job)

    def until_checkpointed(self) -> None:
        """Wait until every job has something to go on from."""
        for job in self.jobs:
            checkpoint = self.campus.layout.checkpoint_dir(job) / "seconds"
            wait_for(checkpoint.exists, 60, f"a checkpoint of job {job}")

    def on(self, machine: str) -> list[str]:
        """Return the jobs that run on a machine now."""
        views = self.campus.watch.jobs()
        return [one for one in self.jobs if views[one].machine == machine]

    def strikes(self) -> None:
        """Note that the fault happens now."""
        self.struck_s = time.monotonic()

    def wakes(self) -> None:
        """Note that a machine that had stopped as a whole goes on now."""
        self.woken_s.append(time.monotonic())

    def excuses(self, overlap: Overlap) -> bool:
        """Tell whether an overlap is no longer than the instant after a waking, and in it."""
        latest_s = overlap.begin_s + overlap.length_s
        return any(
            woken_s - WAKING_S <= overlap.begin_s and latest_s <= woken_s + WAKING_S
            for woken_s in self.woken_s
        )

    def until_requeued(self, jobs: Sequence[str], timeout_s: float) -> float:
        """Wait until these jobs have left their first attempt; returns the seconds since the fault.

        Raises:
            AssertionError: they have not, so long after the fault.
        """

        def left() -> bool:
            views = self.campus.watch.jobs()
            return all(
                one in views and (views[one].state == "queued" or views[one].attempt > 1)
                for one in jobs
            )

        wait_for(left, timeout_s + self.struck_s - time.monotonic(), f"{jobs} to be queued again")
        return self.measure("to requeue")

    def pass_time(self, seconds: float) -> None:
        """Let the fault last so long in all; faults are given by their length."""
        time.sleep(max(0.0, self.struck_s + seconds - time.monotonic()))

    def note(self, what: str) -> None:
        """Note something else that is worth a place in the table."""
        self.measured.append(what)

    def measure(self, what: str, since_s: float | None = None) -> float:
        """Note the seconds from the fault, or another moment, to now; returns them."""
        passed_s = time.monotonic() - (self.struck_s if since_s is None else since_s)
        self.measured.append(f"{passed_s:.1f} s {what}")
        return passed_s

    def until_finished(self, timeout_s: float = 90) -> Figures:
        """Wait until all jobs have ended, or for so long; returns the figures as they are."""

        def ended() -> bool:
            views = self.campus.watch.jobs()
            return all(one in views and views[one].state in ENDED for one in self.jobs)

        with suppress(AssertionError):
            wait_for(ended, timeout_s, "all jobs to end")
        return self.look()

    def end(self, timeout_s: float = 90) -> Figures:
        """Wait until all jobs have finished; return the figures, with nothing lost or doubled.

        Raises:
            AssertionError: a job is lost, or two attempts of one ran at once.
        """
        figures = self.until_finished(timeout_s)
        assert figures.lost == 0, (figures, self.campus.watch.jobs())
        assert not [one for one in figures.overlaps if not self.excuses(one)], figures
        return figures

    def look(self) -> Figures:
        """Return the figures as they are now."""
        views = self.campus.watch.jobs()
        ours = [views[one] for one in self.jobs if one in views]
        ticks = read_ticks(self.campus.spool / "ticks")
        return Figures(
            fault=self.fault,
            jobs=len(self.jobs),
            finished=sum(one.state == "finished" for one in ours),
            attempts=sum(one.attempt for one in ours),
            recovery=", ".join(self.measured) or "-",
            overlaps=tuple(each for one in self.jobs for each in overlaps(one, ticks.get(one, {}))),
        )


NewScenario = Callable[[str], Scenario]


def table(rows: Sequence[Figures]) -> list[str]:
    """Return the lines of a table in Markdown, as in the docs."""
    cells = [COLUMNS, *(one.row() for one in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    head, *body = [f"| {' | '.join(row)} |" for row in padded]
    return [head, f"|{'|'.join('-' * (width + 2) for width in widths)}|", *body]
