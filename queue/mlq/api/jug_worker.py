"""One worker of a jug run, as a job: called by the Python of the worker that runs it.

jug itself runs in the program's own Python (`mlq.jug.in_its_python`), which need not have mlq. Here
is what jug lacks: it removes the locks of attempts that are over, it says that the program is done
only if that is so, and gives its cores back while others do the rest (`mlq.jug.decide`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlq.errors import JobNotFoundError, MlqError
from mlq.jobs.lifecycle import State

AGAIN_S = 20.0
"""How long a worker that found nothing to do leaves its cores to others."""

STOPPED_S = 60.0
"""How long it waits to be stopped, before it looks again."""

LOOK_AGAIN_S = 5.0
_ANSWER_BYTES = 1 << 20


class Program(NamedTuple):
    """A jug program, as `mlq jug` found it.

    Args:
        jugfile: as typed, relative to the job's folder.
        jugdir: absolute; `file_keepalive:` may come first.
        python: the interpreter that has jug.
        options: of `jug execute`, from the user.
        user_args: of the program itself.
        run: which call of `mlq jug` made the job.
    """

    jugfile: str
    jugdir: str
    python: str
    options: list[str]
    user_args: list[str]
    run: str


class Me(NamedTuple):
    """The attempt that this process is, and where it says how far it is."""

    job_id: str
    attempt: int
    progress_file: str


def work(**program: Any) -> dict[str, int]:
    """Work on a jug program until it is complete; return how many tasks it has.

    Args:
        program: the fields of `Program`.

    Raises:
        SystemExit: it is not complete, and nothing more can be done; the log says why.
    """
    _forget_users_paths()
    from mlq.api.queue import Queue

    me = Me(
        os.environ["MLQ_JOB_ID"], int(os.environ["MLQ_ATTEMPT"]), os.environ["MLQ_PROGRESS_FILE"]
    )
    queue = Queue.connect()
    queue.tell = _say
    root = queue.layout.root
    worker = Worker(Program(**program), me, root, _attempts_of(queue), _leave(queue, me), _say)
    return worker.run()


def _forget_users_paths() -> None:
    """Import no module of the program in place of ours: its folders are for its own Python."""
    users = {"", str(Path.cwd()), *os.environ.get("PYTHONPATH", "").split(":")}
    sys.path[:] = [one for one in sys.path if one not in users]


def _say(text: str) -> None:
    sys.stdout.write(f"mlq: {text}\n")
    sys.stdout.flush()


def _attempts_of(queue: Any) -> Callable[[str], tuple[int, bool] | None]:
    """Return what looks up a job's newest attempt, and whether that runs; None without the job."""

    def look(job_id: str) -> tuple[int, bool] | None:
        try:
            (view,) = queue.views([job_id])
        except JobNotFoundError:
            return None
        return view.attempt, view.state == State.STARTED

    return look


def _leave(queue: Any, me: Me) -> Callable[[], None]:
    """Return what has this attempt stopped, and its job queued again after a while."""

    def leave() -> None:
        from mlq.units import utc_iso

        why = "others are at the rest of its tasks"
        due = utc_iso(time.time() + AGAIN_S)
        asked, _ = queue.store.ask_to_requeue([me.job_id], why, AGAIN_S, due)
        if asked:
            time.sleep(STOPPED_S)  # its worker ends this process

    return leave


