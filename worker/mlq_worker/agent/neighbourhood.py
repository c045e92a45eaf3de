"""The other queues on this machine, as the worker sees them, and what it tells them.

The edge between a worker's turn and the folder in which all users of a machine meet. Invariant:
what the worker is about to claim stands on its board before the next worker can plan. Nothing here
waits: while another worker has its turn, ours claims nothing and comes back.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from mlq.jobs.placement import Offer
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.boarding import jobs_of
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.people import people_of
from mlq_worker.guest.boards.board import Board, BoardName
from mlq_worker.guest.boards.boards import BoardReader, Hanging
from mlq_worker.guest.boards.courtesy import Courtesy, KeptFree
from mlq_worker.guest.boards.fairness import Usage
from mlq_worker.guest.boards.neighbours import (
    Neighbour,
    neighbours_of,
    processes_of,
    promises_of,
    share_of,
)
from mlq_worker.guest.boards.own_board import OwnBoard, own_process
from mlq_worker.guest.boards.turn_file import Turn, TurnFile
from mlq_worker.guest.login_names import LoginNames
from mlq_worker.ipc.clock import boottime
from mlq_worker.probes.machine import MachineReport, Promise

log = logging.getLogger(__name__)

_READ_EVERY_S = 1.0


class Neighbourhood:
    """The other queues on this machine; none if the worker has no folder to meet them in.

    Args:
        context: this machine.
    """

    def __init__(self, context: MachineContext) -> None:
        self._patience_s = context.settings.patience_s
        self._us = os.getuid(), context.queue_id
        self._is_courteous = context.settings.guest != "mine"
        self._usage, self._courtesy = Usage(), Courtesy(self._us)
        self._hanging = Hanging()
        self._read_s = float("-inf")
        self._turn: TurnFile | None = None
        self._own: OwnBoard | None = None
        self._told = ""
        self._names = LoginNames()
        self.process = own_process()
        self.neighbours: tuple[Neighbour, ...] = ()
        self.shown: Board | None = None
        folder = context.shared_dir
        if folder is not None and context.queue_id:
            name = BoardName(*self._us, is_next=True)
            self._turn = TurnFile(folder)
            self._own = OwnBoard(folder, name, context.guest_words)
            self._reader = BoardReader(folder, name)

    def look(self, now_s: float, *, wants_turn: bool) -> Turn | None:
        """Read the boards, if it is time; under the lock, if something is to be claimed.

        Args:
            now_s: boot time.
            wants_turn: whether the worker may claim something now.

        Returns:
            Whether it is our turn; None if we did not ask, or meet nobody.
        """
        if self._turn is None:
            return None
        turn = self._turn.take(now_s) if wants_turn else None
        self._say(self._turn.fault)
        if turn is Turn.OURS or turn is Turn.WITHOUT or now_s - self._read_s >= _READ_EVERY_S:
            self._hanging, self._read_s = self._reader.read(), now_s
            self.neighbours = neighbours_of(self._hanging.posted)
        return turn

    def promises(self, now_s: float) -> list[Promise]:
        """Return what the neighbours were promised."""
        return promises_of(self.neighbours, now_s, self._patience_s)

    def leader_pids(self) -> frozenset[int]:
        """Return the first process of each of their jobs."""
        return processes_of(self.neighbours)

    def keep_free(
        self, offer: Offer, attempts: AttemptTable, report: MachineReport, now_s: float
    ) -> KeptFree:
        """Add up who holds what, and return what is left to us beside those who go first."""
        if self._own is None or not self._is_courteous:
            return KeptFree(offer)
        cores = report.cores.total
        vram_mib = {gpu.uuid: gpu.total_mib for gpu in report.gpus.gpus}
        shares = {
            (one.uid, one.queue): share_of(one.jobs, cores, vram_mib) for one in self.neighbours
        }
        shares[self._us] = share_of(jobs_of(attempts), cores, vram_mib)
        self._usage.add(shares, now_s)
        return self._courtesy.keep_free(
            self.neighbours, self._usage, offer, self._patience_s, now_s
        )

    def show(self, board: Board | None, now_s: float) -> None:
        """Put up our board and let others have their turn.

        Args:
            board: what it says; None: it stays as it is.
            now_s: boot time.
        """
        if self._own is None or self._turn is None:
            return
        try:
            if board is not None:
                self._say(self._own.show(board, now_s))
                self.shown = board
        finally:
            self._turn.give_up()

    @property
    def is_on(self) -> bool:
        """Whether there is a folder to meet others in."""
        return self._own is not None

    def people(self, attempts: AttemptTable, report: MachineReport) -> list[dict[str, Any]]:
        """Return who holds and wants what on this machine, as JSON values."""
        waits = None if self.shown is None else self.shown.waits
        us = Neighbour(*self._us, jobs_of(attempts), waits)
        found = people_of(report, self.neighbours, us, _uid_of, boottime())
        ours = self._us[0]
        return [
            {"user": self._names.name(uid), "is_us": uid == ours, **one}
            for uid, one in sorted(found.items())
        ]

    def leave(self) -> None:
        """Take our board down."""
        if self._own is not None:
            self._own.take_down()

    def unwell(self) -> str:
        """Return what is wrong with the turn, in words; "" if nothing is."""
        return "" if self._turn is None else self._turn.fault

    def _say(self, why: str) -> None:
        if why and why != self._told:
            self._told = why
            log.warning("%s", why)


def _uid_of(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116 - no path of a file
    except OSError:
        return None
