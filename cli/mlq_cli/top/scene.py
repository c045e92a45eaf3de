"""Everything that the screen shows, without the widgets: what was read, what the user chose.

It turns both into lines of a given width. It asks nothing, and knows the time only as an argument.
"""

from __future__ import annotations

from datetime import datetime

from mlq.errors import MlqError
from mlq.jobs.lifecycle import ENDED, State
from mlq.jobs.view import JobView
from mlq.settings.settings import Settings
from mlq.store.reads import SweepSeen
from mlq_cli.render.table import Cell
from mlq_cli.top import proposals
from mlq_cli.top.asking import Asked
from mlq_cli.top.detail import (
    CurveSeen,
    LogSeen,
    facts,
    log_lines,
    log_title,
    metric_lines,
    metric_title,
    sweep_facts,
)
from mlq_cli.top.header import header_line, trouble_lines
from mlq_cli.top.hosts import host_lines
from mlq_cli.top.lines import Line
from mlq_cli.top.proposals import Proposed
from mlq_cli.top.snapshot import Snapshot
from mlq_cli.top.watches import Answer, FilesAsked
from mlq_cli.top.work import ALL, CLOSED, RUNNING, SORTS, Arranged, work_lines

LATE_S = 3.0
"""After so many seconds without an answer the user is told."""


