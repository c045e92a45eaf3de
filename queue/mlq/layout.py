"""Where everything lies under the results root, and how small files there are written and read.

The root is usually NFS, shared by machines that cache it. Two rules make that safe. A small file
appears whole or not at all: written beside its place, flushed, renamed. And a name is asked for
only after the folder's listing has shown it, because an NFS client remembers for up to a minute
that a name did not exist (measured: 30 to 60 s by name, at once by listing).
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from mlq.errors import InvalidInputError
from mlq.ids import is_job_id, is_valid_id
from mlq.paths import checked_machine

_READ_TRIES = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths under a results root; none of them is looked at.

    Args:
        root: the results root, absolute.
    """

    root: Path

    @property
    def queue_file(self) -> Path:
        """Which queue this root belongs to, and the version of its format."""
        return self.root / "queue.json"

    @property
    def workers_dir(self) -> Path:
        """The folder of all beats."""
        return self.root / "workers"

    @property
    def jobs_dir(self) -> Path:
        """The folder of all jobs."""
        return self.root / "jobs"

    def beat_file(self, machine: str) -> Path:
        """The heartbeat of a machine's supervisor."""
        return self.workers_dir / f"{checked_machine(machine)}.beat"

    def job_dir(self, job_id: str) -> Path:
        """The folder of a job: jobs/1042, and jobs/1042/7 for member 7 of sweep 1042.

        Raises:
            InvalidInputError: the id could lead out of the root.
        """
        if not is_valid_id(job_id):
            raise InvalidInputError(f"{job_id!r} cannot be the id of a job")
        if is_job_id(job_id):
            return self.jobs_dir.joinpath(*job_id.split("_"))
        return self.jobs_dir / job_id

    def job_file(self, job_id: str) -> Path:
        """The job as submitted."""
        return self.job_dir(job_id) / "job.json"

    def checkpoint_dir(self, job_id: str) -> Path:
        """What the job keeps from attempt to attempt, to go on from."""
        return self.job_dir(job_id) / "checkpoint"

    def output_dir(self, job_id: str) -> Path:
        """What the job made; kept from attempt to attempt."""
        return self.job_dir(job_id) / "output"

    def attempt_dir(self, job_id: str, attempt: int) -> Path:
        """The folder of one attempt; only its supervisor and its processes write there."""
        return self.job_dir(job_id) / "attempts" / str(attempt)

    def log_file(self, job_id: str, attempt: int) -> Path:
        """What the attempt wrote to standard output and standard error."""
        return self.attempt_dir(job_id, attempt) / "output.log"

    def result_file(self, job_id: str, attempt: int) -> Path:
        """How the attempt ended."""
        return self.attempt_dir(job_id, attempt) / "result.json"

    def progress_file(self, job_id: str, attempt: int) -> Path:
        """Lines in which the attempt tells how far it is."""
        return self.attempt_dir(job_id, attempt) / "progress.jsonl"

    def usage_file(self, job_id: str, attempt: int) -> Path:
        """What the attempt used, sample after sample."""
        return self.attempt_dir(job_id, attempt) / "usage.jsonl"

    def return_file(self, job_id: str, attempt: int) -> Path:
        """What a Python function returned, as JSON."""
        return self.attempt_dir(job_id, attempt) / "return.json"

    def code_dir(self, code_hash: str) -> Path:
        """A snapshot of code, shared by the jobs that were submitted with it."""
        if not is_valid_id(code_hash):
            raise InvalidInputError(f"{code_hash!r} cannot be the name of a code snapshot")
        return self.root / "code" / code_hash


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put a file in place whole: whoever reads it sees the old content or the new.

    Raises:
        OSError: it could not be written; the old content stands and nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_listed(path: Path) -> bytes | None:
    """Return the content of a file that others replace, None if it is not there.

    Opening anew each time makes an NFS client ask the server (close-to-open consistency). A file
    that is replaced while it is read shows as ESTALE, or ENOENT between listing and opening; then
    the next look finds its successor.

    Raises:
        OSError: the folder or the file cannot be read.
    """
    for last_try in (False,) * (_READ_TRIES - 1) + (True,):
        try:
            if path.name not in os.listdir(path.parent):  # noqa: PTH208 - names, not paths
                return None
            return path.read_bytes()
        except FileNotFoundError:
            # Of the folder: there is nothing in it. Of the file: renamed since it was listed.
            if last_try:
                return None
        except OSError as error:
            if last_try or error.errno != errno.ESTALE:
                raise
    return None


def make_private_dirs(path: Path) -> None:
    """Make a folder and its missing parents with mode 0700; those that exist stay as they are.

    Raises:
        OSError: it cannot be made.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        if path == path.parent:
            break
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
