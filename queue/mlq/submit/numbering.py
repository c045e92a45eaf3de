"""From checked submissions to stored jobs, each under a number that no other job has.

The queue gives numbers out once. But its counter may have been put back, by a backup or by a person
with the password. A job under a number that is taken would be dropped, or drop another; so the
queue refuses it, and it is signed anew under the next number. Its user is told the one that stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlq.errors import QueueRefusedError

if TYPE_CHECKING:
    from mlq.store.record import SignedJob
    from mlq.store.store import Store
    from mlq.submit.batch import Checked

_TRIES = 20


def store_all(store: Store, checked: Sequence[Checked], key: bytes, at: str) -> list[SignedJob]:
    """Number, sign and store submissions; return the jobs as they are in the queue.

    Args:
        store: the queue.
        checked: the submissions, in their order.
        key: the signing key.
        at: the time of submission, ISO.

    Raises:
        QueueRefusedError: there are no numbers to be had.
        JobNotFoundError: one comes after a job that does not exist.
    """
    from mlq.submit.batch import sign_all

    done: list[SignedJob] = []
    for _ in range(_TRIES):
        left = checked[len(done) :]
        if not left:
            return done
        signed = sign_all(left, store.reserve_numbers(len(left)), key)
        done += signed[: store.submit(signed, at)]
    if len(done) == len(checked):
        return done
    stored = f"jobs {done[0].spec.id} to {done[-1].spec.id} are in the queue, " if done else ""
    raise QueueRefusedError(
        f"no free job number was found for {len(checked) - len(done)} jobs",
        why=f"{stored}the next numbers are taken by jobs that the queue does not list",
        fix="look at the queue with: mlq doctor",
    )
