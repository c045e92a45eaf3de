"""Builds the watches that a supervisor asks: the parts of a good guest, the most important first.

Each watch itself knows in which mode it has something to say. In an allocation of a batch system
desk, hours and other users are the system's business.
"""

from __future__ import annotations

import os

from mlq_worker.guest.board import BoardName
from mlq_worker.guest.board_watch import BoardWatch
from mlq_worker.guest.boards import BoardReader
from mlq_worker.guest.desk_reader import DeskReader
from mlq_worker.guest.desk_watch import DeskWatch, real_edges
from mlq_worker.guest.hours import HoursWatch
from mlq_worker.guest.login_names import LoginNames
from mlq_worker.guest.memory_limit import MemoryLimit
from mlq_worker.guest.off import OffWatch
from mlq_worker.guest.own_board import OwnBoard, own_process
from mlq_worker.guest.saved import Saved
from mlq_worker.guest.watch import Watch
from mlq_worker.ipc.options import Options


def watches(options: Options) -> tuple[Watch, ...]:
    """Return the watches of a supervisor with these options, on this machine.

    Without a folder where the users of the machine meet, no other user is looked for.
    """
    limit = MemoryLimit()
    if options.shared_dir is None:
        return (limit, HoursWatch())
    uid, names = os.getuid(), LoginNames()
    name = BoardName(uid, options.queue_id)
    board = BoardWatch(
        OwnBoard(options.shared_dir, name, options.words or f"guest of {uid}"),
        BoardReader(options.shared_dir, name),
        own_process(),
    )
    desk = DeskWatch(options.machine, uid, real_edges(DeskReader().look, Saved()))
    return (
        limit,
        desk,
        OffWatch(options.machine, uid, names.name, str(options.shared_dir)),
        HoursWatch(),
        board,
    )


def leave(options: Options) -> None:
    """Leave nothing of a supervisor with these options behind for the others to see."""
    if options.shared_dir is not None:
        OwnBoard(options.shared_dir, BoardName(os.getuid(), options.queue_id), "").take_down()
