"""What became of one job, from all that is known of it: pure.

Known are the job as the last copy had it (if it had not ended by then), the folders and results of
its attempts with notes of which machines held them, and which attempts machines say they hold. The
story goes through the attempts in turn; `outcomes` decides what a result means for the job, as when
a worker commits it.

An attempt that left no result may still run, so it is put where it ran last, with a lease that has
run out: its machine renews it, or the reaper judges it. If its machine is unknown, the job waits;
until a worker may claim it, `renew.lua` gives it back to a machine that does hold the attempt.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlq.copies.copy_format import CopiedJob
from mlq.ids import order_key
from mlq.jobs.lifecycle import ENDED, State, target
from mlq.jobs.past import spec_params
from mlq.jobs.request import LARGEST
from mlq.jobs.spec import JobSpec
from mlq.lenient import int_or
from mlq.store.record import SignedJob, common_fields, job_fields
from mlq.units import parse_iso
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.history import History, Patience
from mlq_worker.agent.learning import Cards, lesson
from mlq_worker.agent.outcomes import NOT_AGAIN, ending
from mlq_worker.launcher.holder import Holder
from mlq_worker.rebuild.survey import JobOnRoot

_OF_AN_ATTEMPT = (
    "ended_at",
    "mlq_exit_code",
    "mlq_reason",
    "mlq_stop",
    "mlq_wish",
    "mlq_progress",
    "mlq_advance",
    "mlq_unwritten",
    "mlq_usage",
    "mlq_used",
    "mlq_notes",
)
_OF_EARLIER_RUNS = (
    "mlq_losses",
    "mlq_failures",
    "mlq_folder_faults",
    "mlq_ooms",
    "mlq_crowded",
    "mlq_soon_asked",
    "mlq_taken_back",
    "mlq_avoid",
    "mlq_avoid_until",
    "mlq_due",
    "mlq_metrics",
    "result",
)
# When a job is given out again, its attempt must have a number that none had before.
RESTORED = "mlq_restored"


@dataclass(slots=True)
class Story:
    """A job as it will be restored, built attempt by attempt.

    Args:
        id: the job.
        state: its state.
        fields: the fields of its hash.
        attempt: the number of its last attempt.
        holder: where that runs, if it does.
        results: entries of rq's result stream: unix time, fields.
        learned: what is remembered of its run, if it finished.
    """

    id: str
    state: str
    fields: dict[str, Any]
    attempt: int
    holder: Holder | None = None
    results: list[tuple[float, tuple[str | int, ...]]] = field(default_factory=list)
    learned: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.state in ENDED

    def history(self, spec: JobSpec | None) -> History:
        """Return the past that decides what the next end of a job means."""
        stop = str(self.fields.get("mlq_stop", ""))
        return History(
            0 if spec is None else spec.retries,
            self.count("mlq_failures"),
            self.count("mlq_losses"),
            stop,
            self.count("mlq_folder_faults"),
            None if spec is None else spec.request,
            0 if spec is None else spec.oom_retries,
            self.count("mlq_ooms"),
            self.count("mlq_crowded"),
            requeue=spec is None or spec.requeue,
            soon_asked=self.count("mlq_soon_asked"),
            wish=str(self.fields.get("mlq_wish", "")),
        )

    def count(self, name: str) -> int:
        """Return the value of a counter field."""
        return max(0, int_or(self.fields.get(name, "")))

    def begins(self, attempt: int) -> None:
        """Note that an attempt has begun; nothing more is known of it yet."""
        if self.has_ended:
            self.drop(*_OF_EARLIER_RUNS)  # its user ran it again
        self.drop(*_OF_AN_ATTEMPT)
        self.state, self.attempt, self.holder = State.STARTED, attempt, None
        self.fields["mlq_attempt"] = attempt

    def drop(self, *names: str) -> None:
        """Drop fields."""
        for name in names:
            self.fields.pop(name, None)


def tell(
    spec: JobSpec | None,
    copied: CopiedJob | None,
    on_root: JobOnRoot | None,
    beats: Mapping[int, Holder],
    patience: Patience,
) -> Story:
    """Return what became of a job.

    Args:
        spec: the job, verified; None if it came by plain rq.
        copied: the job as the last copy had it.
        on_root: its folder.
        beats: which of its attempts machines say they hold, by number.
        patience: how many losses and pauses a job gets before it fails.
    """
    story = _as_copied(copied) if copied is not None else _as_submitted(spec, on_root)
    folders = () if on_root is None else on_root.attempts
    results = {} if on_root is None else on_root.results
    # Of an earlier attempt than the copy's, all is in the copy.
    first = story.attempt + (story.state != State.STARTED)
    later = sorted({one for one in (*folders, *beats) if one >= first} | _running(story))
    for number in later:
        if number > story.attempt:
            # One without a folder was claimed and handed back before it started.
            if story.state == State.STARTED and story.attempt in folders:
                story.fields["mlq_losses"] = story.count("mlq_losses") + 1
            story.begins(number)
        if number in results:
            _end(story, results[number], spec, patience)
        elif number == later[-1]:
            noted = on_root.holder if on_root is not None and number in folders[-1:] else None
            _leave_open(story, beats.get(number) or noted, spec)
    if on_root is not None and on_root.progress and story.state != State.QUEUED:
        story.fields["mlq_progress"] = on_root.progress
    return story


def _running(story: Story) -> set[int]:
    return {story.attempt} if story.state == State.STARTED else set()


def _as_copied(copied: CopiedJob) -> Story:
    fields: dict[str, Any] = {name: one for name, one in copied.fields.items() if _is_text(one)}
    if "data" in copied.fields and "data" not in fields:
        fields["data"] = _unpacked(copied.fields["data"])
    state = fields.pop("status", "")
    state = state if state in set(State) else State.QUEUED
    story = Story(copied.id, state, fields, max(0, int_or(fields.get("mlq_attempt", ""))))
    if state == State.STARTED and fields.get("mlq_machine"):
        story.holder = Holder(
            fields["mlq_machine"],
            fields.get("mlq_boot_id", ""),
            fields.get("mlq_supervisor_id", ""),
        )
    return story


def _is_text(value: str) -> bool:
    return not any("\ud800" <= one <= "\udfff" for one in value) if not value.isascii() else True


def _unpacked(value: str) -> str:
    """Undo what rq does to the data of a job; it takes the plain form, too."""
    raw = value.encode(errors="surrogateescape")
    try:
        return zlib.decompress(raw).decode(errors="replace")
    except zlib.error:
        return raw.decode(errors="replace")


def _as_submitted(spec: JobSpec | None, on_root: JobOnRoot | None) -> Story:
    if spec is None or on_root is None:
        raise ValueError("a job without a copy has a folder and a spec")
    signed = SignedJob(spec, on_root.signed.text, on_root.signed.signature)
    flat: Sequence[Any] = [*common_fields(spec.submitted_at), *job_fields(signed)]
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    fields["origin"] = spec.job_class.name
    return Story(spec.id, State.QUEUED, fields, 0)


def _end(story: Story, result: AttemptResult, spec: JobSpec | None, patience: Patience) -> None:
    move = ending(result, story.history(spec), patience)
    story.state, story.holder = target(move.event), None
    story.learned = "" if spec is None else lesson(result, spec_params(spec), _cards(spec, result))
    story.fields |= move.fields
    story.drop(*move.clear)
    if move.avoid:
        story.fields["mlq_avoid"] = move.avoid
    if move.lost_on:
        story.fields["mlq_losses"] = story.count("mlq_losses") + 1
    story.fields["mlq_machine"] = result.machine
    if story.has_ended:
        story.fields.setdefault("ended_at", result.ended_at)
        if result.started_at:
            story.fields["started_at"] = result.started_at
    if move.result:
        story.results.append((seconds(result.ended_at), move.result))


def _cards(spec: JobSpec, result: AttemptResult) -> Cards:
    """Return its GPUs; of some older results nobody knows any more how large they were."""
    asked, used = spec.request, result.peaks
    unknown_mib = LARGEST if asked.vram_mib else 0
    return Cards(asked.gpus, used.gpu_model, used.gpu_mib or unknown_mib)


def _leave_open(story: Story, holder: Holder | None, spec: JobSpec | None) -> None:
    """Leave the attempt running where a beat or the copy says, or let the job wait."""
    story.holder = holder or story.holder
    if story.holder is None and spec is not None and not spec.requeue:
        story.state = State.FAILED
        story.fields["mlq_reason"] = f"lost: nothing tells where it ran{NOT_AGAIN}"
        return
    if story.holder is None:
        story.state = State.QUEUED
        return
    story.fields |= {
        "worker_name": story.holder.machine,
        "mlq_machine": story.holder.machine,
        "mlq_boot_id": story.holder.boot_id,
        "mlq_supervisor_id": story.holder.supervisor_id,
    }


def seconds(text: object) -> float:
    """Return a time as unix seconds; 0 if it is not one."""
    try:
        return parse_iso(str(text))
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is no moment
        return 0.0


def order_of(story: Story, last: float) -> float:
    """Return a job's place in the order of submission; `last` if nothing tells it."""
    number, member = order_key(story.id)
    if number < 10**15:
        return number + max(0, member) / 1e6
    try:
        return float(story.fields.get("mlq_order", last))
    except (TypeError, ValueError):
        return last
