"""Prepares what a job needs on disk before it starts: folders, log, code, command and secrets.

Runs in a thread of the launcher, since all of it may hang in NFS. It tells faults of the job (no
such command) from faults of the disk: the user must mend the first; after the second the job goes
back to the queue. `lookup` looks up what a job names.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mlq.files.layout import JobFolder, Layout, write_atomically
from mlq.files.paths import make_private_dirs
from mlq.files.root import LastLook, WrongRootError, pinned
from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.causes import Cause, Kind
from mlq_worker.ipc.values import Order, Outcome
from mlq_worker.launcher import shared_memory
from mlq_worker.launcher.activation import Activation, activation_of
from mlq_worker.launcher.environments import Environments
from mlq_worker.launcher.holder import Holder, last_attempt, whose
from mlq_worker.launcher.lookup import (
    NOT_USABLE,
    Failure,
    check_environment,
    check_folder,
)
from mlq_worker.launcher.script import first_words, place_script
from mlq_worker.launcher.secrets import SecretError, read_secrets
from mlq_worker.launcher.streams import Followed, followed
from mlq_worker.launcher.workspace import Workspaces

# Outcomes of attempts whose folder is not theirs: the launcher must not write there.
FOREIGN: frozenset[Outcome] = frozenset({"reused", "foreign"})
JOB_NUMBER_REUSED = (
    "the queue has forgotten it and gave its number out again; enqueue this one anew"
)
_NOBODY = Holder("", "", "")
_BELIEF_S = 1.0  # hundreds of short jobs may run the same command in it
# A full or broken disk gives other errors.
_FAULTS_OF_ONE_FOLDER = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP)
)
_LOG_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Ready:
    """A job that can be started: its open logs, its command (`argv[0]` is a path), its secrets.

    `logs` are for standard output and standard error. `followed` are files of its user that follow
    them. `shared_memory` holds the inodes that were in /dev/shm before. `variables` are those that
    its conda environment sets where the job does not.
    """

    logs: tuple[int, int]
    argv: list[str]
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    shared_memory: frozenset[int] = frozenset()
    variables: Mapping[str, str] = field(default_factory=dict)
    followed: Followed | None = None


class Preparation:
    """Prepares jobs; may be used by several threads.

    Args:
        layout: where jobs have their folders, and whose root that must be.
        holder: who holds what is prepared here.
        clock: seconds that only run forward.
        last_look: at the root.
        note: writes a line into the machine's log.
    """

    def __init__(
        self,
        layout: Layout,
        holder: Holder = _NOBODY,
        clock: Callable[[], float] = time.monotonic,
        last_look: LastLook | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._environments, self._in_memory = Environments(), shared_memory.Present()
        self._workspaces = Workspaces(note, holder.boot_id)
        self._layout, self._holder, self._last_look = layout, holder, last_look
        self._again: set[AttemptId] = set()
        self._clock = clock
        self._found: dict[tuple[str, ...], tuple[tuple[str, ...], Activation]] = {}
        self._found_at = clock()

    def prepare(self, order: Order) -> Ready | Failure:
        """Make folders, log and code of an attempt, find its command and read its secrets.

        Returns:
            `Ready`, whose log the caller closes, or the `Failure`.
        """
        again = order.attempt in self._again
        self._again.discard(order.attempt)
        try:
            with pinned(self._layout, self._last_look) as root:
                environment = self._environments.record(order.python_env, root)
                note = partial(self._holder.note, environment=environment)
                logs = _open_logs(order, root, note, again=again)
                self._fill(order, root, logs)
        except Failure as failure:
            return failure
        except WrongRootError as error:
            return Failure("storage", None, f"not the queue's results root: {error.strerror}")
        except OSError as error:
            reason = f"cannot write {error.filename or self._layout.root}: {error.strerror}"
            own = _is_of_the_job(error, self._layout)
            cause = Cause(Kind.JOB_FOLDER, order.job_dir) if own else None
            return Failure("storage", None, reason, cause)
        return _with_command(order, logs, self._command, self._secrets, self._in_memory)

    def tidy(self, attempt: AttemptId) -> str:
        """Remove the code of a job that has ended for good; return what went wrong, "" if nothing.

        What the job changed or made stays.
        """
        try:
            with pinned(self._layout, self._last_look) as root:
                self._workspaces.tidy(attempt, root)
        except OSError as error:
            return f"the code of job {attempt.job_id} stays: {error.filename}: {error.strerror}"
        return ""

    def _fill(self, order: Order, root: Layout, logs: tuple[int, int]) -> None:
        try:
            place_script(order, root)
            if order.code is not None:
                self._workspaces.fill(order, root)
        except BaseException:
            close_logs(logs)
            raise

    def expect(self, attempt: AttemptId) -> None:
        """Expect an attempt once more: it was prepared, but too late to start it."""
        self._again.add(attempt)

    def _secrets(self, order: Order) -> dict[str, str]:
        wanted = order.secrets
        if not wanted:
            return {}
        try:
            with pinned(self._layout, self._last_look) as root:
                return read_secrets(root, wanted)
        except SecretError as error:
            raise Failure("unstartable", NOT_USABLE, str(error)) from None

    def _command(self, order: Order) -> tuple[tuple[str, ...], Activation]:
        """Return what the command begins with and its environment's activation.

        It is believed for `_BELIEF_S`, but that of a script, whose place is the job's own.
        """
        now = self._clock()
        if now - self._found_at > _BELIEF_S:
            self._found, self._found_at = {}, now
        found = self._found
        path = order.env.get("PATH", os.defpath)  # it begins with the environment's own folder
        python_env = order.python_env
        name = (order.cwd, path, python_env, order.env.get("CONDA_PREFIX", ""), order.argv[0])
        is_script = order.batch is not None and order.batch.script
        if is_script or name not in found:
            check_folder(order.cwd)
            check_environment(python_env)
            begun = first_words(order), activation_of(order.env)
            if is_script:
                return begun
            found[name] = begun
        return found[name]


def _with_command(
    order: Order,
    logs: tuple[int, int],
    command: Callable[[Order], tuple[tuple[str, ...], Activation]],
    secrets: Callable[[Order], dict[str, str]],
    in_memory: shared_memory.Present,
) -> Ready | Failure:
    try:
        begin, activation = command(order)
        argv = activation.wrapped([*begin, *order.argv[1:]])
        files = followed(order, JobFolder(order.job_dir))
        return Ready(logs, argv, secrets(order), in_memory.inodes(), activation.variables, files)
    except Failure as failure:
        close_logs(logs)
        return failure
    except OSError as error:
        close_logs(logs)
        return _unreadable(error)
    except ValueError as error:  # a NUL byte in a path
        close_logs(logs)
        return Failure("unstartable", NOT_USABLE, f"cannot start: {error}")


def close_logs(logs: tuple[int, int]) -> None:
    """Close the logs of an attempt: one, or two."""
    for log in set(logs):
        os.close(log)


def _open_logs(
    order: Order, root: Layout, note: Callable[[str], None], *, again: bool
) -> tuple[int, int]:
    """Make an attempt's folders and logs below the pinned root; raise Failure if not its own."""
    folder, attempt = root.folder(order.attempt.job_id), order.attempt.number
    is_new = make_private_dirs(folder.path)
    was_edited = not is_new and not again and _was_edited(order, root)
    if is_new or was_edited or not _has_content(folder.job_file):
        # Not flushed: the queue has the same text, and the next attempt finds it lost.
        write_atomically(folder.job_file, order.job_json.encode("utf-8"), flush=False)
    attempt_dir = folder.attempt_dir(attempt)
    for path in (folder.attempts_dir, attempt_dir, folder.checkpoint_dir, folder.output_dir):
        make_private_dirs(path)
    note(attempt_dir)
    if order.batch is None or not order.batch.error:
        log = os.open(folder.log_file(attempt), _LOG_FLAGS, 0o600)
        return log, log
    output = os.open(folder.stdout_file(attempt), _LOG_FLAGS, 0o600)
    try:
        return output, os.open(folder.stderr_file(attempt), _LOG_FLAGS, 0o600)
    except OSError:
        os.close(output)
        raise


