"""Where everything is under the results root, and how small files there are written.

The root is usually NFS, shared by machines that cache it. Two rules make that safe. A small file
appears whole or not at all: it is written under a temporary name, flushed and renamed. And a name
is looked up only after the folder's listing has shown it, because an NFS client remembers for up to
a minute that a name did not exist (measured: 30 to 60 s by name, at once by listing). Reading is in
`mlq.files.strict_files`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlq.errors import InvalidInputError
from mlq.files.paths import checked_machine
from mlq.ids import is_job_id, is_valid_id

# Versions of mlq itself, for all machines, and the link to the one in use; see `mlq deploy`.
SOFTWARE = "software"
CURRENT = "current"


class JobFolder(NamedTuple):
    """The paths of one job as plain strings.

    For code that makes thousands a second: a pathlib path takes 10 us or more to build. `Layout`
    has the same paths as pathlib objects.
    """

    path: str

    @property
    def job_file(self) -> str:
        """The job as submitted."""
        return f"{self.path}/job.json"

    @property
    def checkpoint_dir(self) -> str:
        """The folder of files that the job keeps from attempt to attempt."""
        return f"{self.path}/checkpoint"

    @property
    def output_dir(self) -> str:
        """The folder of the job's output."""
        return f"{self.path}/output"

    @property
    def work_dir(self) -> str:
        """Its copy of the project, in which it runs."""
        return f"{self.path}/work"

    def beside_dir(self, number: int) -> str:
        """Its copy of another project, which its environment has installed editable."""
        return f"{self.path}/code/{number}"

    def script_file(self, name: str) -> str:
        """Return the file of the script that the job runs; alone in its folder, where Python looks.

        Python puts the folder of a script first in the list of folders from which it imports.
        """
        return f"{self.path}/script/{name}"

    @property
    def attempts_dir(self) -> str:
        """The folder of all attempts."""
        return f"{self.path}/attempts"

    def attempt_dir(self, attempt: int) -> str:
        """Return the folder of one attempt."""
        return f"{self.path}/attempts/{attempt}"

    def log_file(self, attempt: int) -> str:
        """Return the file of what the attempt wrote."""
        return f"{self.path}/attempts/{attempt}/output.log"

    def stdout_file(self, attempt: int) -> str:
        """Return the file of standard output alone, for a job whose user wants it apart."""
        return f"{self.path}/attempts/{attempt}/stdout.log"

    def stderr_file(self, attempt: int) -> str:
        """Return the file of standard error alone, for a job whose user wants it apart."""
        return f"{self.path}/attempts/{attempt}/stderr.log"

    def nodes_file(self, attempt: int) -> str:
        """Return the file of PBS_NODEFILE: the machine, a line for each process."""
        return f"{self.path}/attempts/{attempt}/nodes"

    def result_file(self, attempt: int) -> str:
        """Return the file that says how the attempt ended."""
        return f"{self.path}/attempts/{attempt}/result.json"

    def progress_file(self, attempt: int) -> str:
        """Return the file that says how far the attempt is."""
        return f"{self.path}/attempts/{attempt}/progress.jsonl"

    def return_file(self, attempt: int) -> str:
        """Return the file of what a Python function returned."""
        return f"{self.path}/attempts/{attempt}/return.json"

    def metrics_file(self, attempt: int) -> str:
        """Return the file of the attempt's metrics, step by step (`mlq.metrics.series`)."""
        return f"{self.path}/attempts/{attempt}/metrics.jsonl"

    def usage_file(self, attempt: int) -> str:
        """Return the file of what the attempt used, sample by sample."""
        return f"{self.path}/attempts/{attempt}/usage.jsonl"


