"""A job as its user described it.

`JobSpec` is what is signed, stored and run: everything needed to run the job anywhere, and nothing
that changes while it runs. The types of the fields define every allowed value, ranges and patterns
included. `mlq.jobs.strict_spec` checks jobs that come from outside (a claim, the results root, the
Python API) against them. Nothing is checked here: checking takes pydantic, whose import alone takes
longer than a whole `mlq enqueue` should, and that command's own parser has already checked its
input.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from mlq.ids import sweep_number
from mlq.jobs.batch_job import SCRIPT_CHARS, BatchJob, Streams
from mlq.jobs.metric_patterns import LONGEST_PATTERN, MOST_PATTERNS
from mlq.jobs.parents import Condition, Parents
from mlq.jobs.request import LARGEST, JobClass, Request
from mlq.jobs.stop_signal import LONGEST_GRACE_S, PLAIN
from mlq.metrics.series import LONGEST_NAME

if TYPE_CHECKING:
    from annotated_types import Ge, Gt, Le, MaxLen, MinLen
    from pydantic import StringConstraints

PRIVATE_FILE = r"^[A-Za-z0-9_]+-[0-9a-f]{32}$"
"""The pattern of a secret's file name; such a name cannot lead to another folder."""

OOM_RETRIES = 2
"""How often a job is tried with more memory."""

COMMENT_CHARS = 4096
"""The longest comment that a job may have."""

SHA256 = r"^[0-9a-f]{64}$"


@dataclass(frozen=True, kw_only=True)
class FunctionCall:
    """A Python function to call instead of a command; arguments and result are JSON.

    `shown` stands for it where commands are listed: what its user typed, if that was a command.
    """

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    shown: str = ""


@dataclass(frozen=True, kw_only=True)
class Pack:
    """One project as it was; see `mlq.code`.

    Args:
        pack: the sha256 of its manifest.
        links: the sha256 of the list of links to the live project; "" if there are none.
        project: the live folder, as machines of the lab know it.
    """

    pack: Annotated[str, StringConstraints(pattern=SHA256)]
    links: Annotated[str, StringConstraints(pattern=SHA256)] | Literal[""] = ""
    project: str


@dataclass(frozen=True, kw_only=True)
class Code(Pack):
    """The code that a job runs: a project as it was when the job was enqueued.

    Args:
        subfolder: the folder to start in, relative to the project; "" is the project itself.
        also: other projects that its Python environment has installed editable.
        commit, branch: of git, for people to read; nothing is rebuilt from them.
        dirty: whether the project differed from that commit.
    """

    subfolder: str = ""
    also: tuple[Pack, ...] = ()
    commit: str = ""
    branch: str = ""
    dirty: bool = False


