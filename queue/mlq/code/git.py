"""Runs git commands side by side, and reads the output of each.

Only git knows which files belong to a project, so every snapshot asks it, and most of a snapshot's
time goes into these processes. They are started by `posix_spawn`, since importing subprocess takes
longer than git does.

Invariant: git looks at the folder that it is given. Variables with which a git hook names another
repository do not reach it, and it writes nothing (`GIT_OPTIONAL_LOCKS`). A git that writes no
output for `_PATIENCE_S` seconds is ended: a filter or a file server may hang, and the user must
learn that.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Sequence
from typing import NamedTuple

from mlq.errors import InvalidInputError

_PIECE_BYTES = 1 << 16
_PATIENCE_S = 120.0
_AT_ONCE = 48
"""Commands at a time. Each has two pipes, and some systems allow a process only 256 open files."""
# The monitor that watches a repository's files is not needed to list them, and may hang.
_GIT = ("git", "-c", "core.fsmonitor=false")
# Of `git rev-parse --local-env-vars`, those that name a repository.
_OF_ANOTHER_REPOSITORY = frozenset(
    (
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"),
        *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE"),
        *("GIT_IMPLICIT_WORK_TREE", "GIT_INTERNAL_SUPER_PREFIX"),
    )
)


class Ran(NamedTuple):
    """How a command of git ended, and what it wrote."""

    code: int
    out: bytes
    err: str


class Git:
    """Git in one folder after another.

    Args:
        environ: the caller's variables.
        patience_s: how long git may be silent.
    """

    def __init__(
        self, environ: dict[str, str] | None = None, patience_s: float = _PATIENCE_S
    ) -> None:
        self._patience_s = patience_s
        found = dict(os.environ if environ is None else environ)
        for name in _OF_ANOTHER_REPOSITORY:
            found.pop(name, None)
        self._environ = found | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}

    def run(self, folder: str, *commands: Sequence[str]) -> list[Ran]:
        """Run commands of git side by side and wait for all of them.

        Args:
            folder: where they look.
            commands: the words after `git`.

        Raises:
            InvalidInputError: there is no git here, or it hangs.
        """
        return self.run_each([(folder, command) for command in commands])

    def run_each(self, commands: Sequence[tuple[str, Sequence[str]]]) -> list[Ran]:
        """Run commands, each in its own folder; otherwise like `run`."""
        ran: list[Ran] = []
        for at in range(0, len(commands), _AT_ONCE):
            ran += self._run_some(commands[at : at + _AT_ONCE])
        return ran

    def _run_some(self, commands: Sequence[tuple[str, Sequence[str]]]) -> list[Ran]:
        children = []
        try:
            for folder, words in commands:
                children.append(self._start([*_GIT, "-C", folder, *words]))
            silent = _read_to_the_end(children, self._patience_s)
        finally:
            for child in children:
                child.end()
        if silent is not None:
            folder, words = commands[silent]
            raise InvalidInputError(
                f"git does not list the files of {folder}",
                why=f"`git {words[0]}` has said nothing for {self._patience_s:.0f} s",
                fix="try `git status` and `git diff` there, or run the job in the live folder: "
                "--in-place",
            )
        return [child.ran() for child in children]

    def _start(self, argv: list[str]) -> _Child:
        out, theirs_out = os.pipe()
        err, theirs_err = os.pipe()
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, theirs_out, 1),
            (os.POSIX_SPAWN_DUP2, theirs_err, 2),
        ]
        try:
            pid = os.posix_spawnp("git", argv, self._environ, file_actions=actions)
        except OSError as error:
            os.close(out)
            os.close(err)
            raise InvalidInputError(
                "the code of this project cannot be listed",
                why=f"it is in git, and git cannot be started: {error.strerror}",
                fix="install git, or run the job in the live folder: --in-place",
            ) from None
        finally:
            os.close(theirs_out)
            os.close(theirs_err)
        return _Child(pid, out, err)


class _Child:
    def __init__(self, pid: int, out: int, err: int) -> None:
        self._pid, self.pipes = pid, {out: bytearray(), err: bytearray()}
        self._open = {out, err}
        self._status = 0

    def read(self, pipe: int) -> bool:
        """Read once; return whether there may be more."""
        piece = os.read(pipe, _PIECE_BYTES)
        self.pipes[pipe] += piece
        if not piece:
            os.close(pipe)
            self._open.discard(pipe)
        return bool(piece)

    def end(self) -> None:
        """Wait for the process to end; kill it if its output was not read to the end."""
        if self._open:
            os.kill(self._pid, signal.SIGKILL)
        for pipe in self._open:
            os.close(pipe)
        _, self._status = os.waitpid(self._pid, 0)

    def ran(self) -> Ran:
        out, err = self.pipes.values()
        return Ran(
            os.waitstatus_to_exitcode(self._status), bytes(out), err.decode(errors="replace")
        )


def _read_to_the_end(children: Sequence[_Child], patience_s: float) -> int | None:
    """Read all output of these processes; return one that hangs, if all are silent for so long."""
    whose = {pipe: child for child in children for pipe in child.pipes}
    poll = select.poll()
    for pipe in whose:
        poll.register(pipe, select.POLLIN)
    while whose:
        ready = poll.poll(patience_s * 1000)
        if not ready:
            return children.index(next(iter(whose.values())))
        for pipe, _ in ready:
            if not whose[pipe].read(pipe):
                poll.unregister(pipe)
                del whose[pipe]
    return None


def said(ran: Ran) -> str:
    """Return in one line why a git command failed."""
    lines = [line.strip() for line in ran.err.splitlines() if line.strip()]
    return lines[0].removeprefix("fatal: ") if lines else f"exit {ran.code}"
