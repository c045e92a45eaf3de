"""A job as people and scripts see it: the row behind `mlq ls`, `mlq show` and `--json`.

The names of the fields are a contract: others script against them. Everything is read from the
job's hash in one query; nothing here needs pydantic, because `mlq ls` must feel instant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from mlq.files.layout import Layout
from mlq.ids import is_valid_id, sweep_number
from mlq.jobs.class_name import ClassName
from mlq.jobs.parents import CONDITIONS, Condition, Parents
from mlq.jobs.restraint import FREE, parse_restraint
from mlq.lenient import dict_or_empty, int_or, iso_or_none, list_or_empty
from mlq.metrics.advance import Advance, parse_advance

_UNKNOWN = Advance()

OF_A_RUN = (
    "started_at",
    "ended_at",
    "mlq_exit_code",
    "mlq_reason",
    "mlq_progress",
    "mlq_advance",
    "mlq_restraint",
    "mlq_stop",
    "mlq_losses",
    "mlq_failures",
)
"""The fields of earlier runs that are dropped when a user runs a job again."""

FIELDS = (
    "status",
    "origin",
    "description",
    "mlq_name",
    "dependency_ids",
    "allow_dependency_failures",
    "mlq_conditions",
    "mlq_singleton",
    "mlq_behind",
    "mlq_requeue",
    "timeout",
    "mlq_time_limit_s",
    "mlq_grace_s",
    "mlq_signal",
    "mlq_comment",
    "mlq_attempt",
    "mlq_machine",
    "created_at",
    *OF_A_RUN,
    "enqueued_at",
    "mlq_due",
    "mlq_held",
    "mlq_usage",
    "mlq_notes",
    "mlq_cleaned",
    "mlq_member",
)


class JobView(NamedTuple):
    """One job, as listed; times are ISO 8601 in UTC, None if that has not happened yet.

    `state` is rq's word; `reason` carries the rest. `progress` runs from 0 to 1. `directory` is
    where its logs and results lie. `condition` says what is wrong with the machine it
    runs on, where that was asked for (`Queue.with_conditions`). `due_at` is when a scheduled job is
    tried again; `held` why a deferred one waits for its user. `cpu_s` and `max_rss_mib` are what
    its last attempt used, once that has ended: the memory is that of its largest process. `grace_s`
    and `signal` are what its user asked for. `notes` are remarks on its last attempt. `cleaned_at`
    is when its folder was deleted. `left_s` is how many seconds it will still take by its own pace,
    as of when that was read last; `step` and `total` are what it counts, `inner` the share of a
    loop within it that starts over. `sweep` is the number of the sweep that it is a member of, None
    if of none; `params` are its parameters there. `after_any` and `conditions` say how the jobs in
    `after` must have ended (`mlq.jobs.parents`). `behind` is the earlier job of its name that a
    `singleton` waits for now. Without `requeue` it does not run again once its machine was lost.
    `paused_by`, `cores_now` and `restraint` say how a running one is held back, the last of them in
    words (`mlq.jobs.restraint`). `machines` and `gpu_type` are what it asked for
    (`mlq.jobs.choice_of_machines`). `comment` is a text of its user.
    """

    id: str
    name: str
    state: str
    command: str
    attempt: int
    machine: str | None
    cores: int
    mem_mib: int
    gpus: int
    vram_mib: int
    priority: int
    time_limit_s: float | None
    submitted_at: str | None
    started_at: str | None
    ended_at: str | None
    exit_code: int | None
    reason: str
    progress: float | None
    directory: str
    losses: int
    failures: int
    after: tuple[str, ...]
    class_name: str
    condition: str = ""
    due_at: str | None = None
    held: str = ""
    cpu_s: float | None = None
    max_rss_mib: int | None = None
    grace_s: float | None = None
    signal: str | None = None
    notes: tuple[str, ...] = ()
    cleaned_at: str | None = None
    left_s: float | None = None
    step: float | None = None
    total: float | None = None
    inner: float | None = None
    sweep: int | None = None
    params: dict[str, str] = {}  # noqa: RUF012 - no code writes to it
    after_any: bool = False
    conditions: dict[str, Condition] = {}  # noqa: RUF012 - as above
    singleton: bool = False
    behind: str = ""
    requeue: bool = True
    gpu_type: str = ""
    machines: str = ""
    paused_by: tuple[str, ...] = ()
    cores_now: int | None = None
    restraint: str = ""
    comment: str = ""

    @property
    def parents(self) -> Parents:
        """The jobs it comes after, and how each must have ended."""
        return Parents(self.after, self.after_any, self.conditions)

    def as_json(self) -> dict[str, Any]:
        """Return the job as `--json` prints it."""
        return self._asdict()


def view(row: Sequence[str], layout: Layout, default_mem_mib: int) -> JobView:
    """Read one row of the store: the id, then the values of FIELDS."""
    job_id, values = row[0], dict(zip(FIELDS, row[1:], strict=True))
    asked = ClassName.parse(values["origin"], default_mem_mib=default_mem_mib)
    stopping = values["status"] == "started" and values["mlq_stop"]
    parents = list_or_empty(values["dependency_ids"]) if values["dependency_ids"] else ()
    advance = parse_advance(None, values["mlq_advance"]) if values["mlq_advance"] else _UNKNOWN
    held_back = FREE if values["status"] != "started" else parse_restraint(values["mlq_restraint"])
    cpu_s, max_rss_mib = _usage("" if values["status"] == "started" else values["mlq_usage"])
    return JobView(
        id=job_id,
        name=values["mlq_name"],
        state=values["status"],
        command=values["description"],
        attempt=max(0, int_or(values["mlq_attempt"])),
        machine=values["mlq_machine"] or None,
        cores=asked.cores,
        mem_mib=asked.mem_mib,
        gpus=asked.gpus,
        vram_mib=asked.vram_mib,
        priority=asked.priority,
        time_limit_s=_span_s(values["mlq_time_limit_s"]) or _span_s(values["timeout"]),
        submitted_at=iso_or_none(values["created_at"]),
        started_at=iso_or_none(values["started_at"]),
        ended_at=iso_or_none(values["ended_at"]),
        exit_code=int_or(values["mlq_exit_code"]) if values["mlq_exit_code"] else None,
        reason=f"stopping: {values['mlq_stop']}" if stopping else values["mlq_reason"],
        progress=_progress(values["mlq_progress"], finished=values["status"] == "finished"),
        directory=layout.folder(job_id).path if is_valid_id(job_id) else "",
        losses=int_or(values["mlq_losses"]),
        failures=int_or(values["mlq_failures"]),
        after=tuple(one for one in parents if isinstance(one, str)),
        class_name=values["origin"],
        due_at=iso_or_none(values["mlq_due"]) if values["status"] == "scheduled" else None,
        held=values["mlq_held"] if values["status"] == "deferred" else "",
        cpu_s=cpu_s,
        max_rss_mib=max_rss_mib,
        grace_s=_span_s(values["mlq_grace_s"]),
        signal=values["mlq_signal"] or None,
        notes=tuple(values["mlq_notes"].splitlines()),
        cleaned_at=iso_or_none(values["mlq_cleaned"]),
        left_s=advance.left_s if values["status"] == "started" else None,
        step=advance.step,
        total=advance.total,
        inner=advance.inner if values["status"] == "started" else None,
        sweep=sweep_number(job_id) or None if values["mlq_member"] else None,
        params=_params(values["mlq_member"]) if values["mlq_member"] else {},
        after_any=values["allow_dependency_failures"] == "1",
        conditions=_conditions(values["mlq_conditions"]) if values["mlq_conditions"] else {},
        singleton=values["mlq_singleton"] == "1",
        behind=values["mlq_behind"] if values["status"] == "deferred" else "",
        requeue=values["mlq_requeue"] != "0",
        gpu_type=asked.gpu_type,
        machines=asked.machine,
        paused_by=held_back.paused_by,
        cores_now=held_back.cores_now,
        restraint=held_back.in_words(asked.cores) if held_back is not FREE else "",
        comment=values["mlq_comment"],
    )


def _params(member: str) -> dict[str, str]:
    return _texts(dict_or_empty(member).get("params"))


def _conditions(text: str) -> dict[str, Condition]:
    found = _texts(dict_or_empty(text))
    return {parent: CONDITIONS[one] for parent, one in found.items() if one in CONDITIONS}


def _texts(found: object) -> dict[str, str]:
    pairs = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, str)}


def _span_s(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None


def _usage(text: str) -> tuple[float | None, int | None]:
    cpu_s, _, rss_mib = text.partition(" ")
    try:
        used = float(cpu_s), int(rss_mib)
    except ValueError:
        return None, None
    return used if all(0 <= one < 1e12 for one in used) else (None, None)


def _progress(text: str, *, finished: bool) -> float | None:
    if text and finished:
        return 1.0  # the worker may not have read the last report before the job ended
    try:
        value = float(text)
    except ValueError:
        return None
    return min(1.0, max(0.0, value)) if math.isfinite(value) else None