@dataclass(frozen=True, kw_only=True)
class Member:
    """What a job is in its sweep; see `mlq.sweeps`.

    Args:
        name: of the sweep.
        key: the digest by which the sweep recognizes this member.
        params: its parameters, as they were typed.
        drawn: what a search drew for it, if that is not what `params` says (`mlq.search`).
    """

    name: str
    key: str
    params: dict[str, str] = field(default_factory=dict)
    drawn: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """One job, as submitted.

    Args:
        id: the job's id; part of the signed text, so a copy under another id does not run.
        argv: the command as a list; never passed to a shell unless it names one.
        cwd: the folder to run in.
        captured_env: variables of the shell it was enqueued from; they replace those of the worker,
            and mlq's own replace them.
        env: variables set for the job by its user; they replace all others but `MLQ_*`.
        secrets: variable -> name of the file in the root's `secrets` that holds its value.
        python_env: a virtual or conda environment whose bin folder comes first in PATH.
        program: the path of the program that `argv[0]` means; "" if each machine has its own.
        priority: larger runs first.
        time_limit_s: ends the job after so many seconds of one attempt.
        retries: how often a failed job is queued again; losses do not count.
        oom_retries: how often it is queued again, and asks for more, when it needed more memory
            than it had asked for.
        after: ids of jobs that must have finished first (or just ended, with after_any).
        conditions: how some of those must have ended: id, or number of a sweep for all members of
            it -> condition (`mlq.jobs.parents`).
        singleton: whether it comes after all earlier jobs of its name.
        mem_is_asked: whether its user said how much main memory it takes: then that is a limit.
        comment: a text that its user gave it; nothing follows from it.
        requeue: whether it is queued again if its machine is lost or takes no more jobs.
        grace_s: how long it has from SIGTERM on; None takes the worker's setting.
        signal: a signal sent to it before it is stopped (`mlq.jobs.stop_signal`); None for none.
        code: the copy of the code that it runs; None runs in the live folder `cwd`.
        member: what it is in its sweep; None if it belongs to no sweep.
        metrics: name -> regex of each metric read from its log (`mlq.jobs.metric_patterns`).
        script: the text of the script that is run in place of `argv[0]`, which is only its name.
        streams: the user's own files of its output; None for none.
        batch: what it is told of itself in the words of another batch system; None for nothing.
    """

    # How strictly `mlq.jobs.strict_spec` reads this class and everything in it.
    __pydantic_config__: ClassVar = {
        "strict": True,
        "extra": "forbid",
        "revalidate_instances": "always",
    }

    version: Literal[1] = 1
    id: Annotated[str, MinLen(1)]
    name: str = ""
    argv: tuple[str, ...] = ()
    function: FunctionCall | None = None
    cwd: str
    captured_env: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Annotated[str, StringConstraints(pattern=PRIVATE_FILE)]] = field(
        default_factory=dict
    )
    python_env: str = ""
    program: str = ""
    request: Request
    priority: Annotated[int, Ge(-LARGEST), Le(LARGEST)] = 0
    time_limit_s: Annotated[float, Gt(0)] | None = None
    retries: Annotated[int, Ge(0)] = 0
    oom_retries: Annotated[int, Ge(0), Le(OOM_RETRIES)] = 0
    after: tuple[str, ...] = ()
    after_any: bool = False
    grace_s: Annotated[float, Ge(0), Le(LONGEST_GRACE_S)] | None = None
    signal: Annotated[str, StringConstraints(pattern=PLAIN)] | None = None
    code: Code | None = None
    member: Member | None = None
    metrics: Annotated[
        dict[
            Annotated[str, MinLen(1), MaxLen(LONGEST_NAME)],
            Annotated[str, MinLen(1), MaxLen(LONGEST_PATTERN)],
        ],
        MaxLen(MOST_PATTERNS),
    ] = field(default_factory=dict)
    script: Annotated[str, MaxLen(SCRIPT_CHARS)] = ""
    streams: Streams | None = None
    batch: BatchJob | None = None
    conditions: dict[str, Condition] = field(default_factory=dict)
    singleton: bool = False
    requeue: bool = True
    mem_is_asked: bool = False
    comment: Annotated[str, MaxLen(COMMENT_CHARS)] = ""
    submitted_at: str

    @property
    def job_class(self) -> JobClass:
        """The class the job waits in."""
        sweep = 0 if self.member is None else sweep_number(self.id)
        return JobClass(self.priority, self.request, sweep)

    @property
    def parents(self) -> Parents:
        """The jobs it comes after, and how each must have ended."""
        return Parents(self.after, self.after_any, self.conditions)

    @property
    def command(self) -> str:
        """The command as a person would type it."""
        if self.function is None:
            return command_line(self.argv)
        return self.function.shown or f"{self.function.name}()"

    def canonical(self) -> str:
        """Return the one JSON text of this job: ASCII, sorted keys, no spaces; what is signed.

        Fields with their default values are left out. So a default must never change: waiting jobs
        would get the new one.
        """
        said = _without_defaults(self) | {"version": self.version}
        return json.dumps(said, sort_keys=True, separators=(",", ":"))


def _without_defaults(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that differ from their defaults, as JSON has them."""
    said = {}
    for one in fields(record):
        value = getattr(record, one.name)
        default = one.default if one.default_factory is MISSING else one.default_factory()
        if value != default:
            said[one.name] = _as_json(value)
    return said


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_as_json(one) for one in value]
    return _without_defaults(value) if is_dataclass(value) else value


def command_line(argv: tuple[str, ...]) -> str:
    """Return an argv as a person would type it; `sh -c 'X'` reads as X."""
    return argv[2] if len(argv) == 3 and argv[:2] == ("/bin/sh", "-c") else shlex.join(argv)
