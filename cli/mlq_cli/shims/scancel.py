"""`scancel`: cancels jobs, or sends them a signal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import ENDED
from mlq.jobs.view import JobView
from mlq_cli.shims.asking import is_own, jobs_of, named, open_queue, states_of
from mlq_cli.shims.options import Known, Options, read
from mlq_cli.shims.signalling import preempt, send
from mlq_cli.shims.states import state_of

_KNOWN = Known(
    "batch/b full/f quiet/Q verbose/v me hurry/H ctld sibling cron version/V",
    "name/n jobname user/u state/t signal/s partition/p account/A qos/q clusters/M nodelist/w"
    " reservation/R wckey",
)
_CHOOSING = ("name", "jobname", "user", "state", "me", "nodelist", "partition", "account", "qos")


def main(words: Sequence[str]) -> int:
    """Cancel or signal the jobs."""
    options = read(words, _KNOWN)
    typed = [part for word in options.words for part in word.split(",") if part]
    if not typed and not any(options.has(one) for one in _CHOOSING):
        raise InvalidInputError("No job identification provided")
    queue = open_queue()
    unknown: list[str] = []
    if typed:
        found, unknown = jobs_of(queue, typed)
    else:
        found = queue.unended()
    for word in unknown:
        text = f"scancel: error: Kill job error on job id {word}: Invalid job id specified"
        print(text, file=sys.stderr)
    ids = [one.id for one in _chosen(found, options) if one.state not in ENDED]
    name = options.last("signal")
    plain = (name or "").upper().removeprefix("SIG")
    if ids and plain in ("TERM", "15") and all(one.signal for one in found if one.id in ids):
        preempt(queue, ids)
    elif ids and name and plain not in ("KILL", "9", "TERM", "15"):
        send(queue, ids, name, script_only=options.has("batch"))
    elif ids:
        queue.cancel(ids, "canceled by scancel")
    return int(bool(unknown))


def _chosen(jobs: list[JobView], options: Options) -> list[JobView]:
    if not is_own(options.listed("user")):
        return []
    states = states_of(options.listed("state")) if options.has("state") else None
    machines = options.listed("nodelist")
    return [
        one
        for one in named(named(jobs, options, "name"), options, "jobname")
        if (states is None or state_of(one) in states) and (not machines or one.machine in machines)
    ]
