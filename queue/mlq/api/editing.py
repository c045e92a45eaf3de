"""What a user can change of waiting jobs: priority, memory, GPU memory, cores, time limit.

A job is signed, so a change needs a new text: this module reads, verifies and changes it and signs
it anew with the key, and the server swaps it in only if the job still waits with the old text. A
job that was claimed in between runs unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from mlq.api.many import Pace, Progress
from mlq.errors import InvalidInputError, SignatureError
from mlq.jobs.choice_of_machines import ANY, gpu_type_of, list_of, machines_of
from mlq.jobs.request import LARGEST
from mlq.jobs.signing import sign, verify
from mlq.jobs.spec import JobSpec
from mlq.jobs.strict_spec import NotStrictError, parse_spec
from mlq.store.operations import NewText, Operation
from mlq.store.record import SignedJob, job_fields
from mlq.store.store import Store
from mlq.store.templates import STORED, Raw, as_args, template_of, whole_specs
from mlq.submit.typed import within
from mlq.units import parse_duration, parse_size

_OPTIONAL = ("mlq_time_limit_s",)
NEVER = "never"
"""The word that removes a time limit."""
NONE = "none"
"""The word that excludes no machine any more."""


class Changes(NamedTuple):
    """The changes, as typed; None leaves a value as it is."""

    priority: int | None = None
    cores: int | None = None
    mem: str | None = None
    vram: str | None = None
    time: str | None = None
    gpu_type: str | None = None
    machine: str | None = None
    exclude: str | None = None

    def changed(self, spec: JobSpec) -> JobSpec:
        """Return a job with these changes.

        Raises:
            InvalidInputError: a change cannot be used.
        """
        asked = spec.request
        if self.vram is not None and not asked.gpus:
            raise InvalidInputError(
                f"job {spec.id} asks for no GPU", why="--vram is the memory wanted on each GPU"
            )
        sizes: dict[str, Any] = {}
        if self.cores is not None:
            sizes["cores"] = within("cores", self.cores, 1)
        if self.mem is not None:
            sizes["mem_mib"] = parse_size(self.mem)
        if self.vram is not None:
            sizes["vram_mib"] = parse_size(self.vram)
        if self.gpu_type is not None:
            if not asked.gpus:
                raise InvalidInputError(
                    f"job {spec.id} asks for no GPU", why="--gpu-type needs one"
                )
            sizes["gpu_type"] = "" if self.gpu_type == ANY else gpu_type_of(self.gpu_type)
        if self.machine is not None or self.exclude is not None:
            sizes["machine"] = self._machines(asked.machine)
        fields: dict[str, Any] = {"request": replace(asked, **sizes)}
        if self.mem is not None:
            fields["mem_is_asked"] = True
        if self.priority is not None:
            fields["priority"] = within("priority", self.priority, -LARGEST)
        if self.time is not None:
            fields["time_limit_s"] = None if self.time == NEVER else parse_duration(self.time)
        return replace(spec, **fields)

    def _machines(self, before: str) -> str:
        """Return the list of machines: of wanted and excluded ones, what is not typed stays."""
        old = machines_of(before)
        wanted = ",".join(old.wanted) if self.machine is None else self.machine
        excluded = ",".join(old.excluded) if self.exclude is None else self.exclude
        return list_of("" if wanted == ANY else wanted, "" if excluded == NONE else excluded)


class Edited(NamedTuple):
    """The outcome of editing jobs.

    Args:
        jobs: those that were changed.
        same: those that already had these values.
        others: those that no longer wait, or came by plain rq.
    """

    jobs: list[str]
    same: list[str]
    others: list[str]


def edit(
    store: Store,
    key: bytes,
    ids: Sequence[str],
    changes: Changes,
    progress: Progress = lambda _done, _of: None,
) -> Edited:
    """Change waiting jobs; running and ended jobs stay as they are.

    Args:
        store: the queue.
        key: the signing key.
        ids: the jobs.
        changes: to each of them.
        progress: is told how many of how many are done.

    Raises:
        InvalidInputError: a change cannot be made; then no job of its slice was changed.
        SignatureError: a job differs from its signed text.
    """
    done = Edited([], [], [])
    pace = Pace(store.client)
    for so_far, part in pace.slices(ids):
        edits: list[dict[str, Any]] = []
        templates: dict[str, str] = {}
        for job_id, raw, signature in read_signed(store, part):
            if not signature:
                done.others.append(job_id)
                continue
            spec = verified(raw, signature, job_id, key)
            new = changes.changed(spec)
            if new == spec:
                done.same.append(job_id)
                continue
            made = as_new_text(new, key)
            edits.append({"id": job_id, "signature": signature, **made.args})
            templates |= made.templates
        if edits:
            args = {"edits": edits, "templates": templates}
            with pace.timed():
                (reply,) = store.runner.run(Operation("edit", args))
            done.jobs.extend(reply["edited"] or ())
            done.others.extend(reply["stale"] or ())
        progress(so_far, len(ids))
    return done


def read_signed(store: Store, ids: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return id, whole text and signature of each job."""
    names = ("status", *STORED, "mlq_signature")
    rows = store.reads.rows(names, ids)
    raws = [Raw(row[0], *row[2:5]) for row in rows]
    specs = whole_specs(store.client, raws)
    return [(row[0], spec, row[5]) for row, spec in zip(rows, specs, strict=True)]


def verified(text: str, signature: str, job_id: str, key: bytes) -> JobSpec:
    """Return the job that a signed text describes.

    Raises:
        SignatureError: the text is not that of this job, or was altered.
    """
    verify(key, text.encode(errors="replace"), signature)
    try:
        spec = parse_spec(text)
    except NotStrictError as error:
        raise SignatureError(f"job {job_id} cannot be read", why=error.why) from None
    if spec.id != job_id:
        raise SignatureError(f"job {job_id} is a copy", why=f"it was signed as {spec.id}")
    return spec


def as_new_text(spec: JobSpec, key: bytes) -> NewText:
    """Return a job's text, signed anew, as `edit` and `move` take it."""
    text = spec.canonical()
    template = template_of(text)
    flat = job_fields(SignedJob(spec, text, sign(key, text.encode()), template), template)
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    stored = fields.pop("mlq_spec")
    return NewText(
        {
            "class": spec.job_class.name,
            "template": template.digest if template else "",
            "spec": stored,
            "fields": [part for pair in fields.items() for part in pair],
            "clear": [name for name in _OPTIONAL if name not in fields],
        },
        as_args([template]),
    )
