"""The operations that restore a queue from the results root; see `mlq server restore`.

The order is `begin`, jobs, `end`: only `end` gives the queue its id, without which no worker takes
a job from it. Each job is made whole in one step or not at all, and an existing job is left as it
is. So an interrupted command can simply be run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mlq.errors import OtherQueueError, ServerError
from mlq.lenient import dict_or_empty, hash_of, text_of
from mlq.store import keys
from mlq.store.operations import Operation
from mlq.store.templates import Template, as_args, template_of

if TYPE_CHECKING:
    from mlq.store.store import Store

_ASKED = 1000
_BATCH = 100  # jobs in one step; the server answers no other client meanwhile


class JobToRestore(NamedTuple):
    """A job as it is to be stored in the queue.

    Args:
        id: its id.
        order: its place in the order of submission.
        job_class: the name of its class.
        name: its name, or "".
        state: where it is.
        fields: of its hash.
        pending: the jobs it waits for.
        due_s: when it is due, if it is scheduled.
        ended_s: when it ended, unix time; 0 if it has not.
        results: entries of rq's result stream: unix time, fields.
        attempt: the attempt that runs, if it does.
        machine: where that runs.
        heard_s: when that machine was last known to be there, unix time.
        learned: what is remembered of its finished run (`mlq.jobs.past.Run`); "" for nothing.
    """

    id: str
    order: float
    job_class: str
    name: str
    state: str
    fields: dict[str, str | int | float]
    pending: tuple[str, ...] = ()
    due_s: float | None = None
    ended_s: float = 0.0
    results: tuple[tuple[float, tuple[str | int, ...]], ...] = ()
    attempt: int = 0
    machine: str = ""
    heard_s: float = 0.0
    learned: str = ""

    @property
    def template(self) -> Template | None:
        """What it shares with other jobs, if its spec can be stored without that."""
        spec = str(self.fields.get("mlq_spec", ""))
        if dict_or_empty(spec).get("submitted_at") != self.fields.get("created_at"):
            return None  # the time of submission could not be inserted again
        return template_of(spec)

    def as_args(self, template: Template | None) -> dict[str, Any]:
        """Return the job as the Lua operation wants it, with its spec as it is stored."""
        fields = self.fields
        if template is not None:
            argv = dict_or_empty(str(fields["mlq_spec"]))["argv"]
            fields = {**fields, "mlq_spec": template.stored(argv)}
        member = dict_or_empty(str(fields.get("mlq_member", "")))
        return {
            "id": self.id,
            "order": self.order,
            "class": self.job_class,
            "name": "" if member else self.name,  # a sweep is found by its own name
            "state": self.state,
            "template": template.digest if template else "",
            "fields": [part for pair in fields.items() for part in pair],
            "pending": self.pending,
            **({} if self.due_s is None else {"due": self.due_s}),
            "ended": self.ended_s,
            "results": [[int(1000 * at_s), fields] for at_s, fields in self.results],
            "attempt": self.attempt,
            "machine": self.machine,
            "heard": self.heard_s,
            "learned": self.learned,
            "sweep": str(member.get("name", "")),
            "key": str(member.get("key", "")),
            "array": member.get("params") == {"array": self.id.partition("_")[2]},
        }


class Begun(NamedTuple):
    """The state in which a restore begins or goes on.

    Args:
        high: the largest number of the queue's own jobs.
        renumbers: whether jobs enqueued meanwhile may still have such numbers.
        renumbered: old id -> new id of those that have another already.
    """

    high: int
    renumbers: bool
    renumbered: dict[str, str]


def begin(store: Store, queue_id: str, high: int) -> Begun:
    """Begin a restore, or go on with an interrupted one.

    Raises:
        OtherQueueError: the server holds a queue.
    """
    (reply,) = store.runner.run(Operation("restore_begin", {"queue": queue_id, "high": high}))
    if "holds" in reply:
        raise OtherQueueError(
            "the queue's server holds a queue",
            why=f"its id is {reply['holds']}, that of the results root {queue_id}",
        )
    told = hash_of(store.client.call("HGETALL", keys.RENUMBERED))
    renumbered = {text_of(old): text_of(new) for old, new in told.items()}
    return Begun(int(reply["high"]), bool(reply["renumbers"]), renumbered)


def enqueued_meanwhile(store: Store, high: int) -> list[str]:
    """Return the jobs that were enqueued into the emptied queue under the old queue's numbers."""
    found = store.client.call("ZRANGEBYSCORE", keys.JOBS, "-inf", f"({high + 1}")
    return [text_of(one) for one in found]


