"""What an order, a result and a held attempt look like as JSON.

These are the fields on the sockets and in `result.json`. All three processes import them from here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, TypedDict

from mlq.ids import is_valid_id
from mlq.jobs.attempt import AttemptId

PROTOCOL = 2
LAST_LINE_CHARS = 200
"""The most of the last line of a log that a result carries."""

Key = AttemptId
"""Job id and attempt number."""

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
]
"""`reused`: the results root knows this attempt, or a later one, already: the queue has forgotten
it. `foreign`: the folder is that of another job, which had the number before."""


HeldState = Literal["waiting", "running", "stopping", "paused", "ended"]


class _RequiredOfOrder(TypedDict):
    id: str
    attempt: int
    mark: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    job_dir: str
    job_json: str
    time_limit_s: float | None
    stop_grace_s: float
    lane: str | None
    width: int


class StopSignal(TypedDict):
    """A signal that its user wants a job to get before it is stopped.

    It is sent `ahead_s` before the time limit (None: not then), to the first process only if
    `first_only`.
    """

    number: int
    ahead_s: float | None
    first_only: bool


class Order(_RequiredOfOrder, total=False):
    """A job to start.

    `env` is the whole environment but for `secrets`: variable -> name of the file in the root's
    `secrets` whose content it is. At most `width` orders of a `lane` run at once; `lane` null
    starts at once. `job_json` is the text of `job.json`. `tag` is the worker's own note, which it
    gets back in `Held`. `python_env` is the environment that it needs. `called` is
    the name by which its user called the program whose path is `argv[0]`, "" if a path.
    (Two classes: with postponed annotations `NotRequired` is not seen by
    `__required_keys__`, by which orders are checked.)
    """

    tag: dict[str, Any]
    python_env: str
    called: str
    secrets: dict[str, str]
    signal: StopSignal


class Found(TypedDict):
    """The last attempt that the results root knows of a job; all but the number "" if unknown."""

    attempt: int
    machine: str
    boot_id: str
    supervisor_id: str


class _RequiredOfResult(TypedDict):
    id: str
    attempt: int
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


class Result(_RequiredOfResult, total=False):
    """How an attempt ended: the content of `result.json`. Times of day are UTC.

    `last_line` is that of its log, if it failed; it comes after the rest of the result. `cause`
    tells what was at fault if it could not start (`mlq_worker.ipc.causes`). `found` goes with the
    outcome `reused`. `unwritten` is told to the worker only: the file could not be written yet.
    `notes` say what its user should know beside its end, a sentence each.
    """

    cause: dict[str, str]
    found: Found
    last_line: str
    unwritten: bool
    notes: list[str]


class Termination(TypedDict):
    """Why an attempt is being ended, told to the launcher before the first signal.

    After `kill_at` (boot time, seconds) nothing of the attempt is spared.
    """

    id: str
    attempt: int
    outcome: Outcome
    reason: str
    kill_at: float


class Started(TypedDict):
    """A job that runs; `pid_start` in clock ticks since boot, `at` in seconds of boot time.

    `pid` is the job's keeper: every process of the job is below it.
    """

    id: str
    attempt: int
    pid: int
    pid_start: int
    started_at: str
    at: float


class Held(TypedDict):
    """An attempt the supervisor holds, as it tells a worker that connects."""

    id: str
    attempt: int
    mark: str
    state: HeldState
    pid: int | None
    pid_start: int | None
    started_at: str | None
    result: Result | None
    order: dict[str, Any]


def key_of(item: Order | Result | Termination | Started) -> Key:
    """The attempt something is about."""
    return AttemptId(item["id"], item["attempt"])


def unstarted_result(
    key: Key, place: tuple[str, str], outcome: Outcome, reason: str, ended_at: str
) -> Result:
    """The result of an attempt of which nothing ran; `place` is machine and boot id."""
    return {
        "id": key[0],
        "attempt": key[1],
        "machine": place[0],
        "boot_id": place[1],
        "outcome": outcome,
        "exit_code": None,
        "signal": None,
        "reason": reason,
        "started_at": None,
        "ended_at": ended_at,
        "cpu_s": 0.0,
        "max_rss_mib": 0,
    }


def keys_of(pairs: Collection[list[Any]]) -> list[Key]:
    """Return the keys in a message."""
    return [AttemptId(str(job_id), int(attempt)) for job_id, attempt in pairs]


def checked(order: Order) -> Order:
    """Return an order that can be obeyed.

    Raises:
        ValueError: it lacks something, or its id is none.
    """
    missing = Order.__required_keys__ - order.keys()
    if missing:
        raise ValueError(f"an order lacks {', '.join(sorted(missing))}")
    if not is_valid_id(order["id"]):
        raise ValueError(f"{order['id']!r} cannot be the id of a job")
    return order
