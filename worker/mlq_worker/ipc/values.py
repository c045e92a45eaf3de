"""What the processes tell each other about attempts, as frozen values; JSON only on the way.

An order, a start, a result and the rest never change once made: code that has more to add makes
another (`dataclasses.replace`). `to_json` and `from_json` are the only way to the fields on
the sockets and in `result.json`, where an attempt stands as `id` and `attempt`. A field with a
default is left out while it has that; readers skip fields that they do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple, TypeVar

from mlq.ids import is_valid_id
from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.causes import NO_CAUSE, Cause, parse_cause
from mlq_worker.ipc.shortage import Shortage, parse_shortage

LAST_LINE_CHARS = 200
"""The most characters of a log's last line that a result carries."""

REQUEUED = "queued again: it asked for that"
"""The reason of an attempt that ended because it asked to be queued again."""
_BY_ITSELF = frozenset({"exited", "signaled", "timeout"})

Outcome = Literal[
    "exited",
    "signaled",
    "timeout",
    "canceled",
    "released",
    "lost",
    "unstartable",
    "storage",
    "reused",
    "foreign",
    "overstepped",
]
"""`reused`: the results root knows this attempt, or a later one, already: the queue has forgotten
it. `foreign`: the folder is that of another job, which had the number before. `overstepped`: it
took more memory than it asked for."""

HeldState = Literal["waiting", "running", "stopping", "paused", "ended"]


class StopSignal(NamedTuple):
    """A signal that its user wants a job to get before it is stopped.

    It is sent `ahead_s` before the time limit (None: not then), to the first process only if
    `first_only`.
    """

    number: int
    ahead_s: float | None
    first_only: bool


class Copied(NamedTuple):
    """A project that a job runs a copy of: `mlq.jobs.spec.Pack`."""

    pack: str
    links: str
    project: str


class CodeOrder(NamedTuple):
    """The code that a job runs, as it was.

    `projects`: its own, which goes into `work` of the job's folder, then those beside it.
    `subfolder` of its own is where it starts. `cache_dir`: where the machine keeps packs.
    """

    projects: tuple[Copied, ...]
    subfolder: str
    cache_dir: str

    def as_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {**self._asdict(), "projects": [one._asdict() for one in self.projects]}


class BatchOrder(NamedTuple):
    """What a job has of another batch system: a script, the user's own files, a list of nodes.

    Args:
        script: the text that is run in place of `argv[0]`; "" for none.
        script_name: the name of its file.
        output, error: the user's files, absolute; both streams go to `output` if `error` is "".
        appends: whether what is in those files stays.
        umask: with which they are made.
        nodes: the content of the file of nodes; "" for none.
    """

    script: str = ""
    script_name: str = ""
    output: str = ""
    error: str = ""
    appends: bool = False
    nodes: str = ""
    umask: int = 0o77


class Share(NamedTuple):
    """What of its machine a job was given, and which of that its user asked for.

    Args:
        cores: how many.
        mem_mib: main memory.
        mem_is_asked: whether its user said so (`--mem`): then it is a limit, else only a promise.
        gpu_uuids: its GPUs.
        vram_mib: memory on each GPU that it shares with others; 0: it has its GPUs to itself.
    """

    cores: int = 1
    mem_mib: int = 0
    mem_is_asked: bool = False
    gpu_uuids: tuple[str, ...] = ()
    vram_mib: int = 0


def _share(raw: Mapping[str, Any]) -> Share:
    return Share(**{**raw, "gpu_uuids": tuple(raw.get("gpu_uuids", ()))})


def _code(raw: Mapping[str, Any]) -> CodeOrder:
    projects = tuple(Copied(**one) for one in raw["projects"])
    return CodeOrder(projects, raw["subfolder"], raw["cache_dir"])


class Found(NamedTuple):
    """The last attempt that the results root knows of a job; all but the number "" if unknown."""

    attempt: int
    machine: str
    boot_id: str
    supervisor_id: str


@dataclass(frozen=True, slots=True)
class Order:
    """A job to start.

    `env` is the whole environment but for `secrets`: variable -> name of the file in the root's
    `secrets` whose content it is. At most `width` orders of a `lane` run at once; `lane` None
    starts at once. `job_json` is the text of `job.json`. `tag` is the worker's own note, which it
    gets back in `Held`. `python_env` is the environment that it needs. `called` is
    the name by which its user called the program whose path is `argv[0]`, "" if a path. `code` is
    what it runs a copy of; None if it runs in a live folder. `batch` is what it has of another
    batch system. `share` is what it was given of the machine; None from a worker that does not say.

    Raises:
        ValueError: its id cannot be the id of a job.
    """

    attempt: AttemptId
    mark: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: str
    job_dir: str
    job_json: str = field(repr=False)
    time_limit_s: float | None
    stop_grace_s: float
    lane: str | None
    width: int
    tag: Mapping[str, Any] = field(default_factory=dict)
    python_env: str = ""
    called: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
    signal: StopSignal | None = None
    code: CodeOrder | None = None
    batch: BatchOrder | None = field(default=None, repr=False)
    share: Share | None = None

    def __post_init__(self) -> None:
        if not is_valid_id(self.attempt.job_id):
            raise ValueError(f"{self.attempt.job_id!r} cannot be the id of a job")


@dataclass(frozen=True, slots=True)
class Started:
    """A job that runs; `pid_start` in clock ticks since boot, `at` in seconds of boot time.

    `pid` is the job's keeper: every process of the job is below it.
    """

    attempt: AttemptId
    pid: int
    pid_start: int
    started_at: str
    at: float


