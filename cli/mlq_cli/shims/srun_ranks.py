"""Starts the ranks of a step, passes signals on to them, and waits for them.

A rank is a process group of its own. Its output goes where that of `srun` goes, with nothing in
between, unless files or labels are wanted. Invariants: each signal reaches each process of a rank
at most once; `srun` ends after its ranks, and its exit code is the highest of theirs.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.scripts.patterns import fill
from mlq_cli.shims.srun_plan import Plan
from mlq_cli.shims.srun_signals import CAUGHT, Delivery

KILL_WAIT_S = 30
"""From SIGTERM to SIGKILL if one rank has failed and all are to end: Slurm's default."""
FOLDER_WAIT_S, _LOOK_S = 3.0, 0.05
"""For how long the folder of a file of output may be missing."""
_NOT_STARTED = 2  # the exit code of a rank whose program cannot be executed
_RESET = (signal.SIGPIPE, signal.SIGXFSZ)  # which Python ignores


class Wires(NamedTuple):
    """What a rank reads and writes: actions of posix_spawn(3), and what is ours to close then."""

    actions: list[tuple[int, int, int]]
    close: list[int]


class Step:
    """The ranks of one `srun` while they run.

    Args:
        what: the step.
    """

    def __init__(self, what: Plan) -> None:
        self._plan = what
        self._ranks: dict[int, int] = {}
        self._worst = 0
        self._opened: dict[str, int] = {}
        self._to_label: list[tuple[int, bytes, int]] = []
        self._pumps: list[threading.Thread] = []
        self._labels = threading.Lock()
        self._delivery = Delivery()

    def run(self) -> int:
        """Start all ranks, wait for them, and return the exit code.

        Raises:
            InvalidInputError: a file cannot be used.
        """
        if self._plan.folder:
            try:
                os.chdir(self._plan.folder)
            except OSError as error:
                raise _unusable(self._plan.folder, error) from None
        inputs: list[int] = []
        wired = [self._wired(rank, inputs) for rank in range(self._plan.tasks)]
        # Signals wait until all ranks are there, so that each gets them; and no thread but this
        # one may take them, or it would go on waiting for a rank.
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
        try:
            self._start(wired, previous)
            for source, label, number in self._to_label:
                pump = threading.Thread(
                    target=self._pump, args=(source, label, number), daemon=True
                )
                pump.start()
                self._pumps.append(pump)
            if inputs:
                threading.Thread(target=_feed, args=(inputs,), daemon=True).start()
            self._delivery.catch()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)
        self._wait()
        self._delivery.wait_for_the_rest()
        for pump in self._pumps:
            pump.join(1.0)  # a process that a rank left behind may hold its output open
        return self._worst

    def _wired(self, rank: int, inputs: list[int]) -> Wires:
        """Open what a rank reads and writes; add the pipe that must be fed, if it has one."""
        wires = Wires([], [])
        self._wire_input(rank, inputs, wires)
        self._wire_outputs(rank, wires)
        return wires

    def _start(self, wired: Sequence[Wires], mask: Iterable[int]) -> None:
        path = _found(self._plan.command[0], self._plan.env.get("PATH", os.defpath))
        for rank, (actions, close) in enumerate(wired):
            env = {**self._plan.env, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
            if self._plan.gpus:
                env["CUDA_VISIBLE_DEVICES"] = self._plan.gpus[rank]
            try:
                pid = os.posix_spawn(
                    path,
                    self._plan.command,
                    env,
                    file_actions=actions,
                    setpgroup=0,
                    setsigmask=mask,
                    setsigdef=_RESET,
                )
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", None) or str(error)
                self._say(f"execve(): {self._plan.command[0]}: {why}")
                self._ended(rank, _NOT_STARTED, "")
            else:
                self._ranks[pid] = rank
                self._delivery.ranks.append(pid)
            for one in close:
                os.close(one)

    def _wire_input(self, rank: int, inputs: list[int], wires: Wires) -> None:
        name = self._plan.files[0]
        if name and name != "all" and not name.isdecimal():
            path = os.devnull if name == "none" else self._filled(name, rank)
            try:
                file = os.open(path, os.O_RDONLY)
            except OSError as error:
                raise _unusable(path, error) from None
        elif name.isdecimal() and int(name) != rank:
            file = os.open(os.devnull, os.O_RDONLY)
        elif self._plan.tasks == 1 or name.isdecimal() or _is_null(0):
            return  # the rank has srun's own
        else:
            file, feed = os.pipe2(os.O_CLOEXEC)
            inputs.append(feed)
        wires.close.append(file)
        wires.actions.append((os.POSIX_SPAWN_DUP2, file, 0))

    def _wire_outputs(self, rank: int, wires: Wires) -> None:
        output, error = self._plan.files[1], self._plan.files[2]
        for number, name in ((1, output), (2, error or output)):
            if name == "none" or (name.isdecimal() and int(name) != rank):
                file = self._open(os.devnull)
            elif not name or name == "all" or name.isdecimal():
                if not self._plan.is_labelled:
                    continue
                ours, file = os.pipe2(os.O_CLOEXEC)
                wires.close.append(file)
                width = len(str(self._plan.tasks - 1))
                self._to_label.append((ours, f"{rank:>{width}}: ".encode(), number))
            else:
                file = self._open(self._filled(name, rank))
            wires.actions.append((os.POSIX_SPAWN_DUP2, file, number))

    def _filled(self, name: str, rank: int) -> str:
        return fill(name, self._plan.names._replace(rank=rank))

    def _open(self, path: str) -> int:
        """Open a file of output once, also if several ranks write into it."""
        if path not in self._opened:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            flags |= 0 if self._plan.appends else os.O_TRUNC
            try:
                self._opened[path] = _opened(path, flags)
            except OSError as error:
                raise _unusable(path, error) from None
        return self._opened[path]

    def _pump(self, source: int, label: bytes, number: int) -> None:
        rest = b""
        while piece := os.read(source, 1 << 16):
            *lines, rest = (rest + piece).split(b"\n")
            self._write(number, b"".join(label + line + b"\n" for line in lines))
        if rest:
            self._write(number, label + rest + b"\n")
        os.close(source)

    def _write(self, number: int, data: bytes) -> None:
        with self._labels, suppress(OSError):
            while data:
                data = data[os.write(number, data) :]

    def _wait(self) -> None:
        while self._ranks:
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                return
            rank = self._ranks.pop(pid, None)
            if rank is None:
                continue
            self._delivery.gone(pid)
            code = os.waitstatus_to_exitcode(status)
            how = f"Exited with exit code {code}" if code >= 0 else _description(-code)
            self._ended(rank, code if code >= 0 else 128 - code, how)

    def _ended(self, rank: int, code: int, how: str) -> None:
        self._worst = max(self._worst, code)
        if not code:
            return
        if how and not self._plan.is_quiet:
            self._say(f"{self._plan.names.node}: task {rank}: {how}")
        if self._plan.kills and self._ranks:
            self._delivery.end_all(KILL_WAIT_S)

    def _say(self, what: str) -> None:
        with suppress(OSError):
            os.write(2, f"srun: error: {what}\n".encode(errors="surrogateescape"))


def _found(name: str, path: str) -> str:
    if "/" in name:
        return name
    for folder in path.split(":"):
        found = f"{folder or '.'}/{name}"
        if os.access(found, os.X_OK) and not os.path.isdir(found):  # noqa: PTH112 - speed
            return found
    return ""  # which the kernel does not find, either


def _opened(path: str, flags: int) -> int:
    """Open a file; wait a while for its folder.

    submitit makes the folder only after it knows the job's id, and by then the job may run.
    """
    until_s = time.monotonic() + FOLDER_WAIT_S
    while True:
        try:
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            if time.monotonic() > until_s:
                raise
            time.sleep(_LOOK_S)


def _is_null(number: int) -> bool:
    try:
        return os.fstat(number).st_rdev == os.stat(os.devnull).st_rdev  # noqa: PTH116 - speed
    except OSError:
        return True


def _feed(inputs: list[int]) -> None:
    """Give each rank all of our standard input."""
    with suppress(OSError):
        while piece := os.read(0, 1 << 16):
            for one in list(inputs):
                try:
                    rest = piece
                    while rest:
                        rest = rest[os.write(one, rest) :]
                except OSError:
                    inputs.remove(one)  # the rank reads no more
                    os.close(one)
    for one in inputs:
        os.close(one)


def _description(number: int) -> str:
    return signal.strsignal(number) or f"signal {number}"


def _unusable(path: str, error: OSError) -> InvalidInputError:
    why = error.strerror or str(error)
    return InvalidInputError(f"{path} cannot be used", why=why)
