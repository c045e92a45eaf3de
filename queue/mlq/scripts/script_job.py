"""What a job file of another batch system asks for, in mlq's words.

Each system has a parser that returns a `ScriptJob`; nothing after it knows the system's syntax. A
parser is pure: it is given the text and where it was submitted, and it raises `InvalidInputError`
that names file and line. It must not drop anything in silence: what has no effect is in `notes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mlq.jobs.batch_job import BatchJob, Streams
from mlq.jobs.parents import Condition


class Parent(NamedTuple):
    """A job to come after, and how it must have ended for that."""

    id: str
    condition: Condition


class Element(NamedTuple):
    """One job of several that a file describes one by one (HTCondor's `queue`)."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    streams: Streams | None
    cwd: str


class ScriptJob(NamedTuple):
    """One job, or an array of them.

    Args:
        batch: what the job is told of itself.
        argv: the script's name and its arguments; without `script`, a program and its arguments.
        cwd: the folder to start in, absolute.
        script: the text of the script that is run in place of `argv[0]`; "" for none.
        name: as asked for, else the file's.
        cores, mem_mib, gpus, vram_mib: as `mlq.jobs.request.Request`; None takes the setting.
        gpu_type: the GPU's model must contain this, without regard to case; "" for any.
        time_limit_s: of one attempt; None for none.
        array: task numbers as Slurm writes them, `%N` included; "" for one job.
        elements: the jobs, if they are described one by one; then `argv`, `env` and `streams` of
            this are not used.
        max_running: how many elements may run at once; None for no limit.
        streams: the user's own files of its output.
        env: variables that the file sets.
        passes_on: names of the submitter's variables that go along; None for all of them.
        parents: jobs to come after; all conditions must hold.
        parents_at: file and line that name them, for messages.
        is_singleton: whether it comes after all earlier jobs of its name.
        signal: as `mlq enqueue --signal` takes it; None for none.
        grace_s: from SIGTERM to SIGKILL; None takes the setting.
        is_requeued: whether it runs again if its machine is lost.
        retries: how often it runs again if it fails.
        machines, excluded: names or globs of machines; empty for any, none.
        priority: larger first.
        start: as `mlq enqueue --at` takes it; None for at once.
        is_held: whether it waits until it is released.
        is_waited_for: whether the command waits until it has ended.
        is_parsable: whether only the id is printed.
        comment: a text to find the job by; it changes nothing.
        is_test: whether nothing is queued, only checked.
        notes: what has no effect, a line each, for the user to read once.
    """

    batch: BatchJob
    argv: tuple[str, ...]
    cwd: str
    script: str = ""
    name: str = ""
    cores: int = 1
    mem_mib: int | None = None
    gpus: int = 0
    vram_mib: int = 0
    gpu_type: str = ""
    time_limit_s: float | None = None
    array: str = ""
    elements: tuple[Element, ...] = ()
    max_running: int | None = None
    streams: Streams | None = None
    env: Mapping[str, str] = {}
    passes_on: tuple[str, ...] | None = None
    parents: tuple[Parent, ...] = ()
    parents_at: str = ""
    is_singleton: bool = False
    signal: str | None = None
    grace_s: float | None = None
    is_requeued: bool = True
    retries: int = 0
    machines: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    priority: int = 0
    start: str | None = None
    is_held: bool = False
    is_waited_for: bool = False
    is_parsable: bool = False
    comment: str = ""
    is_test: bool = False
    notes: tuple[str, ...] = ()