class Scene:
    """What was read, and what the user chose.

    Args:
        settings: of this installation.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.seen: Snapshot | None = None
        self.error: MlqError | None = None
        self._began_s = 0.0
        self.arranged = Arranged()
        self.selected, self.host = "", ""
        self._metric = ""
        self.log, self.curve = LogSeen(), CurveSeen()

    # What was read

    def take(self, answer: Answer, now_s: float) -> None:
        """Take what the queue said, or why it said nothing."""
        self._began_s = self._began_s or now_s
        self.error = answer.error
        if answer.seen is not None:
            self.seen = answer.seen
            self.selected = self.selected or self._first()

    def _first(self) -> str:
        """Return what is selected first: a job that runs, since its log grows."""
        seen = self.seen
        known = () if seen is None else (*seen.running, *seen.jobs)
        return next((one.id for one in known if one.state == State.STARTED), "")

    def trouble(self, busy_s: float, now_s: float) -> tuple[str, float]:
        """Return why the queue does not answer ("" if it does), and since when, unix time.

        Args:
            busy_s: for how long it has owed an answer.
            now_s: unix time.
        """
        since_s = self.seen.at_s if self.seen is not None else self._began_s or now_s
        if self.error is not None:
            return self.error.what, since_s
        return ("the queue is silent" if busy_s >= LATE_S else ""), since_s

    # What the user chose

    @property
    def job(self) -> JobView | None:
        """The selected job."""
        return None if self.seen is None else self.seen.job(self.selected)

    @property
    def sweep(self) -> SweepSeen | None:
        """The selected sweep."""
        return None if self.seen is None else self.seen.sweep(self.selected)

    @property
    def metrics(self) -> list[str]:
        """The metrics of the selected job."""
        if self.seen is None or self.seen.selected != self.selected:
            return []
        return list(self.seen.metrics)

    @property
    def metric(self) -> str:
        """The metric that is shown: the one chosen last, if this job has it."""
        names = self.metrics
        return self._metric if self._metric in names else names[0] if names else ""

    def next_metric(self, by: int) -> None:
        """Show another metric."""
        if names := self.metrics:
            self._metric = names[(names.index(self.metric) + by) % len(names)]

    def next_sort(self) -> str:
        """Sort by the next thing; return its name."""
        sort = SORTS[(SORTS.index(self.arranged.sort) + 1) % len(SORTS)]
        self.arranged = self.arranged._replace(sort=sort)
        return sort

    def filter(self, text: str) -> None:
        """Show only what contains all words of a text."""
        self.arranged = self.arranged._replace(words=tuple(text.casefold().split()))

    def open(self, by: int) -> None:
        """Open the selected sweep further, or close it; 0 opens it, and when it is open closes it.

        Of a member, its sweep is closed.
        """
        job, sweep = self.job, self.sweep
        if sweep is None and job is not None and job.sweep and by < 0:
            self.selected = str(job.sweep)
            sweep = self.sweep
        if sweep is None:
            return
        level = self.arranged.opened.get(sweep.number, RUNNING)
        level = (level + 1) % (ALL + 1) if by == 0 else min(ALL, max(CLOSED, level + by))
        opened = {**self.arranged.opened, sweep.number: level}
        self.arranged = self.arranged._replace(opened=opened)

    def asked(self) -> Asked:
        """Return what the queue is to be asked besides the list."""
        levels = self.arranged.opened.items()
        opened = frozenset(number for number, level in levels if level == ALL)
        return Asked(self.selected if self.sweep is None else "", opened)

    def files_asked(self) -> FilesAsked:
        """Return what is to be read from the results root."""
        job, metric = self.job, self.metric
        if job is None:
            return FilesAsked()
        extent = None if self.seen is None else self.seen.metrics.get(metric)
        version = (job.attempt, extent)
        return FilesAsked(job.id, job.attempt, metric, version, job.state not in ENDED)

    def proposal(self, what: str) -> Proposed:
        """Return what a key proposes to do with what is selected."""
        if self.seen is None:
            return "the queue has not answered yet"
        if what == "pause":
            return proposals.pause(self.seen.paused)
        if what == "drain":
            return self._drain(self.seen)
        job, sweep = self.job, self.sweep
        if job is not None:
            return proposals.OF_A_JOB[what](job, self._settings)
        return "no job is selected" if sweep is None else proposals.OF_A_SWEEP[what](sweep)

    def _drain(self, seen: Snapshot) -> Proposed:
        machine = seen.machines.get(self.host)
        if machine is None:
            return "no machine is selected"
        return proposals.drain(self.host, *machine, self._settings, seen.lease_s)

    # Lines

    def head(self, now: datetime, width: int) -> Line:
        """Return the first line."""
        return header_line(self.seen, now, width)

    def troubles(self, busy_s: float, now_s: float) -> list[Line]:
        """Return what the user must know first."""
        return trouble_lines(self.seen, *self.trouble(busy_s, now_s), now_s)

    def work(self, now: datetime, width: int) -> list[Line]:
        """Return sweeps and jobs, headings first."""
        if self.seen is None:
            return []
        lines = work_lines(self.seen, self.arranged, now, width)
        if len(lines) > 1:
            return lines
        empty = "nothing matches the filter" if self.arranged.words else "no jobs"
        return [Line(()), Line((Cell(f"  {empty}", "faint"),))]

    def hosts(self, width: int, *, blocks: bool) -> list[Line]:
        """Return the machines, headings first."""
        if self.seen is None:
            return []
        if self.seen.machines:
            return host_lines(self.seen, width, blocks=blocks)
        return [Line(()), Line((Cell("no machine has worked for this queue yet", "faint"),))]

    def log_title(self) -> str:
        """Return the title of the log."""
        return log_title(self.job, self.sweep)

    def log_lines(self, now: datetime, width: int, late_s: float) -> list[Line]:
        """Return what is known of what is selected: facts, then the end of the log.

        Args:
            now: the present time.
            width: columns.
            late_s: for how many seconds the results root has owed an answer.
        """
        job, sweep = self.job, self.sweep
        if sweep is not None:
            return sweep_facts(sweep, width)
        if job is None:
            return []
        log = log_lines(self.log, job, late_s if late_s >= LATE_S else 0.0)
        return [facts(job, now, width), *log]

    def metric_title(self) -> str:
        """Return the title of the curve."""
        return metric_title(self.metrics, self.metric)

    def metric_lines(self, width: int, height: int) -> list[Line]:
        """Return the curve of the metric and its values."""
        job = self.job
        if job is None or self.seen is None:
            return []
        extent = self.seen.metrics.get(self.metric) if self.metric else None
        drawn = self.curve if self.curve.metric == self.metric else CurveSeen()
        return metric_lines(drawn, extent, job.id, width, height)
