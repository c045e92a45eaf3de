"""`scontrol`: requeue, hold, release; show jobs, hosts of a list, settings, partition, nodes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence

from mlq.errors import InvalidInputError
from mlq.jobs.lifecycle import WAITING
from mlq.jobs.own_attempt import leave_wish, own_job
from mlq.scripts.slurm_ids import job_id_of
from mlq_cli.render.clean import clean
from mlq_cli.shims import showing
from mlq_cli.shims.asking import jobs_of, open_queue
from mlq_cli.shims.options import Known, Options, read

_KNOWN = Known(
    "all/a details/d oneliner/o quiet/Q hide verbose/v version/V help/h local sibling future/F",
    "cluster clusters/M uid/u",
)
_INVALID = "Invalid job id specified"


def main(words: Sequence[str]) -> int:
    """Do what the first word says."""
    options = read(words, _KNOWN)
    word, *rest = options.words or ("",)
    does = _DOES.get(word.lower())
    if does is None:
        raise InvalidInputError(f"invalid keyword: {word}" if word else "a keyword is needed")
    return does(rest, options)


def _ids(words: Sequence[str]) -> list[str]:
    found = [part for word in words for part in word.split(",") if part]
    if not found:
        raise InvalidInputError("too few arguments: the id of a job is needed")
    return [job_id_of(one.removeprefix("jobid=").removeprefix("JobId=")) for one in found]


def _requeue(words: Sequence[str], _: Options) -> int:
    """Queue jobs again; a job asks for itself without the queue."""
    typed = [one for one in _ids(words) if one.lower() != "incomplete"]
    own = own_job()
    if own in typed and leave_wish():
        typed = [one for one in typed if one != own]
        if not typed:
            return 0
    queue = open_queue()
    jobs, unknown = jobs_of(queue, typed)
    if unknown:
        raise InvalidInputError(f"{_INVALID}: {unknown[0]}")
    done = queue.requeue([one.id for one in jobs], "scontrol requeue")
    if done.ended:
        # As in Slurm, a job that has ended may run again, too.
        queue.retry(done.ended, finished=True)
    if done.canceled:
        raise InvalidInputError(f"Job is being canceled: {done.canceled[0]}")
    return 0


def _hold(words: Sequence[str], _: Options) -> int:
    from mlq.api.held import hold
    from mlq.jobs.lifecycle import BY_HAND

    queue = open_queue()
    jobs, unknown = jobs_of(queue, _ids(words))
    waiting = [one.id for one in jobs if one.state in WAITING]
    if unknown or not waiting:
        raise InvalidInputError(f"{_INVALID}: {' '.join(unknown or words)}")
    hold(queue.store, waiting, (), BY_HAND, time.time())
    return 0


def _release(words: Sequence[str], _: Options) -> int:
    from mlq.api.many import release

    queue = open_queue()
    jobs, unknown = jobs_of(queue, _ids(words))
    if unknown:
        raise InvalidInputError(f"{_INVALID}: {unknown[0]}")
    release(queue.store, [one.id for one in jobs if one.held], time.time(), lambda _done, _of: None)
    return 0


def _show(words: Sequence[str], options: Options) -> int:
    what, *names = words or ("",)
    shows: Mapping[str, Callable[[Sequence[str], bool], list[str]]] = {
        "hostnames": showing.host_names,
        "hostname": showing.host_names,
        "hostlist": showing.host_list,
        "config": showing.config,
        "job": showing.jobs,
        "jobs": showing.jobs,
        "partition": showing.partition,
        "partitions": showing.partition,
        "node": showing.nodes,
        "nodes": showing.nodes,
    }
    # `show job=1042` is `show job 1042`.
    what, equals, name = what.partition("=")
    if what.lower() not in shows:
        raise InvalidInputError(f"invalid entity: {what or 'none'} for keyword: show")
    lines = shows[what.lower()]([name, *names] if equals else names, options.has("oneliner"))
    sys.stdout.write("".join(f"{clean(one)}\n" for one in lines))
    return 0


def _ping(_words: Sequence[str], _: Options) -> int:
    open_queue().store.reads.paused()
    print("Slurmctld(primary) is UP: the queue of mlq answers")
    return 0


_DOES: Mapping[str, Callable[[Sequence[str], Options], int]] = {
    "requeue": _requeue,
    "hold": _hold,
    "uhold": _hold,
    "release": _release,
    "show": _show,
    "ping": _ping,
}
