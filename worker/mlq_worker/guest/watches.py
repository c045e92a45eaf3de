"""Builds what a supervisor asks: the parts of a good guest, the most important first.

Each watch itself knows in which mode it has something to say. In an allocation of a batch system
desk, hours and other users are the system's business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from functools import partial

from mlq_worker.guest.boards.board import BoardName
from mlq_worker.guest.boards.board_watch import BoardWatch
from mlq_worker.guest.boards.boards import BoardReader
from mlq_worker.guest.boards.neighbours import cores_of, processes_of
from mlq_worker.guest.boards.own_board import OwnBoard, own_process
from mlq_worker.guest.cores.job_cores import JobCores
from mlq_worker.guest.cores.pinning import Linux
from mlq_worker.guest.desk.company import Company
from mlq_worker.guest.desk.desk_reader import DeskReader
from mlq_worker.guest.desk.desk_watch import DeskWatch, real_edges
from mlq_worker.guest.hours import HoursWatch
from mlq_worker.guest.login_names import LoginNames
from mlq_worker.guest.memory.cgroups import NO_SCOPE, Scope
from mlq_worker.guest.memory.memory_limit import MemoryLimit
from mlq_worker.guest.off import OffWatch
from mlq_worker.guest.own_processes import OwnProcesses, ticks_of_user
from mlq_worker.guest.room.room_watch import RoomEdges, RoomWatch
from mlq_worker.guest.saved import Saved
from mlq_worker.guest.trees import Trees
from mlq_worker.guest.watch import Together, Watch
from mlq_worker.ipc.host import note
from mlq_worker.ipc.options import Options


def guest_of(
    options: Options, workers: Callable[[], Collection[int]], scope: Scope = NO_SCOPE
) -> JobCores:
    """Return what a supervisor with these options asks on this machine, the most important first.

    Without a folder where the users of the machine meet, no other user is looked for.

    Args:
        options: its options.
        workers: returns the pids of the workers that are connected to it.
        scope: where jobs have cgroups.
    """
    kernel, limit, hours = Linux(), MemoryLimit(scope=scope), HoursWatch()
    if options.shared_dir is None:
        own = OwnProcesses(Trees(), lambda: (os.getpid(), *workers()))
        return JobCores(Together((limit, hours), note), kernel, own)
    uid, saved = os.getuid(), Saved()
    name = BoardName(uid, options.queue_id)
    board = BoardWatch(
        OwnBoard(options.shared_dir, name, options.words or f"guest of {uid}"),
        BoardReader(options.shared_dir, name),
        own_process(),
    )
    desk = DeskWatch(options.machine, uid, real_edges(DeskReader().look, saved))
    off = OffWatch(options.machine, uid, LoginNames().name, str(options.shared_dir))
    # A neighbour's load is a promise.
    own = OwnProcesses(Trees(), lambda: (os.getpid(), *workers(), *processes_of(board.neighbours)))
    room = RoomEdges(
        own,
        kernel.usable,
        Company(lambda: desk.state, uid).is_there,
        lambda one: saved.saved_at(one.id),
        lambda: sum(job.cores for one in board.neighbours for job in one.jobs),
        partial(ticks_of_user, uid),
    )
    # The desk comes after those who say until when: it may be free again in minutes.
    first = (limit, off, hours, desk)
    watches: tuple[Watch, ...] = (*first, board, RoomWatch(room, options.machine))
    return JobCores(Together(watches, note), kernel, own, lambda: cores_of(board.neighbours))


def leave(options: Options) -> None:
    """Leave nothing of a supervisor with these options behind for the others to see."""
    if options.shared_dir is not None:
        OwnBoard(options.shared_dir, BoardName(os.getuid(), options.queue_id), "").take_down()