@dataclass(frozen=True, slots=True)
class Termination:
    """Why an attempt is being ended, told to the launcher before the first signal.

    After `kill_at` (boot time, seconds) nothing of the attempt is spared. `asked_s` and `shortage`
    as in `Result`.
    """

    attempt: AttemptId
    outcome: Outcome
    reason: str
    kill_at: float
    asked_s: float | None = None
    shortage: Shortage | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended: the content of `result.json`. Times of day are UTC.

    `last_line` is that of its log, if it failed; it comes after the rest of the result. `cause`
    tells what was at fault if it could not start (`mlq_worker.ipc.causes`). `found` goes with the
    outcome `reused`. `unwritten` is told to the worker only: the file could not be written yet.
    `has_said`, told to the worker only, too: it wrote to its log or its report.
    `notes` say what its user should know beside its end, a sentence each. `shortage` tells that it
    failed because memory ran out. `asked_s`: it ends because it asked to be queued again, so many
    seconds after its start. `mem_peak_mib`: the most memory that its processes had together, with
    their files in memory, if the kernel counted that.
    """

    attempt: AttemptId
    machine: str
    boot_id: str
    outcome: Outcome
    exit_code: int | None
    signal: int | None
    reason: str
    started_at: str | None
    ended_at: str
    cpu_s: float
    max_rss_mib: int
    cause: Cause = NO_CAUSE
    found: Found | None = None
    notes: tuple[str, ...] = ()
    last_line: str = ""
    unwritten: bool = False
    shortage: Shortage | None = None
    has_said: bool = False
    asked_s: float | None = None
    mem_peak_mib: int | None = None


def has_ended_by_itself(result: Result) -> bool:
    """Return whether an attempt left, or its time was up, and nobody else ended it."""
    return result.outcome in _BY_ITSELF


def requeued(result: Result, asked_s: float) -> Result:
    """Return the result of an attempt that asked to be queued again, and then ended by itself."""
    return replace(result, outcome="released", reason=REQUEUED, asked_s=asked_s, shortage=None)


@dataclass(frozen=True, slots=True)
class Held:
    """An attempt that the supervisor holds, as it tells a worker that connects."""

    attempt: AttemptId
    mark: str
    state: HeldState
    pid: int | None
    pid_start: int | None
    started_at: str | None
    result: Result | None
    order: Mapping[str, Any]


def unstarted_result(
    attempt: AttemptId,
    place: tuple[str, str],
    why: tuple[Outcome, str],
    ended_at: str,
    started_at: str | None = None,
) -> Result:
    """Return the result of an attempt of which nothing ran; `place` is machine and boot id."""
    outcome, reason = why
    return Result(
        attempt, *place, outcome, None, None, reason, started_at, ended_at, cpu_s=0.0, max_rss_mib=0
    )


# --- to and from JSON -----------------------------------------------------------------------------

Value = Order | Started | Termination | Result | Held
V = TypeVar("V", Order, Started, Termination, Result)
_Read = Callable[[Any], Any]


class _Field(NamedTuple):
    name: str
    default: Any
    read: _Read


def _fields_of(kind: type[Value], **reads: _Read) -> tuple[_Field, ...]:
    """Return the fields of a kind of value but for the attempt, which comes first."""
    return tuple(
        _Field(
            one.name,
            one.default if one.default_factory is MISSING else one.default_factory(),
            reads.get(one.name, _as_it_is),
        )
        for one in fields(kind)
        if one.name != "attempt"
    )


def _as_it_is(raw: Any) -> Any:
    return raw


_FIELDS: Mapping[type[Value], tuple[_Field, ...]] = {
    Order: _fields_of(
        Order,
        argv=tuple,
        signal=lambda raw: StopSignal(**raw),
        code=_code,
        batch=lambda raw: BatchOrder(**raw),
        share=_share,
    ),
    Started: _fields_of(Started),
    Termination: _fields_of(Termination, shortage=parse_shortage),
    Result: _fields_of(
        Result,
        cause=parse_cause,
        found=lambda raw: Found(**raw),
        notes=tuple,
        shortage=parse_shortage,
    ),
    Held: _fields_of(Held),
}


def to_json(value: Value) -> dict[str, Any]:
    """Return a value as JSON."""
    raw: dict[str, Any] = {"id": value.attempt.job_id, "attempt": value.attempt.number}
    for name, default, _ in _FIELDS[type(value)]:
        item = getattr(value, name)
        if default is MISSING or (item is not default and item != default):
            raw[name] = item if type(item) in _PLAIN else _plain(item)
    return raw


_TUPLES = (StopSignal, BatchOrder, Share, Found, Cause, Shortage)
_PLAIN = frozenset({str, int, float, bool, type(None), tuple, list, dict})
"""Types that JSON has: most of what a message holds, sent thousands of times a second."""


def _plain(item: Any) -> Any:
    if isinstance(item, Result):
        return to_json(item)
    if isinstance(item, CodeOrder):
        return item.as_json()
    return item._asdict() if isinstance(item, _TUPLES) else item


def from_json(kind: type[V], raw: Mapping[str, Any]) -> V:
    """Return the value that `to_json` made this of.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    known: dict[str, Any] = {"attempt": AttemptId(raw["id"], raw["attempt"])}
    for name, default, read in _FIELDS[kind]:
        if name in raw:
            known[name] = read(raw[name])
        elif default is MISSING:
            raise ValueError(f"a message without {name} is no {kind.__name__}")
    return kind(**known)