def renumbered(store: Store) -> None:
    """Record that no such job is left."""
    store.runner.run(Operation("restore_renumbered", {}))


def restore(
    store: Store,
    jobs: Sequence[JobToRestore],
    old_ids: dict[str, str] | None = None,
    *,
    in_line: bool = False,
) -> tuple[int, list[str]]:
    """Store jobs, the last submitted first; return how many were made, and which existed already.

    Args:
        store: the queue.
        jobs: at most `_BATCH` of them are made in one step.
        old_ids: new id -> the old id of a job that is renumbered; the old one is deleted.
        in_line: whether the queue has other jobs, among which they take their places.
    """
    count, kept = 0, list[str]()
    for start in range(0, len(jobs), _BATCH):
        batch = jobs[start : start + _BATCH]
        templates = [job.template for job in batch]
        args = {
            "jobs": [job.as_args(one) for job, one in zip(batch, templates, strict=True)],
            "templates": as_args(templates),
            "drop": [],
            "renumbered": {job.id: old_ids[job.id] for job in batch} if old_ids else {},
            "in_line": in_line,
        }
        (reply,) = store.runner.run(Operation("restore_jobs", args))
        count += int(reply["restored"])
        kept += list(reply["kept"] or ())
    return count, kept


def restore_sweeps(store: Store, sweeps: Mapping[str, Mapping[str, str]]) -> None:
    """Restore the options of sweeps that have members here: number -> field -> text."""
    if sweeps:
        noted = {number: dict(fields) for number, fields in sweeps.items()}
        store.runner.run(Operation("restore_sweeps", {"sweeps": noted}))


def drop(store: Store, job_id: str) -> None:
    """Delete a job with all its keys."""
    args: dict[str, Any] = {"jobs": [], "templates": {}, "drop": [job_id], "renumbered": {}}
    args["in_line"] = False
    store.runner.run(Operation("restore_jobs", args))


def missing(store: Store, ids: Sequence[str]) -> set[str]:
    """Return which of these ids are not jobs here and were not deleted on purpose."""
    found: set[str] = set()
    for start in range(0, len(ids), _ASKED):
        some = ids[start : start + _ASKED]
        asked: list[tuple[str, ...]] = [("EXISTS", keys.job(one)) for one in some]
        asked += [("ZSCORE", keys.DELETED, one) for one in some]
        replies = store.client.call_many(asked)
        told = zip(some, replies[: len(some)], replies[len(some) :], strict=True)
        found |= {one for one, exists, score in told if not exists and score is None}
    return found


def end(store: Store, queue_id: str, root: str, pause_s: float) -> tuple[int, float]:
    """Give the queue its id; return how many jobs it has, and when it gives out the first.

    Raises:
        ServerError: the server was emptied meanwhile, or holds another queue.
    """
    args = {"queue": queue_id, "root": root, "pause_s": pause_s}
    (reply,) = store.runner.run(Operation("restore_end", args))
    if "holds" in reply:
        raise ServerError(
            "the queue could not be restored",
            why="its server was emptied meanwhile, or holds another queue",
            fix="run `mlq server restore` again",
        )
    return int(reply["jobs"]), float(reply["pause_s"])