class Layout(NamedTuple):
    """The paths under a results root; computing them touches no file.

    Args:
        root: the results root, absolute. queue_id: of the queue whose root it must be; "": any
            queue's. See `mlq.files.root.pinned`.
    """

    root: Path
    queue_id: str = ""

    @property
    def queue_file(self) -> Path:
        """The file that says which queue this root belongs to, and the version of its format."""
        return self.root / "queue.json"

    @property
    def workers_dir(self) -> Path:
        """The folder of all beats."""
        return self.root / "workers"

    @property
    def pilots_dir(self) -> Path:
        """The folder of what pilots write."""
        return self.root / "pilots"

    def pilot_log(self, name: str) -> Path:
        """Return the file of what a pilot writes."""
        return self.pilots_dir / f"{name}.log"

    @property
    def jobs_dir(self) -> Path:
        """The folder of all jobs."""
        return self.root / "jobs"

    @property
    def secrets_dir(self) -> Path:
        """The folder of the secrets that jobs are given, a private file each."""
        return self.root / "secrets"

    @property
    def code_dir(self) -> Path:
        """Return the folder of the packs of code, which jobs share (`mlq.code.manifest`)."""
        return self.root / "code"

    def beat_file(self, machine: str) -> Path:
        """Return the heartbeat file of a machine's supervisor."""
        return self.workers_dir / f"{checked_machine(machine)}.beat"

    def folder(self, job_id: str) -> JobFolder:
        """Return the folder of a job, with the paths in it as plain strings.

        Raises:
            InvalidInputError: the id could lead out of the root.
        """
        if not is_valid_id(job_id):
            raise InvalidInputError(f"{job_id!r} cannot be the id of a job")
        place = job_id.replace("_", "/") if is_job_id(job_id) else job_id
        return JobFolder(f"{self.root}/jobs/{place}")  # not jobs_dir: see JobFolder

    def job_dir(self, job_id: str) -> Path:
        """Return the folder of a job: jobs/1042, and jobs/1042/7 for member 7 of sweep 1042.

        Raises:
            InvalidInputError: the id could lead out of the root.
        """
        return Path(self.folder(job_id).path)

    def job_file(self, job_id: str) -> Path:
        """Return the file of the job as submitted."""
        return Path(self.folder(job_id).job_file)

    def checkpoint_dir(self, job_id: str) -> Path:
        """Return the folder of what the job keeps from attempt to attempt."""
        return Path(self.folder(job_id).checkpoint_dir)

    def output_dir(self, job_id: str) -> Path:
        """Return the folder of what the job made, kept from attempt to attempt."""
        return Path(self.folder(job_id).output_dir)

    def attempt_dir(self, job_id: str, attempt: int) -> Path:
        """Return the folder of one attempt; only its supervisor and its processes write there."""
        return Path(self.folder(job_id).attempt_dir(attempt))

    def log_file(self, job_id: str, attempt: int) -> Path:
        """Return the file of what the attempt wrote to standard output and standard error."""
        return Path(self.folder(job_id).log_file(attempt))

    def result_file(self, job_id: str, attempt: int) -> Path:
        """Return the file that says how the attempt ended."""
        return Path(self.folder(job_id).result_file(attempt))

    def progress_file(self, job_id: str, attempt: int) -> Path:
        """Return the file in which the attempt says how far it is."""
        return Path(self.folder(job_id).progress_file(attempt))

    def return_file(self, job_id: str, attempt: int) -> Path:
        """Return the file of what a Python function returned, as JSON."""
        return Path(self.folder(job_id).return_file(attempt))


def write_atomically(
    path: Path | str, data: bytes, mode: int = 0o600, *, flush: bool = True
) -> None:
    """Put a file in place whole: a reader sees the old content or the new.

    Args:
        path: where.
        data: the content.
        mode: the file's mode.
        flush: whether it must survive a power cut, whole. A flush takes longer than everything
            else.

    Raises:
        OSError: it could not be written; the old content remains and nothing is left behind.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")  # noqa: PTH118 - speed
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
            if flush:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)  # noqa: PTH105 - speed
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108 - speed
        raise


_TAIL_BYTES = 4096


def last_line(path: Path, since: int = 0) -> str:
    """Return the last non-empty line of a log; "" if there is none.

    Args:
        path: the log.
        since: its size in bytes at the start of the part of interest.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(since, path.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
