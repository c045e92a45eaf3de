"""Plans the rebuilt queue: pure, from the copy and what lies on the results root."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlq.copies.copy_format import CopiedJob, Copy
from mlq.errors import MlqError
from mlq.ids import is_job_id, sweep_number
from mlq.jobs.lifecycle import ENDED, State
from mlq.jobs.parents import Parents
from mlq.jobs.spec import JobSpec
from mlq.pilots.pool import read_pool
from mlq.store.restoring import JobToRestore
from mlq.units import utc_iso
from mlq_worker.agent.history import Patience
from mlq_worker.launcher.holder import Holder
from mlq_worker.rebuild.story import RESTORED, Story, order_of, seconds, tell
from mlq_worker.rebuild.survey import Found, Signed, verified

_DAY_S = 86400.0
# The queue must not reuse numbers that it gave out after the copy, to jobs that left no trace yet:
# users may have noted them, and a machine may hold such a job.
GAP = 1000


@dataclass(frozen=True, slots=True)
class Terms:
    """What the plan depends on, apart from what was found.

    Args:
        key: verifies that jobs are this queue's.
        now_s: unix time.
        patience: how many losses and pauses a job gets before it fails.
        keep_days: jobs that ended longer ago are not listed any more.
    """

    key: bytes = field(repr=False)
    now_s: float
    patience: Patience
    keep_days: float


@dataclass(slots=True)
class Plan:
    """What to restore.

    Args:
        jobs: the jobs, last submitted first.
        high: the queue cannot have given out a number above this.
        left_out: jobs that are not restored, and what else was found, with the reason.
        forgotten: how many ended so long ago that they are not listed any more.
        sweeps: what a copy noted of sweeps: number -> field -> text.
        pools: the pools of pilots that a copy holds: id -> text.
    """

    jobs: list[JobToRestore] = field(default_factory=list)
    high: int = 0
    left_out: list[str] = field(default_factory=list)
    forgotten: int = 0
    sweeps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pools: Mapping[str, str] = field(default_factory=dict)

    def count(self) -> dict[str, int]:
        """Return how many jobs there are of each state."""
        counts = dict.fromkeys(State, 0)
        for job in self.jobs:
            counts[State(job.state)] += 1
        return {str(state): number for state, number in counts.items() if number}


def plan(copy: Copy | None, found: Found, terms: Terms) -> Plan:
    """Return the queue to restore."""
    copied: Mapping[str, CopiedJob] = {} if copy is None else copy.jobs
    made = Plan(left_out=[*found.strange, *(copy.damaged if copy else ())])
    if copy is not None:
        made.sweeps, made.pools = copy.header.sweeps, _pools(copy.header.pools, made.left_out)
    held: defaultdict[str, dict[int, Holder]] = defaultdict(dict)
    for (job_id, number), where in found.beats.items():
        held[job_id][number] = where
    stories: dict[str, Story] = {}
    specs: dict[str, JobSpec | None] = {}
    for job_id in [*found.jobs, *(one for one in copied if one not in found.jobs)]:
        try:
            specs[job_id] = _spec(job_id, copied.get(job_id), found, terms.key)
            stories[job_id] = tell(
                specs[job_id],
                copied.get(job_id),
                found.jobs.get(job_id),
                held.get(job_id, {}),
                terms.patience,
            )
        except (MlqError, ValueError, KeyError, TypeError) as error:
            why = f"{error.what}: {error.why}" if isinstance(error, MlqError) else str(error)
            made.left_out.append(f"job {job_id}: {why}")
    last = 0 if copy is None else copy.header.last_number
    held_ids = (job_id for job_id, _ in found.beats)
    made.high = max([last, found.largest, *map(_number, copied), *map(_number, held_ids)]) + GAP
    pending = {one: copied[one].pending for one in copied}
    _settle(stories, specs, pending, terms.now_s)
    before_s = terms.now_s - terms.keep_days * _DAY_S
    for story in stories.values():
        if story.has_ended and _ended_s(story) < before_s:
            made.forgotten += 1
            continue
        due_s = copied[story.id].due_s if story.id in copied else None
        if story.fields.get("mlq_due"):
            due_s = seconds(story.fields["mlq_due"])
        made.jobs.append(_to_restore(story, pending, due_s, terms.now_s, made.high + 0.5))
    made.jobs.sort(key=lambda job: job.order, reverse=True)
    return made


def _pools(copied: Mapping[str, str], left_out: list[str]) -> dict[str, str]:
    """Return the pools that can be read, as they were.

    Their managers find the pilots that were submitted since by their names (`mlq.pilots.decide`).
    """
    found = {}
    for name, text in copied.items():
        try:
            if read_pool(text).id == name:
                found[name] = text
                continue
            why = "it is that of another one"
        except MlqError as error:
            why = f"{error.what}: {error.why}"
        left_out.append(f"pool of pilots {name}: {why}")
    return found


def _spec(job_id: str, copied: CopiedJob | None, found: Found, key: bytes) -> JobSpec | None:
    """Return the job, verified; None if it came by plain rq, which signs nothing.

    Such a job is restored from the copy only; the workers decide whether to run it.
    """
    if copied is not None:
        text, signature = (copied.fields.get(one, "") for one in ("mlq_spec", "mlq_signature"))
        if not text and not signature:
            return None
        return verified(Signed(text, signature), job_id, key)
    return verified(found.jobs[job_id].signed, job_id, key)


def _number(job_id: str) -> int:
    return int(job_id.partition("_")[0]) if is_job_id(job_id) else 0


def _settle(
    stories: Mapping[str, Story],
    specs: Mapping[str, JobSpec | None],
    pending: dict[str, tuple[str, ...]],
    now_s: float,
) -> None:
    """Let jobs that waited for others go on, where these have ended since; as `submit.lua` does."""
    at = utc_iso(now_s)
    for job_id in sorted(stories, key=lambda one: order_of(stories[one], float("inf"))):
        story, spec = stories[job_id], specs[job_id]
        if story.state != State.DEFERRED or story.fields.get("mlq_held"):
            continue
        verdict = _parents(spec).verdict(
            pending.get(job_id, ()), lambda one: stories[one].state if one in stories else ""
        )
        left = verdict.left
        if verdict.refused_by:
            story.state = State.CANCELED
            story.fields |= {"ended_at": at, "mlq_reason": verdict.why}
        elif not left and spec is not None and spec.singleton:
            left = _before(story, stories, spec.name)
            story.fields["mlq_behind"] = "".join(left)
        if not left and not verdict.refused_by:
            story.state = State.QUEUED
            story.fields["enqueued_at"] = at
        pending[job_id] = left


def _parents(spec: JobSpec | None) -> Parents:
    return Parents() if spec is None else spec.parents


def _before(story: Story, stories: Mapping[str, Story], name: str) -> tuple[str, ...]:
    """Return the last unended job of a name before this one, if there is one."""
    place, sweep = order_of(story, float("inf")), sweep_number(story.id)
    earlier = {
        order_of(one, float("inf")): one.id
        for one in stories.values()
        if one.fields.get("mlq_name") == name
        and not one.has_ended
        and not (sweep and sweep == sweep_number(one.id))
    }
    found = [order for order in earlier if order < place]
    return (earlier[max(found)],) if found else ()


def _ended_s(story: Story) -> float:
    """Return when it ended; never before it was submitted, even if its machine's clock was off."""
    return max(seconds(story.fields.get(name)) for name in ("ended_at", "created_at"))


def _to_restore(
    story: Story,
    pending: Mapping[str, tuple[str, ...]],
    due_s: float | None,
    now_s: float,
    last: float,
) -> JobToRestore:
    fields = dict(story.fields)
    job_class = str(fields.pop("origin", ""))
    if story.state not in ENDED and story.state != State.STARTED:
        fields[RESTORED] = 1
    ended_s = _ended_s(story) if story.has_ended else 0.0
    holder = story.holder if story.state == State.STARTED else None
    return JobToRestore(
        id=story.id,
        order=order_of(story, last),
        job_class=job_class,
        name=str(fields.get("mlq_name", "")),
        state=story.state,
        fields=fields,
        pending=pending.get(story.id, ()) if story.state == State.DEFERRED else (),
        due_s=(now_s if due_s is None else due_s) if story.state == State.SCHEDULED else None,
        ended_s=ended_s,
        results=tuple(story.results),
        attempt=story.attempt if holder else 0,
        machine=holder.machine if holder else "",
        heard_s=now_s,
        learned=story.learned,
    )
