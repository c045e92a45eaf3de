"""From checked submissions to stored jobs, each under a number that no other job has.

The queue gives each number out once. But a backup, or a person with the password, may have put its
counter back. A job under a number that is taken would replace another or be dropped; so the queue
refuses it, and it is signed anew under the next number. Its user sees only the final number.
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
        QueueRefusedError: no numbers are left.
        JobNotFoundError: a job is to come after one that does not exist.
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
