"""What follows when a claim turns out to be of an attempt that the queue has forgotten.

The launcher finds it out: the results root knows the number already. The attempt that had it may
run on another machine, or have ended with a result. So the job is not simply handed back, to be
started beside it, but put back to that attempt; the ordinary renewal, result or verdict follows.
"""

from __future__ import annotations

import logging

from mlq.store.operations import Claimant
from mlq.store.replies import Attempt
from mlq.store.store import Store
from mlq_worker.agent.attempts import AttemptTable

log = logging.getLogger(__name__)


def put_back(attempts: AttemptTable, store: Store, us: Claimant, now_s: float) -> set[Attempt]:
    """Put the jobs of such claims back to the attempts that are known; return the claims.

    Args:
        attempts: what this machine holds; what has ended as `reused` is meant.
        store: the queue.
        us: who claimed them. If it is not known whose an attempt is, it is looked for here: its
            result is found, or it never started.
        now_s: unix time, for the record only.
    """
    done: set[Attempt] = set()
    for one in attempts.ended():
        if one.result is None or one.result.found is None:
            continue
        number, *words = one.result.found
        who = Claimant(*words) if all(words) else us
        if store.reinstate(one.attempt, number, who, now_s):
            reason = one.result.reason
            log.warning("job %s: %s; it is held by %s", one.attempt[0], reason, who.machine)
        done.add(one.attempt)
    return done