def _is_of_the_job(error: OSError, layout: Layout) -> bool:
    """Return whether only this job's folder is at fault: other files can be made beside it."""
    if error.errno not in _FAULTS_OF_ONE_FOLDER:
        return False
    probe = layout.jobs_dir / f".{os.getpid()}-{os.urandom(4).hex()}.tmp"
    try:
        write_atomically(probe, b"probe", flush=False)
        probe.unlink()
    except OSError:
        return False
    return True


def _was_edited(order: Order, root: Layout) -> bool:
    """Make sure that the queue did not forget this number and give it out again.

    Return whether the root has the job as it was before its user edited it.
    """
    folder = root.folder(order.attempt.job_id)
    owner = whose(root, folder, order.job_json)
    if owner == "other":
        reason = f"job {order.attempt.job_id} was another job before: {JOB_NUMBER_REUSED}"
        raise Failure("foreign", None, reason)
    found = last_attempt(root, folder, order.attempt.number)
    if found is not None:
        reason = f"attempt {found.attempt} is in the results root, and the queue forgot it"
        raise Failure("reused", None, reason, found=found)
    return owner == "edited"


def _has_content(path: str) -> bool:
    try:
        return Path(path).stat().st_size > 0
    except FileNotFoundError:
        return False


def _unreadable(error: OSError) -> Failure:
    """Return the failure: the disk's, unless the job got a permission or a name wrong."""
    reason = f"{error.filename}: {error.strerror}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG):
        return Failure("unstartable", NOT_USABLE, reason)
    return Failure("storage", None, reason)
