"""The rq job hash that a job is stored as.

Jobs ARE rq jobs: `rq.job.Job.fetch(id, serializer='json')`, `rq info` and rq-dashboard read what is
written here. The fields are those that rq's `Job.to_dict` writes; this module writes them itself
only because importing rq takes longer (0.27 s) than everything else that `mlq enqueue` does. A test
compares the two on the installed rq, field by field.

Besides rq's fields there are ours, `mlq_*`, which rq keeps and ignores:

    mlq_spec, mlq_signature   the job as submitted (`mlq.store.templates`), and its signature
    mlq_member                what it is in its sweep, JSON
    mlq_start                 before when it must not start, by the server's clock, unix time
    mlq_edits                 how often its user changed what it asks for
    mlq_name                  its name
    mlq_time_limit_s, mlq_retries, mlq_oom_retries, mlq_grace_s, mlq_signal, mlq_comment
                              what its user asked for, to be shown
    mlq_conditions            how its parents must have ended, JSON (`mlq.jobs.parents`)
    mlq_singleton, mlq_behind   that it comes after the earlier jobs of its name; which of them it
                              waits for now
    mlq_requeue               0 if it must not run again after a loss
    mlq_needs                 what it needs of a machine, in words (`mlq.jobs.needs`)
    mlq_attempt, mlq_losses   attempts begun; attempts lost with their machine
    mlq_failures              attempts that failed by themselves
    mlq_folder_faults         attempts that could not start for want of the job's own folder
    mlq_taken_back            how often it was queued again because its machine had failed it
    mlq_ooms, mlq_crowded     attempts after which it asked for more memory; attempts that others on
                              the machine left too little memory
    mlq_machine, mlq_boot_id, mlq_supervisor_id   where the present or last attempt runs or ran
    mlq_exit_code, mlq_reason, mlq_progress       how it ended, or how far it is
    mlq_advance               more of how far it is, JSON (`mlq.metrics.advance`)
    mlq_restraint             how it is held back while it runs, JSON (`mlq.jobs.restraint`)
    mlq_metrics               the last, least and largest value of each metric, JSON
                              (`mlq.metrics.extent`)
    mlq_notes                 what its user should know of its last attempt, a line each
    mlq_usage                 what its last attempt used: CPU seconds, and MiB at the most
    mlq_used                  sums and peaks of the samples of that, JSON (`mlq.metrics.usage`)
    mlq_stop, mlq_wish        why its user wants the running attempt to end; or wants the job queued
                              again, for which the attempt ends, too
    mlq_signals, mlq_signaled  signals on their way to the running attempt; the last one that its
                              supervisor obeyed
    mlq_return                before when it must not start again, since it asked for a pause
    mlq_soon_asked            how many attempts in a row asked for that soon after their start
    mlq_avoid, mlq_avoid_until   where it failed or was lost last, and until when others go first
    mlq_unwritten             it ended, and the results root does not tell so: its result.json could
                              not be written by then, its user had asked for its end,
                              or no machine has what it needs
    mlq_held, mlq_released    why it is held; that its user let it go, so that it is not held again
    mlq_due                   when it is tried again, or may start first
    mlq_cleaned               when its folder was deleted (`mlq clean`)
    mlq_order                 place in line of a job that came by plain rq
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from mlq.errors import WorkerError
from mlq.jobs.needs import needs_of
from mlq.store.templates import member_text
from mlq.units import parse_iso, utc_iso

if TYPE_CHECKING:
    from mlq.jobs.spec import JobSpec
    from mlq.store.templates import Template

# What rq writes for "no end" and "none".
_FOR_EVER = -1


def _data(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return the function that rq calls, as its serializer writes it."""
    return json.dumps((name, None, args, kwargs), separators=(",", ":"))


# rq shows the description of a command; the spec holds it, too.
_RUNS_COMMAND = _data("mlq.store.record.run_command", (), {})
# The values of a spec that are shown or queried, with their defaults: for these the spec need not
# be read.
_ALSO_SHOWN = {
    "time_limit_s": None,
    "retries": 0,
    "oom_retries": 0,
    "grace_s": None,
    "signal": None,
    "comment": "",
}


