"""Runs the tasks of a submitit job: `python -m mlq_submitit.tasks FOLDER --tasks N`.

Each task is a process of `submitit.core._submit`, as submitit's own executors start it. What it
writes goes into submitit's files and into the job's log. Invariants: it ends when all tasks have,
with the worst of their exit codes; and it never handles submitit's signal for preemption, since mlq
tells only processes that handle a signal, and none below one that does.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import types
import typing as tp

from mlq_submitit.environment import RANK, TASKS

KILL_AFTER_S = 30.0
"""How long the other tasks may go on after one has failed."""


def main(argv: tp.Optional[tp.Sequence[str]] = None) -> int:
    """Run the tasks that the arguments ask for."""
    parser = argparse.ArgumentParser(description="run the tasks of a submitit job in mlq")
    parser.add_argument("folder")
    parser.add_argument("--tasks", type=int, default=1)
    parser.add_argument("--together", action="store_true", help="standard error goes to the output")
    parser.add_argument("--batch", default="", help="which submission this is")
    args = parser.parse_args(argv)
    tasks = Tasks(args.folder, args.tasks, together=args.together)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tasks.pass_on)
    return tasks.run()


class Tasks:
    """The tasks of one job.

    Args:
        folder: submitit's, in which `%j` stands for the job's id.
        number: how many tasks.
        together: whether standard error goes into the file of the output.
    """

    def __init__(self, folder: str, number: int, *, together: bool) -> None:
        self._folder, self._number, self._together = folder, number, together
        self._copying: list[threading.Thread] = []
        self._running: list[subprocess.Popen[bytes]] = []

    def pass_on(self, number: int, _frame: tp.Optional[types.FrameType]) -> None:
        """Send the tasks a signal that this process was sent; it ends when they have."""
        for task in self._running:
            task.send_signal(number)

    def run(self) -> int:
        """Run all tasks until they have ended; return the worst exit code."""
        tasks = self._running
        for rank in range(self._number):
            tasks.append(self._start(rank))
        codes = [_code(task.wait()) for task in tasks] if self._number == 1 else self._wait(tasks)
        for thread in self._copying:
            thread.join()
        return max(codes)

    def _wait(self, tasks: tp.Sequence[subprocess.Popen[bytes]]) -> list[int]:
        """Wait for all; once one has failed, the others would wait for it for ever."""
        ended = threading.Condition()
        codes: dict[int, int] = {}

        def watch(rank: int) -> None:
            code = _code(tasks[rank].wait())
            with ended:
                codes[rank] = code
                ended.notify()

        for rank in range(len(tasks)):
            threading.Thread(target=watch, args=(rank,), daemon=True).start()
        with ended:
            ended.wait_for(lambda: len(codes) == len(tasks) or any(codes.values()))
            if not ended.wait_for(lambda: len(codes) == len(tasks), KILL_AFTER_S):
                for rank, task in enumerate(tasks):
                    if rank not in codes:
                        task.kill()
                ended.wait_for(lambda: len(codes) == len(tasks))
        return list(codes.values())

    def _start(self, rank: int) -> subprocess.Popen[bytes]:
        from submitit.core.utils import JobPaths

        paths = JobPaths(self._folder, job_id=os.environ["MLQ_JOB_ID"], task_id=rank)
        paths.folder.mkdir(parents=True, exist_ok=True)
        env = dict(os.environ, SUBMITIT_EXECUTOR="mlq")
        env.update({TASKS: str(self._number), RANK: str(rank)})
        task = subprocess.Popen(  # pylint: disable=consider-using-with
            [sys.executable, "-u", "-m", "submitit.core._submit", self._folder],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if self._together else subprocess.PIPE,
        )
        self._copy(task.stdout, paths.stdout, 1)
        if not self._together:
            self._copy(task.stderr, paths.stderr, 2)
        return task

    def _copy(self, pipe: tp.Optional[tp.IO[bytes]], path: tp.Any, log: int) -> None:
        """Copy what a task writes into submitit's file and into the job's log, in a thread."""
        assert pipe is not None
        thread = threading.Thread(target=copy, args=(pipe, path, log))
        thread.start()
        self._copying.append(thread)


def copy(pipe: tp.IO[bytes], path: tp.Any, log: int) -> None:
    """Copy a pipe to its end; a file that cannot be written must not stop the task."""
    faulty: set[int] = set()
    try:
        file = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        file = -1
        faulty.add(file)
        os.write(log, f"mlq: {path} cannot be written: {error.strerror}\n".encode())
    while True:
        data = os.read(pipe.fileno(), 1 << 16)
        if not data:
            break
        for target in (file, log):
            if target not in faulty and not _written(target, data):
                faulty.add(target)
    if file >= 0:
        os.close(file)


def _written(target: int, data: bytes) -> bool:
    try:
        while data:
            data = data[os.write(target, data) :]
    except OSError:
        return False
    return True


def _code(status: int) -> int:
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
