"""`scancel`: cancels jobs, or sends them a signal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from signal import SIGKILL

from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import ENDED, WAITING
from mlq.jobs.signals import Whom
from mlq.jobs.view import JobView
from mlq_cli.shims.asking import is_own, jobs_of, named, open_queue, states_of
from mlq_cli.shims.options import Known, Options, read
from mlq_cli.shims.signalling import INVALID, send, signal_of
from mlq_cli.shims.states import state_of

_KNOWN = Known(
    "batch/b full/f quiet/Q verbose/v me hurry/H ctld sibling cron version/V",
    "name/n jobname user/u state/t signal/s partition/p account/A qos/q clusters/M nodelist/w"
    " reservation/R wckey",
)
_CANCELED = "canceled by scancel"
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
    failed = dict.fromkeys(unknown, INVALID)
    chosen = _chosen(found, options)
    number = signal_of(options.last("signal")) if options.has("signal") else SIGKILL
    whom = Whom.ALL if options.has("full") else Whom.PROGRAM
    whom = Whom.SCRIPT if options.has("batch") else whom
    if number == SIGKILL and whom is Whom.SCRIPT:
        queue.cancel([one.id for one in chosen if one.state in WAITING], _CANCELED)
        chosen = [one for one in chosen if one.state not in WAITING]
    if number == SIGKILL and whom is not Whom.SCRIPT:
        queue.cancel([one.id for one in chosen if one.state not in ENDED], _CANCELED)
    else:
        failed |= send(queue, chosen, number, whom)
    for job, why in failed.items():
        print(f"scancel: error: Kill job error on job id {job}: {why}", file=sys.stderr)
    return int(bool(failed))


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