class Worker:
    """Works on one program.

    Args:
        program: the program.
        me: the attempt that this is.
        root: the results root, where attempts leave notes of their processes.
        newest: looks up a job's newest attempt, and whether it runs; None if there is no such job.
        leave: has this attempt stopped, and its job queued again after a while.
        say: writes a line into the job's log.
    """

    def __init__(
        self,
        program: Program,
        me: Me,
        root: Path,
        newest: Callable[[str], tuple[int, bool] | None],
        leave: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        from mlq.jug.lock_files import notes_dir

        self._program, self._me, self._newest = program, me, newest
        self._leave, self._say = leave, say
        self._notes = notes_dir(root, program.jugdir)
        self._children = 0

    def run(self) -> dict[str, int]:
        """Work until the program is complete; see `work`."""
        from mlq.files.paths import make_private_dirs
        from mlq.jug.decide import decide

        make_private_dirs(self._notes)
        before, now = None, None
        while True:
            locks = self.clear_up()
            now = self._survey()
            next_ = decide(now, locks, before)
            match next_.do:
                case "execute":
                    before = now
                    self._execute()
                case "finish":
                    self._forget_notes()
                    return {"tasks": now.finished}
                case "return_later":
                    self._say(f"{next_.why}; this worker gives its cores back for a while")
                    self._return_later()
                case "fail":
                    self._say(next_.why)
                    sys.exit(1)

    def clear_up(self) -> list[tuple[Any, Any]]:
        """Remove the locks of attempts that are over; return the others, with whose they are."""
        from mlq.jug.lock_files import read_locks, read_notes, remove_lock
        from mlq.jug.locks import judge

        found = read_locks(self._program.jugdir)
        notes = list(read_notes(self._notes, self._say).values()) if found else []
        job = (self._me.job_id, self._me.attempt, self._program.run)
        is_over = self._known_over(notes)
        left = []
        for path, content, lock in found:
            verdict = judge(lock, notes, is_over, job)
            if verdict == "stale" and remove_lock(path, content):
                self._say(f"removed the lock of task {lock.name}: {lock.owner} has ended")
            elif verdict != "stale":
                left.append((lock, verdict))
        return left

    def _known_over(self, notes: Iterable[Any]) -> Callable[[Any], bool]:
        """Return what says whether the process of a note has ended for certain."""
        known: dict[str, tuple[int, bool] | None] = {}
        unknown: set[str] = set()
        for job_id in {one.job_id for one in notes}:
            try:
                known[job_id] = self._newest(job_id)
            except MlqError as error:
                unknown.add(job_id)
                self._say(f"the queue does not say whether job {job_id} runs: {error.what}")

        def is_over(note: Any) -> bool:
            if (note.job_id, note.attempt) == (self._me.job_id, self._me.attempt):
                return True  # a child of this process, which waited for its end
            if note.job_id in unknown:
                return False
            newest = known[note.job_id]
            return newest is None or note.attempt < newest[0] or not newest[1]

        return is_over

    def _survey(self) -> Any:
        from mlq.jug.decide import Survey

        program = self._program
        said = program._asdict() | {"options": []}
        answer = ask(program.python, "survey", said)
        if "error" in answer:
            self._say(f"{program.jugfile} cannot be loaded: {answer['error']}")
            sys.exit(1)
        return Survey.of(answer)

    def _execute(self) -> None:
        """Let jug execute tasks until it finds none; end as it does if it was killed."""
        program, me = self._program, self._me
        self._children += 1
        note = {"job_id": me.job_id, "attempt": me.attempt, "run": program.run}
        file = self._notes / f"{me.job_id}.{me.attempt}.{self._children}.json"
        said = program._asdict() | {
            "note": note,
            "note_file": str(file),
            "progress_file": me.progress_file,
        }
        code = subprocess.run(command(program.python, "execute", said), check=False).returncode
        if code in (0, 1):
            return
        self.clear_up()
        why = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._say(f"jug was ended by {why}")
        sys.exit(128 - code if code < 0 else code)

    def _forget_notes(self) -> None:
        for file in self._notes.glob(f"{self._me.job_id}.*.json"):
            file.unlink(missing_ok=True)

    def _return_later(self) -> None:
        """Give the cores back; if that is not possible now, look again soon."""
        try:
            self._leave()
        except MlqError as error:
            self._say(f"it keeps its cores, since the queue does not answer: {error.what}")
            time.sleep(LOOK_AGAIN_S)


def command(python: str, what: str, said: Mapping[str, Any]) -> list[str]:
    """Return the command that speaks with jug in a program's Python; see `in_its_python`."""
    import mlq.jug

    script = Path(mlq.jug.__file__).parent / "in_its_python.py"
    return [python, str(script), what, json.dumps(said)]


def ask(python: str, what: str, said: Mapping[str, Any], folder: str | None = None) -> Any:
    """Ask jug in a program's Python; return its answer, with `error` if there is none."""
    try:
        asked = subprocess.run(
            command(python, what, said), stdout=subprocess.PIPE, cwd=folder, check=False
        )
    except OSError as error:
        return {"error": f"{python} does not start: {error.strerror}"}
    try:
        answer = json.loads(asked.stdout[:_ANSWER_BYTES])
    except ValueError:
        return {"error": f"{python} ended with exit code {asked.returncode} and no answer"}
    return answer if isinstance(answer, dict) else {"error": f"{python} gave no answer"}
