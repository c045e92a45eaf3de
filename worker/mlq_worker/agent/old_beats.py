"""Removes the beats of workers that ran inside an allocation which has ended.

Every pilot has a name of its own, so its beat would lie on the results root for ever. Invariant: a
beat that anybody may still ask for stays. A beat goes only if the queue knows the machine no more
(it knows each that may still run a job) and if the file has not changed for `QUIET_S` by the file
server's own clock, while this worker's beat has.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from mlq.files.layout import Layout
from mlq.files.root import pinned
from mlq_worker.allocation.systems import is_of_allocation

log = logging.getLogger(__name__)

QUIET_S = 600.0


def remove_old_beats(layout: Layout, own: str, known: Collection[str]) -> int:
    """Remove them; return how many. What cannot be removed now is tried again in an hour.

    Args:
        layout: of the results root, with the queue that it must belong to.
        own: this machine, whose supervisor beats.
        known: the machines that the queue knows.
    """
    removed = 0
    try:
        with pinned(layout) as root:
            now_s = root.beat_file(own).stat().st_mtime
            for path in sorted(root.workers_dir.glob("*.beat")):
                if path.stem in known or not is_of_allocation(path.stem):
                    continue
                if now_s - path.lstat().st_mtime > QUIET_S:
                    path.unlink()
                    removed += 1
    except OSError as error:
        log.warning("old beats stay for now: %s", error)
    return removed
