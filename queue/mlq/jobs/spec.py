"""A job as its user described it.

`JobSpec` is what is signed, stored and run: everything needed to run the job anywhere, and nothing
that changes while it runs. It is parsed strictly wherever it crosses a border (enqueue, claim): a
number written as a string, a misspelt field or a wrong tag is refused there, not found out later
on a lab machine.
"""

from __future__ import annotations

import json
import shlex
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BaseModel, ConfigDict, StringConstraints

from mlq.jobs.request import LARGEST, JobClass, Request
from mlq.jobs.stop_signal import LONGEST_GRACE_S, PLAIN

SecretFile = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+-[0-9a-f]{32}$")]
"""The name of a file, which leads nowhere else; see `mlq.submit.secrets`."""


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class FunctionCall(_Strict):
    """A Python function to call instead of a command; arguments and result are JSON."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}


class Pack(_Strict):
    """One project as it was; see `mlq.code`.

    Args:
        pack: the sha256 of its manifest.
        links: the sha256 of the list of what links to the live project; "" if nothing does.
        project: the live folder, as machines of the lab know it.
    """

    pack: Sha256
    links: Sha256 | Literal[""] = ""
    project: str


class Code(Pack):
    """The code that a job runs: a project as it was when the job was enqueued.

    Args:
        subfolder: the folder to start in, relative to the project; "" is the project itself.
        also: other projects that its Python environment has installed editable.
        commit, branch: of git, to be read; nothing is rebuilt from them.
        dirty: whether the project differed from that commit.
    """

    subfolder: str = ""
    also: tuple[Pack, ...] = ()
    commit: str = ""
    branch: str = ""
    dirty: bool = False


class Member(_Strict):
    """What a job is in its sweep; see `mlq.sweeps`.

    Args:
        name: of the sweep.
        key: the digest by which the sweep knows this member again.
        params: its parameters, as they were typed.
    """

    name: str
    key: str
    params: dict[str, str] = {}


class JobSpec(_Strict):
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
        after: ids of jobs that must have ended well first (or just ended, with after_any).
        grace_s: how long it has from SIGTERM on; None takes the worker's setting.
        signal: one that it gets before it is stopped (`mlq.jobs.stop_signal`); None for none.
        code: what it runs, as it was; None runs in the live folder `cwd`.
        member: what it is in its sweep; None if it is of none.
    """

    version: Literal[1] = 1
    id: Annotated[str, MinLen(1)]
    name: str = ""
    argv: tuple[str, ...] = ()
    function: FunctionCall | None = None
    cwd: str
    captured_env: dict[str, str] = {}
    env: dict[str, str] = {}
    secrets: dict[str, SecretFile] = {}
    python_env: str = ""
    program: str = ""
    request: Request
    priority: Annotated[int, Ge(-LARGEST), Le(LARGEST)] = 0
    time_limit_s: Annotated[float, Gt(0)] | None = None
    retries: Annotated[int, Ge(0)] = 0
    after: tuple[str, ...] = ()
    after_any: bool = False
    grace_s: Annotated[float, Ge(0), Le(LONGEST_GRACE_S)] | None = None
    signal: Annotated[str, StringConstraints(pattern=PLAIN)] | None = None
    code: Code | None = None
    member: Member | None = None
    submitted_at: str

    @property
    def job_class(self) -> JobClass:
        """The class the job waits in."""
        return JobClass(self.priority, self.request)

    @property
    def command(self) -> str:
        """The command as a person would type it."""
        return command_line(self.argv) if self.function is None else f"{self.function.name}()"

    def canonical(self) -> str:
        """Return the one JSON text of this job: ASCII, sorted keys, no spaces; what is signed.

        What a job does without is left out. So a default must never change: jobs that wait would
        get the new one.
        """
        fields = self.model_dump(mode="python", exclude_defaults=True) | {"version": self.version}
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def command_line(argv: tuple[str, ...]) -> str:
    """Return an argv as a person would type it; `sh -c 'X'` reads as X."""
    return argv[2] if len(argv) == 3 and argv[:2] == ("/bin/sh", "-c") else shlex.join(argv)
