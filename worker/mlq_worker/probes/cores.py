"""How many cores of this machine other people are using.

Foreign load = busy cores minus the CPU time of our own processes, from two looks at `/proc`.
Invariant: CPU time that one of our processes has spent is never counted as foreign, also after it
has ended: the time of a reaped child lives on in its parent, which is one of ours too.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlq_worker.probes.process_table import PROC, Process, ProcessTable

MIN_INTERVAL_S = 1.0  # the kernel counts in ticks of 10 ms: shorter intervals measure noise
SMOOTHING_S = 10.0
ACTIVE_CORES = 0.3
"""Others who keep so much of a core busy are active."""
_NOTED_LOAD = 0.05  # of a core, by one process
_USERS_NOTED = 3
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_NO_TREES: Mapping[int, int] = {}


@dataclass(frozen=True, slots=True)
class CoreReport:
    """Logical cores this process may use, and how many of them others keep busy.

    `by_user` names the users: user ids with the cores that each keeps busy, the busiest first. It
    covers the time between the last two looks, and processes that still ran at the last one.
    `load_of` is what jobs of other people's mlq keep busy, by the pid of their first process: it is
    in neither of the others. `own_load` is what of the foreign load our own user's processes beside
    mlq keep busy.
    """

    total: int
    foreign_load: float
    by_user: tuple[tuple[int, float], ...] = ()
    load_of: Mapping[int, float] = field(default_factory=dict)
    own_load: float = 0.0


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    busy_ticks: int
    own: frozenset[int]
    table: ProcessTable
    trees: Mapping[int, frozenset[int]]


class CoreProbe:
    """Measures foreign load, smoothed over about ten seconds.

    Args:
        proc: where procfs is.
        affinity: gives the numbers of the cores we may use.
    """

    def __init__(
        self,
        proc: Path = PROC,
        *,
        affinity: Callable[[], Iterable[int]] = lambda: os.sched_getaffinity(0),
    ) -> None:
        self._proc = proc
        self._affinity = affinity
        self._sample: _Sample | None = None
        self._smoothed: float | None = None
        self._by_user: tuple[tuple[int, float], ...] = ()
        self._load_of: dict[int, float] = {}

    def read(
        self,
        now_s: float,
        table: ProcessTable,
        own_pids: Iterable[int],
        trees: Mapping[int, int] = _NO_TREES,
    ) -> CoreReport:
        """Measure the load since the last call that was at least a second ago.

        Before two such calls the kernel's one-minute load average stands in; it includes our own
        processes, so at worst too little is offered for that one second.

        Args:
            now_s: a monotonic clock.
            table: the processes at `now_s`.
            own_pids: roots of our process trees (the worker and the supervisor).
            trees: of each process of a job of other people's mlq, the job's first process.
        """
        cores = frozenset(self._affinity())
        last = self._sample
        if last is None or now_s - last.at_s >= MIN_INTERVAL_S:
            own = frozenset(table.owners(own_pids))
            self._sample = _Sample(now_s, self._busy_ticks(cores), own, table, _members(trees))
            if last is not None:
                interval_s = now_s - last.at_s
                loads = _loads(last, self._sample)
                self._load_of = {
                    leader: _smoothed(self._load_of.get(leader), load, interval_s)
                    for leader, load in loads.items()
                }
                foreign = max(0.0, _foreign_load(last, self._sample) - sum(loads.values()))
                self._smoothed = _smoothed(self._smoothed, foreign, interval_s)
                self._by_user = _by_user(last, self._sample, self._user_of)
        load = self._load_average() if self._smoothed is None else self._smoothed
        load = min(load, float(len(cores)))
        own_load = dict(self._by_user).get(os.getuid(), 0.0)
        return CoreReport(len(cores), load, self._by_user, self._load_of, min(load, own_load))

    def _busy_ticks(self, cores: frozenset[int]) -> int:
        """Sum the busy time of our cores: all but idle, iowait, and the guests (in user already).

        Fields of proc_stat(5): user nice system idle iowait irq softirq steal guest guest_nice.
        """
        busy = 0
        for line in (self._proc / "stat").read_bytes().splitlines():
            name, *times = line.split(None, 9)
            if name[:3] == b"cpu" and name[3:].isdigit() and int(name[3:]) in cores:
                busy += sum(map(int, times[0:3])) + sum(map(int, times[5:8]))
        return busy

    def _user_of(self, pid: int) -> int | None:
        try:
            return (self._proc / str(pid)).stat().st_uid
        except OSError:
            return None  # it has ended

    def _load_average(self) -> float:
        return float((self._proc / "loadavg").read_bytes().split(None, 1)[0])


def _smoothed(before: float | None, load: float, interval_s: float) -> float:
    if before is None:
        return load
    weight = 1 - math.exp(-interval_s / SMOOTHING_S)
    return before + weight * (load - before)


def _members(trees: Mapping[int, int]) -> dict[int, frozenset[int]]:
    found: defaultdict[int, set[int]] = defaultdict(set)
    for pid, leader in trees.items():
        found[leader].add(pid)
    return {leader: frozenset(pids) for leader, pids in found.items()}


def _loads(last: _Sample, now: _Sample) -> dict[int, float]:
    """Return how many cores each neighbour's job kept busy; one that has just ended none."""
    interval_ticks = TICKS_PER_S * (now.at_s - last.at_s)
    return {
        leader: max(0, _ticks(last, now, last.trees.get(leader, frozenset()), pids))
        / interval_ticks
        for leader, pids in now.trees.items()
    }


def _foreign_load(last: _Sample, now: _Sample) -> float:
    busy = now.busy_ticks - last.busy_ticks
    own = _ticks(last, now, last.own, now.own)
    return max(0, busy - max(0, own)) / TICKS_PER_S / (now.at_s - last.at_s)


def _by_user(
    last: _Sample, now: _Sample, user_of: Callable[[int], int | None]
) -> tuple[tuple[int, float], ...]:
    """Return how many cores each user kept busy; leave out users of hardly any."""
    interval_ticks = TICKS_PER_S * (now.at_s - last.at_s)
    ticks: defaultdict[int, int] = defaultdict(int)
    known = now.own.union(*now.trees.values())
    for pid, process in now.table.processes.items():
        earlier = last.table.processes.get(pid)
        if pid in known or earlier is None or not _same(earlier, process):
            continue
        spent = process.cpu_ticks - earlier.cpu_ticks
        if spent >= _NOTED_LOAD * interval_ticks and (user := user_of(pid)) is not None:
            ticks[user] += spent
    busiest = sorted(ticks.items(), key=lambda one: -one[1])[:_USERS_NOTED]
    return tuple((user, spent / interval_ticks) for user, spent in busiest)


def _ticks(last: _Sample, now: _Sample, then_pids: frozenset[int], now_pids: frozenset[int]) -> int:
    """Return the CPU time that a set of processes spent between two samples.

    What ended processes had spent is subtracted, for their parents' sums now hold it. A process
    that has only now come in (an adopted supervisor) starts from what it had spent before.
    """
    after = sum(now.table.processes[pid].cpu_ticks for pid in now_pids)
    before = sum(last.table.processes[pid].cpu_ticks for pid in then_pids)
    for pid in now_pids - then_pids:
        earlier = last.table.processes.get(pid)
        if earlier is not None and _same(earlier, now.table.processes[pid]):
            before += earlier.cpu_ticks
    return after - before


def _same(earlier: Process, later: Process) -> bool:
    return earlier.start_ticks == later.start_ticks
