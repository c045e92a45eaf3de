"""Says in words which jobs a job comes after, and how these must have ended."""

from __future__ import annotations

from collections.abc import Mapping

from mlq.jobs.parents import Condition
from mlq.jobs.view import JobView
from mlq_cli.render.words import count

_FORMS: dict[Condition, str] = {
    "finished": "{}",
    "ended": "the end of {}",
    "failed": "the failure of {}",
}
_MEMBERS_IN_FULL = 3


def parents_in_words(job: JobView, states: Mapping[str, str]) -> str:
    """Return some of the jobs that a job comes after, in words; members of one sweep together.

    Args:
        job: the job.
        states: the jobs to name, and their states; "" to leave the state out.
    """
    wanted = job.parents
    groups: dict[tuple[Condition, str], list[str]] = {}
    for one, state in states.items():
        condition: Condition = "ended" if one == job.behind else wanted.condition(one)
        sweep, member, _ = one.partition("_")
        key = sweep if member else one
        groups.setdefault((condition, key), []).append(f"{one} ({state})" if state else one)
    words = []
    for (how, key), ids in groups.items():
        if how == "failed" and job.parents.means_whole(ids[0].partition(" ")[0]):
            words.append(f"a failure in {key}, once {count(len(ids), 'member')} have ended")
            continue
        many = len(ids) > _MEMBERS_IN_FULL
        named = [f"{count(len(ids), 'member')} of {key}"] if many else ids
        words += [_FORMS[how].format(one) for one in named]
    return ", ".join(words)