@dataclass(frozen=True, slots=True)
class SignedJob:
    """A job ready to be stored: its description, the canonical text and the text's signature.

    `template` is what it has in common with other jobs, if it runs a command; `member` what it is
    in its sweep, if already available as text; `delay_s` for how many seconds it must not start;
    `held` why it waits for its user, "" if it does not.
    """

    spec: JobSpec
    text: str
    signature: str
    template: Template | None = None
    member: str = ""
    delay_s: float = 0.0
    held: str = ""


def run_command(*argv: str) -> NoReturn:
    """Refuse to run: only an mlq worker runs commands, and rq's own worker has claimed this one."""
    raise WorkerError(
        f"this job runs {argv[0] if argv else 'a command'}",
        why="it was claimed by a stock rq worker, which knows no resources and no leases",
        fix="start `mlq worker start` instead of `rq worker` on this queue",
    )


def common_fields(at: str) -> list[str | int]:
    """Return the hash fields that all jobs submitted at one time share, as a flat list.

    Fields that rq writes empty are left out: rq reads a missing field the same way. So are
    `result_ttl` and `failure_ttl`, which only rq's own worker reads; it refuses these jobs.
    """
    return ["created_at", at, "enqueued_at", at]


def job_fields(job: SignedJob, template: Template | None = None) -> list[str | int | float]:
    """Return the hash fields of one job, as a flat list.

    Args:
        job: the job.
        template: the template without which the job's spec is stored.
    """
    spec = job.spec
    call = spec.function
    fields: list[str | int | float] = [
        "data",
        _RUNS_COMMAND if call is None else _data(call.name, call.args, call.kwargs),
        "description",
        spec.command,
        "timeout",
        _FOR_EVER if spec.time_limit_s is None else math.ceil(spec.time_limit_s),
        "mlq_spec",
        job.text if template is None else template.stored(spec.argv),
        "mlq_signature",
        job.signature,
        "mlq_needs",
        needs_of(spec),
    ]
    if spec.name:
        fields += ["mlq_name", spec.name]
    if spec.member:
        of = spec.member
        text = job.member or member_text(of.name, of.key, of.params, of.drawn)
        fields += ["mlq_member", text]
    for name, default in _ALSO_SHOWN.items():
        if (value := getattr(spec, name)) != default:
            fields += [f"mlq_{name}", value]
    if job.delay_s:
        fields += ["mlq_due", utc_iso(parse_iso(spec.submitted_at) + job.delay_s)]
    if spec.after:
        fields += ["dependency_id", spec.after[0], "dependency_ids", json.dumps(spec.after)]
        if spec.after_any:
            fields += ["allow_dependency_failures", 1]
        if spec.conditions:
            fields += ["mlq_conditions", json.dumps(spec.conditions, separators=(",", ":"))]
    if spec.singleton:
        fields += ["mlq_singleton", 1]
    if not spec.requeue:
        fields += ["mlq_requeue", 0]
    return fields


# rq.results.Result.Type
_SUCCESSFUL, _FAILED, _STOPPED, _RETRIED = 1, 2, 3, 4
RESULT_TYPES = {
    "finished": _SUCCESSFUL,
    "failed": _FAILED,
    "canceled": _STOPPED,
    "queued": _RETRIED,
    "scheduled": _RETRIED,
}


def result_fields(
    state: str, attempt: int, machine: str, *, reason: str, value: str
) -> list[str | int]:
    """Return one entry of rq's result stream, as a flat list.

    Args:
        state: the state the attempt led to.
        attempt: its number.
        machine: where it ran.
        reason: why it did not succeed; "" if it did.
        value: JSON text of what it returned; "" if nothing.
    """
    fields: list[str | int] = ["type", RESULT_TYPES[state], "worker_name", machine]
    fields += ["execution_id", str(attempt)]
    if reason:
        fields += ["exc_string", base64.b64encode(zlib.compress(reason.encode())).decode()]
    if value:
        fields += ["return_value", base64.b64encode(value.encode()).decode()]
    return fields
