"""Runs the commands of a batch system, here or on another host by ssh.

An answer may be lost: the connection breaks, or the controller is too busy to reply. Whether the
command has had an effect is then unknown, and must not be taken for a refusal (`LostAnswerError`).
A command is ended after a while on either side, so no process is left on the other host.
"""

from __future__ import annotations

import getpass
import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple, Protocol

from mlq.errors import MlqError, PilotError
from mlq.pilots.decide import SUBMIT_S
from mlq.pilots.pool import Pool
from mlq.pilots.systems import Call, programs
from mlq.settings.settings import Settings
from mlq_cli.remote.ssh import Ssh

_LIMIT_S = SUBMIT_S - 10.0
_OVER = 124  # timeout(1)
_UNSURE = re.compile(
    r"timed? ?out|unable to contact|connection|communication|cannot connect|can't connect|"
    r"failed to connect|try again|temporarily",
    re.IGNORECASE,
)
# Makes the folder of the logs, then becomes the command.
_THERE = f'mkdir -p "$1" 2>/dev/null; shift; exec timeout {_LIMIT_S:.0f} "$@"'


class Answer(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The last words of a command that failed."""
        lines = [one.strip() for one in f"{self.out}\n{self.err}".splitlines() if one.strip()]
        return lines[-1] if lines else f"exit code {self.code}"


class LostAnswerError(PilotError):
    """Nobody knows whether the command was carried out."""


class Commands(Protocol):
    """Runs commands of a system."""

    user: str

    def run(self, call: Call) -> Answer:
        """Run a command.

        Raises:
            LostAnswerError: its answer is not known.
        """
        ...


class Here:
    """Runs commands on this machine.

    Args:
        pool: whose system's.
        logs: the folder of the pilots' logs.
        path: PATH.

    Raises:
        PilotError: one of the system's programs is not here.
    """

    def __init__(self, pool: Pool, logs: Path, path: str) -> None:
        from mlq.files.shims import real_program

        self.user = getpass.getuser()
        self._logs = logs
        self._programs = {}
        for name in programs(pool):
            found = real_program(name, path)
            if not found:
                raise PilotError(
                    f"{name} is not here",
                    why="it is a command of the system that pilots are to be submitted to",
                    fix="type this on a machine that has it, or name one: --via HOST",
                )
            self._programs[name] = found

    def run(self, call: Call) -> Answer:
        """Run a command; see `Commands`."""
        program = self._programs.get(call.program, call.program)
        try:
            self._logs.mkdir(exist_ok=True)
            done = subprocess.run(
                [program, *call.words[1:]],
                input=call.stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LIMIT_S,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired:
            raise LostAnswerError(f"{call.program} has not answered for {_LIMIT_S:.0f} s") from None
        except OSError as error:
            raise PilotError(f"{call.program} cannot be run", why=str(error)) from None
        return _sure(call, Answer(done.returncode, done.stdout, done.stderr))


class There:
    """Runs commands on another host.

    Args:
        host: as typed after `ssh`.
        logs: the folder of the pilots' logs, as that host calls it.
        settings: how ssh gets there.

    Raises:
        TunnelError: it cannot be reached.
    """

    def __init__(self, host: str, logs: Path, settings: Settings) -> None:
        self._ssh, self._host, self._logs = Ssh(settings), host, logs
        self.user = self._ssh.run(host, ["id", "-un"], timeout_s=_LIMIT_S).out.strip()

    def run(self, call: Call) -> Answer:
        """Run a command; see `Commands`."""
        words = ["sh", "-c", _THERE, "sh", str(self._logs), *call.words]
        try:
            ran = self._ssh.run(
                self._host, words, stdin=call.stdin.encode(), timeout_s=_LIMIT_S + 5
            )
        except MlqError as error:
            raise LostAnswerError(error.what, why=error.why, fix=error.fix) from None
        if ran.code == _OVER:
            raise LostAnswerError(f"{call.program} on {self._host} has not answered")
        return _sure(call, Answer(ran.code, ran.out, ran.err))


def _sure(call: Call, answer: Answer) -> Answer:
    if answer.code and _UNSURE.search(answer.refusal):
        raise LostAnswerError(f"{call.program}: {answer.refusal}")
    return answer
