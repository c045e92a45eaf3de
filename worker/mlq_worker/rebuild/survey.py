"""Finds, on the results root of a lost queue, its jobs, how their attempts ended, and the beats.

Jobs can write there. The survey names what is no job and leaves it alone; no such find stops it.

A `job.json` counts only if it was signed with this queue's key.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from mlq.errors import SignatureError, StorageError
from mlq.files.layout import Layout
from mlq.files.paths import MACHINE_NAME
from mlq.files.root import pinned
from mlq.files.strict_files import JOB_BYTES, Absent, Content, Unreadable, read_file
from mlq.ids import is_job_id, is_number, is_valid_id
from mlq.jobs.signing import verify
from mlq.jobs.spec import JobSpec
from mlq.jobs.strict_spec import NotStrictError, parse_spec
from mlq.store.replies import Attempt
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.nfs import read_beats, read_progress, read_results
from mlq_worker.launcher.holder import Holder, read_holder
from mlq_worker.liveness.verdicts import Beat


class Signed(NamedTuple):
    """A job's text and its signature, as they were submitted."""

    text: str
    signature: str


def parse_job_file(raw: bytes) -> Signed:
    """Return what a `job.json` holds.

    Raises:
        ValueError: it is none; the message reads after "it".
    """
    try:
        value = json.loads(raw)
        spec, signature = value["spec"], value["signature"]
        text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("is damaged") from None
    return Signed(text, str(signature))


def verified(signed: Signed, job_id: str, key: bytes) -> JobSpec:
    """Return a job that this queue's key has signed.

    Raises:
        SignatureError: the key has not signed it, or not under this id.
    """
    verify(key, signed.text.encode(errors="replace"), signed.signature)
    try:
        spec = parse_spec(signed.text)
    except NotStrictError as error:
        raise SignatureError("the job cannot be read", why=f"{error}; is this mlq older?") from None
    if spec.id != job_id:
        raise SignatureError("the job is a copy", why=f"it was signed as {spec.id}")
    return spec


