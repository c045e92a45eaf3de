"""What has to be true on disk before a job can start: its folders, log, command and secrets.

Runs in a thread of the launcher, since all of it may hang in NFS. Faults of the job (no such
command) are told apart from faults of the disk: the first are the user's to mend, after the second
the job goes back to the queue. Commands are looked up here, in the job's own PATH, because only
then can the message name what is missing. What is missing here may be there on another machine, so
such a failure has a cause (`mlq_worker.causes`).
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mlq.layout import Layout, write_atomically
from mlq.paths import make_private_dirs
from mlq.root import WrongRootError, pinned
from mlq_worker.causes import Cause, Kind
from mlq_worker.supervisor.holder import Holder, is_of_another, last_attempt
from mlq_worker.supervisor.messages import Found, Key, Order, Outcome, key_of
from mlq_worker.supervisor.secret_files import SecretError, read_secrets

# Ends of attempts whose folder is not theirs: nothing may be written there.
FOREIGN: frozenset[Outcome] = frozenset({"reused", "foreign"})
JOB_NUMBER_REUSED = (
    "the queue has forgotten it and gave its number out again; enqueue this one anew"
)
_NOBODY = Holder("", "", "")
_NOT_FOUND, _NOT_USABLE = 127, 126  # as shells report them
_BELIEF_S = 1.0  # hundreds of short jobs may run the same command in it
_FIRST_LINE_BYTES = 256  # of a script, as far as the kernel reads it
# A full or broken disk shows itself otherwise.
_FAULTS_OF_ONE_FOLDER = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP)
)
_LOG_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Ready:
    """A job that can be started: its open log, its command (`argv[0]` is a path), its secrets."""

    log: int
    argv: list[str]
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


class Failure(Exception):  # noqa: N818 - as much an answer as an error
    """Why a job cannot be started: the outcome, exit code, reason and cause of its result."""

    def __init__(
        self,
        outcome: Outcome,
        exit_code: int | None,
        reason: str,
        cause: Cause | None = None,
        found: Found | None = None,
    ) -> None:
        super().__init__(reason)
        self.outcome, self.exit_code, self.reason = outcome, exit_code, reason
        self.cause, self.found = cause, found


class Preparation:
    """Prepares jobs; may be used by several threads.

    Args:
        layout: where jobs have their folders, and whose root that must be.
        holder: who holds what is prepared here.
        clock: seconds that only run forward.
    """

    def __init__(
        self,
        layout: Layout,
        holder: Holder = _NOBODY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._layout, self._holder = layout, holder
        self._again: set[Key] = set()
        self._clock = clock
        self._found: dict[tuple[str, str, str], str] = {}
        self._found_at = clock()

    def prepare(self, order: Order) -> Ready | Failure:
        """Makes the folders and the log of an attempt, finds its command and reads its secrets.

        Returns:
            `Ready`, whose log the caller closes, or the `Failure`.
        """
        again = key_of(order) in self._again
        self._again.discard(key_of(order))
        try:
            with pinned(self._layout) as root:
                log = _open_log(order, root, self._holder, again=again)
        except Failure as failure:
            return failure
        except WrongRootError as error:
            return Failure("storage", None, f"not the queue's results root: {error.strerror}")
        except OSError as error:
            reason = f"cannot write {error.filename or self._layout.root}: {error.strerror}"
            own = _is_of_the_job(error, self._layout)
            cause = Cause(Kind.JOB_FOLDER, order["job_dir"]) if own else None
            return Failure("storage", None, reason, cause)
        return _with_command(order, log, self._command, self._secrets)

    def expect(self, key: Key) -> None:
        """Expect an attempt once more: it was prepared, and then it was too late to start it."""
        self._again.add(key)

    def _secrets(self, order: Order) -> dict[str, str]:
        wanted = order.get("secrets", {})
        if not wanted:
            return {}
        try:
            with pinned(self._layout) as root:
                return read_secrets(root, wanted)
        except SecretError as error:
            raise Failure("unstartable", _NOT_USABLE, str(error)) from None

    def _command(self, order: Order) -> str:
        """The path of the command; what was found is believed for `_BELIEF_S`."""
        now = self._clock()
        if now - self._found_at > _BELIEF_S:
            self._found, self._found_at = {}, now
        found = self._found
        path = order["env"].get("PATH", os.defpath)  # it begins with the environment's own folder
        name = (order["cwd"], path, order["argv"][0])
        if name not in found:
            _check_folder(order["cwd"])
            _check_environment(order.get("python_env", ""))
            found[name] = _find(order)
        return found[name]


def _with_command(
    order: Order,
    log: int,
    command: Callable[[Order], str],
    secrets: Callable[[Order], dict[str, str]],
) -> Ready | Failure:
    try:
        return Ready(log, [command(order), *order["argv"][1:]], secrets(order))
    except Failure as failure:
        os.close(log)
        return failure
    except OSError as error:
        os.close(log)
        return _unreadable(error)
    except ValueError as error:  # a NUL byte in a path
        os.close(log)
        return Failure("unstartable", _NOT_USABLE, f"cannot start: {error}")


def _open_log(order: Order, root: Layout, holder: Holder, *, again: bool) -> int:
    """Make what an attempt needs below the pinned root; raises Failure if it is not its own."""
    folder, attempt = root.folder(order["id"]), order["attempt"]
    is_new = _make_job_folder(folder.path)
    if not is_new and not again:
        _check_unused(order, root)
    if is_new or not _has_content(folder.job_file):
        # Not flushed: the queue has the same text, and the next attempt finds it lost.
        write_atomically(folder.job_file, order["job_json"].encode("utf-8"), flush=False)
    attempt_dir = folder.attempt_dir(attempt)
    for path in (folder.attempts_dir, attempt_dir, folder.checkpoint_dir, folder.output_dir):
        make_private_dirs(path)
    holder.note(attempt_dir)
    return os.open(folder.log_file(attempt), _LOG_FLAGS, 0o600)


def _is_of_the_job(error: OSError, layout: Layout) -> bool:
    """Whether only this job's folder is at fault: beside it, others can be made."""
    if error.errno not in _FAULTS_OF_ONE_FOLDER:
        return False
    probe = layout.jobs_dir / f".{os.getpid()}-{os.urandom(4).hex()}.tmp"
    try:
        write_atomically(probe, b"probe", flush=False)
        probe.unlink()
    except OSError:
        return False
    return True


