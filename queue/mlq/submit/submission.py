"""Makes a validated job of what a user asks for.

Everything a user can get wrong about a job is found here, before the job is numbered and stored
(`mlq.submit.batch`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

from mlq.errors import InvalidInputError
from mlq.jobs.batch_job import SCRIPT_CHARS, BatchJob, Streams
from mlq.jobs.choice_of_machines import gpu_type_of, list_of
from mlq.jobs.metric_patterns import check_patterns
from mlq.jobs.parents import Condition, Parents
from mlq.jobs.request import LARGEST, Request
from mlq.jobs.spec import COMMENT_CHARS, OOM_RETRIES, FunctionCall, JobSpec
from mlq.jobs.stop_signal import parse_grace, parse_stop_signal
from mlq.submit.programs import present_folder, program_of
from mlq.submit.python_arguments import mapping, texts
from mlq.submit.python_env import PythonEnv, python_env_of, with_home_of
from mlq.submit.secrets import chosen, file_name
from mlq.submit.typed import check_texts, within
from mlq.units import checked_duration, parse_duration, parse_iso, parse_size, parse_start

AUTO = "auto"
"""In the place of a size: as much as finished runs of the command needed."""


@dataclass(frozen=True)
class Caller:
    """What jobs may get from the process that enqueues them.

    Args:
        environ: its variables, for secrets asked for by name, its Python and its programs.
        captured: those that every job gets (`mlq.submit.captured`).
        capture_env: the setting of that name.
        key: the signing key, which also determines the file names of secrets.
    """

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    captured: Mapping[str, str] = field(default_factory=dict, repr=False)
    capture_env: bool = True
    key: bytes = field(default=b"", repr=False)


class Options(TypedDict, total=False):
    """What `Queue.enqueue` takes besides a command; `Submission` says what each option means."""

    name: str
    cores: int
    mem: str | int | None
    gpus: int
    vram: str | int | None
    time: str | float | None
    priority: int
    after: Sequence[str]
    after_any: bool
    retries: int
    retry_oom: bool
    grace: str | float | None
    signal: str | None
    machine: str
    exclude: str
    gpu_type: str
    env: Mapping[str, str]
    secrets: Sequence[str] | Mapping[str, str]
    capture_env: bool | None
    cwd: str | None
    python_env: str | None
    in_place: bool | None
    start: str | float | None
    metrics: Mapping[str, str]
    singleton: bool
    hold: bool
    requeue: bool
    comment: str


@dataclass(frozen=True)
class Submission:
    """One job as its user asks for it.

    Args:
        argv: the program and its arguments.
        name: a name to find it by.
        cores: logical cores.
        mem: main memory: "8G", "512M" or MiB; None takes the setting default_mem_mib; "auto" takes
            what finished runs of the command needed (`mlq.submit.automatic`).
        gpus: number of GPUs.
        vram: memory on each GPU, like mem; None with gpus takes whole GPUs.
        time: a time limit: "90m", "2h"; a number, not a text, is seconds.
        priority: larger first.
        after: ids or names of jobs that must finish first (`mlq.api.selecting`); "any:1042" needs
            only end, "failed:1042" must fail.
        after_any: whether those that say nothing else need only end.
        retries: how often to try again when it fails.
        retry_oom: whether to try again, with half as much again, when it needed more memory than it
            had asked for; always with "auto".
        grace: from SIGTERM to SIGKILL, like time; None takes the setting stop_grace_s.
        signal: a signal to get before it is stopped, as Slurm writes it: "USR1@60" is SIGUSR1 60 s
            before the time limit.
        machine: globs of machine names: "gpu*", "gpu01,lab0[1-3]"; "!gpu03" excludes.
        exclude: globs of names of machines that it must not run on.
        gpu_type: part of the name of the GPUs' model: "a100", "rtx 3090".
        env: variables to set; they go through the queue, in clear.
        secrets: names of variables that are set here, or names with values, which go to the job by
            private files under the results root, never through the queue.
        capture_env: whether the job is given this process's variables (`mlq.submit.captured`);
            None takes the setting capture_env.
        cwd: the folder to run in; None is the current one.
        python_env: a virtual or conda environment to put first in PATH; None takes those that are
            active (VIRTUAL_ENV, CONDA_PREFIX), "" none.
        in_place: whether to run in the live folder, not in a copy of its project as it is now; None
            does what `[tool.mlq] snapshot` in its pyproject.toml says, else the setting snapshot.
        start: when it may start: "2h" from now, "18:00", "2026-12-01 09:00"; a number is seconds
            from now. None: at once.
        metrics: metrics to be read from the log: name -> regex whose only group, or group `value`,
            is the number.
        singleton: whether it comes after all earlier jobs of its name, however they end.
        hold: whether it is held until `mlq release` lets it go.
        requeue: whether it runs again if its machine is lost or stops taking jobs.
        comment: a text that goes with the job and changes nothing.
        function: a Python function to call, instead of argv.
        script: the text of a script that is run in place of argv[0].
        streams: the user's own files of its output.
        batch: what it is told of itself in another batch system's words.
        conditions: of the jobs in `after`, once they are known by id (`mlq.jobs.parents`).
    """

    argv: tuple[str, ...] = ()
    name: str = ""
    cores: int = 1
    mem: str | int | None = None
    gpus: int = 0
    vram: str | int | None = None
    time: str | float | None = None
    priority: int = 0
    after: Sequence[str] = ()
    after_any: bool = False
    retries: int = 0
    retry_oom: bool = False
    grace: str | float | None = None
    signal: str | None = None
    machine: str = ""
    exclude: str = ""
    gpu_type: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Sequence[str] | Mapping[str, str] = field(default=(), repr=False)
    capture_env: bool | None = None
    cwd: str | None = None
    python_env: str | None = None
    in_place: bool | None = None
    start: str | float | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)
    singleton: bool = False
    hold: bool = False
    requeue: bool = True
    comment: str = ""
    function: FunctionCall | None = None
    script: str = field(default="", repr=False)
    streams: Streams | None = None
    batch: BatchJob | None = None
    conditions: Mapping[str, Condition] = field(default_factory=dict)

    def delay_s(self, at: str) -> float:
        """Return for how many seconds the job must not start.

        Args:
            at: the time of submission, ISO.

        Raises:
            InvalidInputError: `start` is not a time, or has passed.
        """
        if self.start is None:
            return 0.0
        if isinstance(self.start, int | float) and not isinstance(self.start, bool):
            return checked_duration(float(self.start), self.start)
        now_s = parse_iso(at)
        return parse_start(str(self.start), now_s) - now_s

    def with_argv(self, argv: tuple[str, ...]) -> Submission:
        """Return the same submission with another command."""
        # `replace` takes ten times as long, since it hands over each field.
        made = object.__new__(Submission)
        made.__dict__.update(self.__dict__, argv=argv)
        return made

    def coming_after(self, parents: Parents) -> Submission:
        """Return the same submission with these jobs as the ones to come after."""
        return replace(
            self, after=parents.ids, after_any=parents.any_end, conditions=parents.conditions
        )

    def check_command(self) -> None:
        """Check what differs between the jobs of a batch that are otherwise alike.

        Raises:
            InvalidInputError: there is no command, or it could not be passed to a process.
        """
        if not self.argv and self.function is None:
            raise InvalidInputError("no command to run", fix="mlq enqueue -- python train.py")
        check_texts(*self.argv, self.script)
        if len(self.script) > SCRIPT_CHARS:
            raise InvalidInputError(
                f"the script {self.argv[0]} cannot be used",
                why=f"it has {len(self.script):,} characters, and {SCRIPT_CHARS:,} are the most",
                fix="let a short script call the long one",
            )

    def spec(
        self, job_id: str, at: str, default_mem_mib: int, caller: Caller | None = None
    ) -> JobSpec:
        """Return the job.

        Values are checked here, and the types of those that are converted; `mlq.submit.batch`
        has the types of all others checked.

        Raises:
            InvalidInputError: an option cannot be used; the message says which and why.
        """
        self.check_command()
        check_texts(
            self.cwd or "", self.python_env or "", self.machine, self.exclude, self.gpu_type
        )
        if isinstance(self.name, str):  # otherwise the strict check names the option
            check_texts(self.name)
        if isinstance(self.comment, str):
            check_texts(self.comment)
            if len(self.comment) > COMMENT_CHARS:
                raise InvalidInputError(
                    "the comment is too long", why=f"{COMMENT_CHARS:,} characters are the most"
                )
        caller = caller or Caller()
        secrets = self._checked_secrets(caller.environ)
        limit_s = self._time_limit_s()
        self.delay_s(at)
        python = python_env_of(self.python_env, caller.environ)
        program = self._program(caller.environ, python)
        if self.python_env is None:
            python = with_home_of(program, python)
        return JobSpec(
            id=job_id,
            name=self.name,
            argv=tuple(self.argv),
            function=self.function,
            cwd=str(Path(present_folder(caller.environ)) / (self.cwd or "")),
            captured_env=self._captured(caller, secrets, python),
            env=dict(self.env),
            secrets={name: file_name(caller.key, name, secrets[name]) for name in secrets},
            python_env=python.prefix,
            program=program,
            request=self._request(default_mem_mib),
            priority=within("priority", self.priority, -LARGEST),
            time_limit_s=limit_s,
            retries=within("retries", self.retries, 0),
            oom_retries=OOM_RETRIES if self.retry_oom or self.is_auto else 0,
            after=texts("after", self.after, 'after=["1042"]'),
            after_any=self.after_any,
            grace_s=None if self.grace is None else parse_grace(str(self.grace)),
            signal=self._stop_signal(limit_s),
            metrics=self._checked_metrics(),
            script=self.script,
            streams=self.streams,
            batch=self.batch,
            conditions=dict(self.conditions),
            singleton=self._is_singleton(),
            requeue=self.requeue,
            mem_is_asked=self.mem not in (None, AUTO),
            comment=self.comment,
            submitted_at=at,
        )

    def _is_singleton(self) -> bool:
        if self.singleton and not self.name:
            raise InvalidInputError(
                "--singleton needs --name",
                why="the job is to come after all earlier jobs of its name, and it has none",
                fix="add --name NAME",
            )
        return self.singleton

    def _time_limit_s(self) -> float | None:
        """Return the time limit in seconds: a number is in seconds, a text has a unit."""
        if isinstance(self.time, int | float) and not isinstance(self.time, bool):
            return checked_duration(float(self.time), self.time)
        return None if self.time is None else parse_duration(str(self.time))

    @property
    def is_auto(self) -> bool:
        """Whether its memory or GPU memory follows from finished runs."""
        return AUTO in (self.mem, self.vram)

    def captures(self, by_setting: bool) -> bool:
        """Return whether the job gets the caller's variables."""
        return by_setting if self.capture_env is None else self.capture_env

    def _program(self, environ: Mapping[str, str], python: PythonEnv) -> str:
        """Return the path of the program that the shell finds, "" if each machine has its own."""
        if not self.argv or self.script or "PATH" in self.env:
            return ""  # nothing to find, or another PATH is to be searched
        # An environment that was named may be on other machines only: look no further than in it.
        path = f"{python.prefix}/bin" if self.python_env else python.path
        return program_of(self.argv[0], path, present_folder(environ))

    def _captured(
        self, caller: Caller, secrets: Mapping[str, str], python: PythonEnv
    ) -> dict[str, str]:
        # The environment's own variables always go along: its programs would not work without them.
        found = dict(python.variables)
        if self.captures(caller.capture_env):
            found = {**caller.captured, **found, **({"PATH": python.path} if python.path else {})}
        return {name: found[name] for name in found if name not in {*self.env, *secrets}}

    def _checked_secrets(self, environ: Mapping[str, str]) -> dict[str, str]:
        check_texts(*mapping("env", self.env))
        for name, value in self.env.items():
            if not name or "=" in name or "\0" in str(value):
                raise InvalidInputError(
                    f"{name!r} cannot be set",
                    why="a variable's name is not empty and has no `=`, its value has no NUL",
                )
        secrets = chosen(self.secrets, environ)
        for name in secrets:
            if name in self.env:
                raise InvalidInputError(
                    f"{name} is given twice",
                    why="by --env, which goes through the queue, and by --secret",
                    fix=f"leave out --env {name}",
                )
        return secrets

    def _checked_metrics(self) -> dict[str, str]:
        metrics = mapping("metrics", self.metrics)
        check_texts(*texts("metrics", [*metrics, *metrics.values()], '{"acc": "acc ([0-9.]+)"}'))
        check_patterns(metrics)
        return dict(metrics)

    def _stop_signal(self, limit_s: float | None) -> str | None:
        return None if self.signal is None else parse_stop_signal(str(self.signal), limit_s).text

    def _request(self, default_mem_mib: int) -> Request:
        if self.vram is not None and not self.gpus:
            raise InvalidInputError(
                "--vram needs --gpus",
                why="it is the memory wanted on each GPU, and no GPU is asked for",
                fix="add --gpus 1",
            )
        if self.gpu_type and not self.gpus:
            raise InvalidInputError(
                "--gpu-type needs --gpus", why="no GPU is asked for", fix="add --gpus 1"
            )
        return Request(
            cores=within("cores", self.cores, 1),
            mem_mib=default_mem_mib if self.mem in (None, AUTO) else parse_size(str(self.mem)),
            gpus=within("gpus", self.gpus, 0),
            vram_mib=0 if self.vram in (None, AUTO) else parse_size(str(self.vram)),
            machine=list_of(self.machine, self.exclude),
            gpu_type=gpu_type_of(self.gpu_type),
        )


def argv_of(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command as the list of a program and its arguments.

    Raises:
        InvalidInputError: it is a single text, whose characters would be taken for arguments.
    """
    if isinstance(command, str):
        raise InvalidInputError(
            "the command is one text",
            why="a program and its arguments are needed, as a list",
            fix='["python", "train.py"], or ["/bin/sh", "-c", "a | b"] for a shell',
        )
    return texts("the command", command, '["python", "train.py"]')