_READERS = 16  # NFS answers many requests in the time of one
_ATTEMPT = re.compile(r"[1-9]\d{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class JobOnRoot:
    """A job's folder.

    Args:
        id: the job.
        signed: its `job.json`.
        attempts: the numbers of attempts that have a folder.
        results: how the attempts ended whose results are known.
        holder: where the last attempt ran, according to the note beside it.
        progress: the last attempt's progress.
    """

    id: str
    signed: Signed
    attempts: tuple[int, ...] = ()
    results: dict[int, AttemptResult] = field(default_factory=dict)
    holder: Holder | None = None
    progress: str = ""


@dataclass(slots=True)
class Found:
    """All that was found; `strange` describes everything that is not a job's."""

    jobs: dict[str, JobOnRoot] = field(default_factory=dict)
    beats: dict[Attempt, Holder] = field(default_factory=dict)
    largest: int = 0
    strange: list[str] = field(default_factory=list)


class Root(Protocol):
    """The results root, as the survey reads it."""

    def job_ids(self, strange: list[str]) -> list[str]:
        """Return the ids of all folders that may be a job's; add the rest to `strange`."""

    def read_job(self, job_id: str) -> JobOnRoot | str | None:
        """Return a job, what is wrong with its folder, or None if it holds nothing yet."""

    def beats(self, strange: list[str]) -> dict[Attempt, Holder]:
        """Return which attempts the machines say they hold."""


def survey(root: Root, progress: Callable[[int, int], None] = lambda *_: None) -> Found:
    """Look at everything.

    Args:
        root: the results root.
        progress: is told how many jobs were read, of how many.
    """
    found = Found()
    ids = root.job_ids(found.strange)
    with ThreadPoolExecutor(_READERS) as pool:
        for done, (job_id, job) in enumerate(
            zip(ids, pool.map(root.read_job, ids), strict=True), 1
        ):
            if job is not None:  # in which nothing of a job is, it has no number of one
                found.largest = max(found.largest, _number(job_id))
            if isinstance(job, JobOnRoot):
                found.jobs[job.id] = job
            elif job is not None:
                found.strange.append(job)
            progress(done, len(ids))
    # Read after the results: the machine of an attempt that ended in between still holds it.
    found.beats = root.beats(found.strange)
    return found


def _number(job_id: str) -> int:
    number = job_id.partition("_")[0]
    return int(number) if is_job_id(job_id) and is_number(number) else 0


def look_at(layout: Layout, progress: Callable[[int, int], None]) -> Found:
    """Survey a results root on disk.

    Args:
        layout: of the root, and whose it must be.
        progress: as for `survey`.

    Raises:
        StorageError: it cannot be read now.
    """
    try:
        with pinned(layout) as root:
            return survey(RealRoot(root), progress)
    except OSError as error:
        raise _away(str(layout.root), error.strerror or str(error)) from None


class RealRoot:
    """The results root on disk.

    Args:
        layout: of the root, opened.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def job_ids(self, strange: list[str]) -> list[str]:
        """See `Root`."""
        ids: list[str] = []
        for name, is_folder in _entries(str(self._layout.jobs_dir)):
            if not is_folder or not is_valid_id(name):
                strange.append(f"jobs/{name}: it is no folder of a job")
            else:
                ids += self._with_members(name)
        return sorted(ids, key=lambda one: (_number(one), one))

    def _with_members(self, name: str) -> Iterator[str]:
        members = [
            f"{name}_{below}"
            for below, is_folder in _entries(f"{self._layout.jobs_dir}/{name}")
            if is_folder and is_job_id(f"{name}_{below}")
        ]
        return iter(members or [name])

    def read_job(self, job_id: str) -> JobOnRoot | str | None:
        """See `Root`."""
        folder = self._layout.folder(job_id)
        shown = folder.path.removeprefix(f"{self._layout.root}/")
        raw = read_file(self._layout.root, folder.job_file, JOB_BYTES)
        if isinstance(raw, Absent):
            # Made just now, or a folder that is no job's: a job writes nothing before this.
            names = [name for name, _ in _entries(folder.path)]
            return f"{shown}: it has no job.json" if names else None
        if isinstance(raw, Unreadable):
            raise _away(f"{shown}/job.json", raw.why)
        if not isinstance(raw, Content):
            return f"{shown}/job.json: it {raw.why}"
        try:
            signed = parse_job_file(raw.data)
        except ValueError as error:
            return f"{shown}/job.json: it {error}"
        attempts = tuple(sorted(_attempts(folder.attempts_dir)))
        told = read_results(self._layout, [(job_id, one) for one in attempts])
        for end in told.values():
            if isinstance(end, Unreadable):
                # Not known is not the same as none: the job would run a second time.
                raise _away(f"{shown}/attempts", f"a result cannot be read now: {end.why}")
        # What left something else in its place may still run; the reaper will judge it.
        results = {key[1]: one for key, one in told.items() if isinstance(one, AttemptResult)}
        last = [(job_id, attempts[-1])] if attempts else []
        progress = read_progress(self._layout, last)
        holder = read_holder(self._layout, folder.attempt_dir(attempts[-1])) if attempts else None
        if holder is not None and not all(holder):
            holder = None
        return JobOnRoot(job_id, signed, attempts, results, holder, *progress.values())

    def beats(self, strange: list[str]) -> dict[Attempt, Holder]:
        """See `Root`."""
        machines = []
        for name, _ in _entries(str(self._layout.workers_dir)):
            machine = name.removesuffix(".beat")
            if machine != name and MACHINE_NAME.fullmatch(machine):
                machines.append(machine)
        return beats_of(self._layout, machines, strange)


def beats_of(layout: Layout, machines: Iterable[str], strange: list[str]) -> dict[Attempt, Holder]:
    """Return which attempts these machines say they hold; add unreadable beats to `strange`."""
    found: dict[Attempt, Holder] = {}
    for machine in sorted(machines):
        look = read_beats(layout, [machine], lambda: 0.0)
        beat = look.beats.get(machine)
        if not isinstance(beat, Beat):
            strange.append(f"workers/{machine}.beat: it cannot be read")
            continue
        for attempt in beat.attempts:
            found[attempt] = Holder(machine, beat.boot_id, beat.supervisor_id)
    return found


def _attempts(folder: str) -> Iterator[int]:
    for name, is_folder in _entries(folder):
        if is_folder and _ATTEMPT.fullmatch(name):
            yield int(name)


def _entries(folder: str) -> list[tuple[str, bool]]:
    """Return the names in a folder, each with whether it is a folder and not a link."""
    try:
        with os.scandir(folder) as entries:
            return [(one.name, one.is_dir(follow_symlinks=False)) for one in entries]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    except OSError as error:
        raise _away(folder, error.strerror or str(error)) from None


def _away(path: str, why: str) -> StorageError:
    return StorageError(
        f"{path} cannot be read", why=why, fix="try again once the results root answers"
    )