def _check_unused(order: Order, root: Layout) -> None:
    """Make sure that a queue that forgot did not give out anew what the root knows already."""
    folder = root.folder(order["id"])
    if is_of_another(root, folder, order["job_json"]):
        reason = f"job {order['id']} was another job before: {JOB_NUMBER_REUSED}"
        raise Failure("foreign", None, reason)
    found = last_attempt(root, folder, order["attempt"])
    if found is not None:
        reason = f"attempt {found['attempt']} is in the results root, and the queue forgot it"
        raise Failure("reused", None, reason, found=found)


def _make_job_folder(path: str) -> bool:
    """Whether it was not there before."""
    try:
        os.mkdir(path, 0o700)  # noqa: PTH102 - speed
    except FileExistsError:
        return False
    except FileNotFoundError:
        make_private_dirs(path)
    return True


def _has_content(path: str) -> bool:
    try:
        return Path(path).stat().st_size > 0
    except FileNotFoundError:
        return False


def _unreadable(error: OSError) -> Failure:
    """The disk's fault, unless it is about a right or a name that the job got wrong."""
    reason = f"{error.filename}: {error.strerror}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG):
        return Failure("unstartable", _NOT_USABLE, reason)
    return Failure("storage", None, reason)


def _check_folder(cwd: str) -> None:
    try:
        mode = Path(cwd).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(Kind.FOLDER, cwd, f"working directory missing: {cwd}") from None
    if not stat.S_ISDIR(mode):
        raise Failure("unstartable", _NOT_USABLE, f"working directory is a file: {cwd}")
    if not os.access(cwd, os.X_OK):
        raise Failure("unstartable", _NOT_USABLE, f"permission denied: {cwd}")


def _check_environment(path: str) -> None:
    if path and not Path(path).is_dir():
        raise _missing(Kind.ENVIRONMENT, path, f"Python environment missing: {path}")


def _missing(kind: Kind, what: str, reason: str) -> Failure:
    return Failure("unstartable", _NOT_FOUND, reason, Cause(kind, what))


def _find(order: Order) -> str:
    """The path of the command, looked up as execvp(3) does."""
    name = order["argv"][0]
    folders = [""] if "/" in name else order["env"].get("PATH", os.defpath).split(":")
    refused = ""
    for folder in folders:
        path = Path(order["cwd"], folder, name)
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # as the C library does: the next folder may hold it
        if stat.S_ISREG(mode) and os.access(path, os.X_OK):
            _check_interpreter(path)
            return str(path)
        refused = refused or str(path)
    if refused:
        raise Failure("unstartable", _NOT_USABLE, f"permission denied: {refused}")
    raise _missing(Kind.COMMAND, name, f"command not found: {name}")


def _check_interpreter(path: Path) -> None:
    """Refuses a script whose first line names a missing interpreter, or that has no such line."""
    try:
        with path.open("rb", buffering=0) as file:
            start = file.read(_FIRST_LINE_BYTES)
    except PermissionError:
        return  # may be executed and not read: the kernel will tell
    if start.startswith(b"#!"):
        words = start[2:].split(b"\n", 1)[0].split(maxsplit=1)
        interpreter = os.fsdecode(words[0]) if words else ""
        if not Path(interpreter).is_file():
            reason = f"interpreter not found: {interpreter} (first line of {path})"
            raise _missing(Kind.COMMAND, interpreter, reason)
    elif b"\0" not in start:  # text: no binary format has none
        reason = f"not a program: {path} (a script needs a first line such as #!/bin/sh)"
        raise Failure("unstartable", _NOT_USABLE, reason)
