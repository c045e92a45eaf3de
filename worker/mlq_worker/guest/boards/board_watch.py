"""Puts up the supervisor's board: what its jobs hold, with the worker away, too.

It demands nothing. Invariant: each job that has processes is on the board, with the keeper below
which all of them are, so that others can tell its use from a stranger's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence

from mlq_worker.guest.boards.board import Board, BoardJob, Process, key_of, key_of_lane
from mlq_worker.guest.boards.boards import BoardReader, Hanging
from mlq_worker.guest.boards.neighbours import Neighbour, neighbours_of
from mlq_worker.guest.boards.own_board import OwnBoard
from mlq_worker.guest.rules import GuestRules
from mlq_worker.guest.watch import GuestAttempt, Seen
from mlq_worker.ipc.clock import Moment

AffinityOf = Callable[[int], Collection[int]]


class BoardWatch:
    """Writes one board and reads the others.

    Args:
        own: our board.
        reader: reads those of the others.
        process: this process.
        affinity_of: returns the cores on which a process may run; raises OSError if it is gone.
    """

    def __init__(
        self,
        own: OwnBoard,
        reader: BoardReader,
        process: Process,
        affinity_of: AffinityOf = os.sched_getaffinity,
    ) -> None:
        self._own, self._reader, self._process = own, reader, process
        self._affinity_of = affinity_of
        self._hanging = Hanging()

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """The other queues on this machine, as the last look found them."""
        return neighbours_of(self._hanging.posted)

    def look(self, attempts: Sequence[GuestAttempt], rules: GuestRules, now: Moment) -> Seen:
        """Write what changed, and read."""
        if rules.is_granted:
            return Seen()
        self._hanging = self._reader.read()
        fault = self._own.show(Board(self._process, tuple(map(self._job, attempts))), now.at)
        facts = {
            "fault": fault,
            "neighbours": [[one.name.uid, one.name.queue] for one in self._hanging.posted],
            "unbelieved": [list(one) for one in self._hanging.unbelieved],
        }
        return Seen(facts={"boards": facts})

    def _job(self, one: GuestAttempt) -> BoardJob:
        share, target = one.share, one.target
        process: Process | None = None
        on: tuple[int, ...] = ()
        if target.pid is not None:
            process = Process(target.pid, target.pid_start or 0)
            on = self._pinned(target.pid, share.cores)
        key = key_of(one.id) if one.lane is None else key_of_lane(one.lane)
        vram_mib = dict.fromkeys(share.gpu_uuids, share.vram_mib)
        return BoardJob(key, share.cores, share.mem_mib, vram_mib, one.started_at, on, process)

    def _pinned(self, pid: int, cores: int) -> tuple[int, ...]:
        """Return on which cores a job is; none if it may use others than its own."""
        try:
            found = self._affinity_of(pid)
        except OSError:
            return ()
        return tuple(sorted(found)) if len(found) <= cores else ()
