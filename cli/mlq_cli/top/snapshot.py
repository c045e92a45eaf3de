"""What the queue said at one moment: all that the screen shows but logs and curves.

It is read in one go (`asking`), and is a value: one thread reads it and another draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mlq.jobs.lifecycle import ENDED, HELD, WAITING, State
from mlq.jobs.view import JobView
from mlq.metrics.extent import Extent
from mlq.store.reads import SweepSeen
from mlq_cli.render.jobs import counts_of
from mlq_cli.render.machines import machine_json
from mlq_cli.render.sweeps import progress_of

Machines = Mapping[str, tuple[float, Mapping[str, Any]]]
"""Machine -> (seconds since the queue heard it, what it said of itself)."""

COUNTED = ("running", "queued", HELD, "done", "failed", "canceled", "ended")


class Snapshot(NamedTuple):
    """The queue at one moment.

    Args:
        at_s: when, unix time.
        jobs: those of no sweep that have not ended, or lately; of a long queue the first in line,
            those that run and those that ended last.
        sweeps: those of which a member has not ended, or ended lately.
        running: members of sweeps that run.
        opened: sweep -> its members, of the sweeps whose members were asked for.
        paused: why the user has paused the queue; "" if it is not paused.
        counts: if `jobs` is not complete, how many jobs of no sweep there are of each state.
        machines: what each machine said last.
        conditions: what is wrong with machines that hold jobs.
        lease_s: a machine that is silent for longer holds no lease any more.
        selected: the id of the job whose metrics were asked for; "" if none was.
        metrics: its metrics.
    """

    at_s: float
    jobs: list[JobView]
    sweeps: list[SweepSeen]
    running: list[JobView] = []  # noqa: RUF012 - no code writes to it
    opened: Mapping[int, list[JobView]] = {}
    paused: str = ""
    counts: dict[str, int] | None = None
    machines: Machines = {}  # noqa: RUF012 - no code writes to it
    conditions: Mapping[str, str] = {}
    lease_s: float = 45.0
    selected: str = ""
    metrics: Mapping[str, Extent] = {}

    def job(self, job_id: str) -> JobView | None:
        """Return a job as it was seen; None if it was not."""
        known = (*self.jobs, *self.running, *(one for all_ in self.opened.values() for one in all_))
        return next((one for one in known if one.id == job_id), None)

    def sweep(self, number: str) -> SweepSeen | None:
        """Return a sweep by its number."""
        return next((one for one in self.sweeps if str(one.number) == number), None)

    def totals(self) -> dict[str, int]:
        """Return how many jobs and members there are, by the words of `COUNTED`."""
        counts = self.counts or counts_of(self.jobs)
        held = counts.get(HELD, 0)
        found = {
            "running": counts.get(State.STARTED, 0),
            "queued": sum(counts.get(one, 0) for one in WAITING) - held,
            HELD: held,
            "done": counts.get(State.FINISHED, 0),
            "failed": counts.get(State.FAILED, 0),
            "canceled": counts.get(State.CANCELED, 0),
            "ended": counts.get("ended", 0),
        }
        for sweep in self.sweeps:
            for word, number in progress_of(sweep).items():
                found[word] += number
        return found

    def waiting_beyond(self) -> int:
        """Return how many jobs of no sweep wait that `jobs` does not have."""
        if self.counts is None:
            return 0
        seen = sum(job.state in WAITING for job in self.jobs)
        return max(0, sum(self.counts.get(one, 0) for one in WAITING) - seen)

    def ended_beyond(self) -> int:
        """Return how many jobs of no sweep ended lately that `jobs` does not have."""
        if self.counts is None:
            return 0
        return max(0, self.counts.get("ended", 0) - sum(job.state in ENDED for job in self.jobs))

    def as_json(self) -> dict[str, Any]:
        """Return everything as `mlq top --json` prints it; its names are a contract."""
        return {
            "at": self.at_s,
            "paused": self.paused,
            "counts": self.totals(),
            "sweeps": [{**one._asdict(), "progress": progress_of(one)} for one in self.sweeps],
            "jobs": [one.as_json() for one in (*self.jobs, *self.running)],
            "machines": [
                machine_json(name, *seen, self.conditions.get(name, ""), self.lease_s)
                for name, seen in sorted(self.machines.items())
            ],
        }
