"""The executor: submitit's functions become jobs of mlq.

A function is pickled where submitit expects it, and the job runs `mlq_submitit.tasks` in the same
folder and Python. A map or a batch is one submission, an array. The state of all jobs is asked for
by one call of `mlq ls --json`.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import typing as tp
import uuid
from pathlib import Path

from submitit.core import core, utils
from submitit.core.job_environment import JobEnvironment

STATES = {
    "queued": "PENDING",
    "deferred": "PENDING",
    "scheduled": "PENDING",
    "started": "RUNNING",
    "finished": "COMPLETED",
    "failed": "FAILED",
    "canceled": "CANCELLED",
}
"""The state of a job, in the words that submitit knows."""

PARAMETERS: tp.Mapping[str, tp.Any] = {
    "name": "submitit",
    "timeout_min": 5,
    "mem_gb": None,
    "nodes": 1,
    "cpus_per_task": 1,
    "gpus_per_node": 0,
    "tasks_per_node": 1,
    "stderr_to_stdout": False,
    "vram": None,
    "machine": "",
    "priority": 0,
    "retries": 0,
    "setup": (),
    "array_parallelism": 256,
    "signal_delay_s": 90,
}
"""The parameters, with their defaults."""

_GENERIC = frozenset(
    ("name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node")
)


class MlqInfoWatcher(core.InfoWatcher):
    """Asks for the state of all jobs that have not ended, at once."""

    def _make_command(self) -> tp.Optional[list[str]]:
        asked = sorted(self._registered - self._finished)
        return ["mlq", "ls", "--json", *asked] if asked else None

    def read_info(self, string: tp.Union[bytes, str]) -> dict[str, dict[str, str]]:
        """Return what `mlq ls --json` said of each job, and its state in submitit's words."""
        return {
            job["id"]: {
                "JobID": job["id"],
                "State": _state(job),
                "NodeList": job.get("machine") or "",
                "Reason": job.get("reason") or "",
            }
            for job in json.loads(string)
        }

    def get_state(self, job_id: str, mode: str = "standard") -> str:
        """Return the state of a job; see `submitit.core.core.InfoWatcher.get_info`."""
        return self.get_info(job_id, mode=mode).get("State") or "UNKNOWN"


def _state(job: tp.Mapping[str, tp.Any]) -> str:
    if job["state"] == "failed" and str(job.get("reason", "")).startswith("timeout"):
        return "TIMEOUT"
    return STATES.get(job["state"], "UNKNOWN")


class MlqJob(core.Job[core.R]):
    """A job of mlq."""

    _cancel_command = "mlq cancel"
    watcher = MlqInfoWatcher(delay_s=60)

    def cancel(self, check: bool = True) -> None:
        """Cancel the job."""
        call = subprocess.check_call if check else subprocess.call
        call(["mlq", "cancel", self.job_id], stdout=subprocess.DEVNULL)

    def _interrupt(self, timeout: bool = False) -> None:  # noqa: ARG002 - as in submitit
        """Have the job checkpointed and queued again, as if its worker were stopped.

        Whether it has run for so long that it counts as timed out is submitit's to decide.
        """
        subprocess.check_call(["mlq", "requeue", self.job_id], stdout=subprocess.DEVNULL)


class MlqExecutor(core.PicklingExecutor):
    """Runs functions as jobs of mlq.

    Args:
        folder: of pickles, results and logs; all machines must see it.
        max_num_timeout: how often a function that can be checkpointed may time out.
        max_pickle_size_gb: a larger function is refused.
        python: the command that starts Python, for a shell; by default the Python of the caller.
    """

    job_class = MlqJob

    def __init__(
        self,
        folder: tp.Union[str, Path],
        max_num_timeout: int = 3,
        max_pickle_size_gb: float = 1.0,
        python: tp.Optional[str] = None,
    ) -> None:
        super().__init__(
            folder, max_num_timeout=max_num_timeout, max_pickle_size_gb=max_pickle_size_gb
        )
        self.python = shlex.quote(sys.executable) if python is None else python
        if self.affinity() <= 0:
            raise RuntimeError(
                "mlq cannot be used here: `mlq` is not in PATH, or `mlq init` was not run"
            )

    @classmethod
    def affinity(cls) -> int:
        """Return 2 if there is a queue, else -1."""
        return 2 if shutil.which("mlq") and _is_set_up(os.environ) else -1

    @classmethod
    def _equivalence_dict(cls) -> tp.Optional[core.EquivalenceDict]:
        return None

    @classmethod
    def _valid_parameters(cls) -> set[str]:
        return set(PARAMETERS)

    def _internal_update_parameters(self, **kwargs: tp.Any) -> None:
        unknown = sorted(set(kwargs) - set(PARAMETERS))
        if unknown:
            known = "\n  - ".join(f"{name} (default: {one!r})" for name, one in PARAMETERS.items())
            raise ValueError(
                f"Unavailable parameter(s): {unknown}\nValid parameters are:\n  - {known}"
            )
        if kwargs.get("nodes", 1) > 1:
            raise ValueError("a job of mlq runs on one machine: use nodes=1 and tasks_per_node")
        for name in ("cpus_per_task", "tasks_per_node"):
            if kwargs.get(name, 1) < 1:
                raise ValueError(f"{name} must be at least 1")
        super()._internal_update_parameters(**kwargs)

    def _internal_process_submissions(
        self, delayed_submissions: list[utils.DelayedSubmission]
    ) -> list[core.Job[tp.Any]]:
        """Enqueue all of them by one call of `mlq enqueue`."""
        folder = utils.JobPaths.get_first_id_independent_folder(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        pickles = [folder / f"{uuid.uuid4().hex}.pkl" for _ in delayed_submissions]
        for submission, path in zip(delayed_submissions, pickles):
            submission.set_timeout(int(self._parameter("timeout_min")), self.max_num_timeout)
            submission.dump(path)
        self._throttle()
        ids = _enqueued(self._command(len(delayed_submissions)))
        if len(ids) != len(pickles):
            raise utils.FailedSubmissionError(
                f"mlq made {len(ids)} jobs of {len(pickles)} functions"
            )
        jobs: list[core.Job[tp.Any]] = []
        for job_id, path in zip(ids, pickles):
            job: core.Job[tp.Any] = self.job_class(self.folder, job_id, range(self._num_tasks()))
            job.paths.folder.mkdir(parents=True, exist_ok=True)
            job.paths.move_temporary_file(path, "submitted_pickle")
            jobs.append(job)
        return jobs

    def _parameter(self, name: str) -> tp.Any:
        return self.parameters.get(name, PARAMETERS[name])

    def _num_tasks(self) -> int:
        return int(self._parameter("tasks_per_node"))

    def _command(self, count: int) -> list[str]:
        """Return the command that enqueues so many functions."""
        get, tasks = self._parameter, self._num_tasks()
        limit_s = round(float(get("timeout_min")) * 60)
        words = ["mlq", "enqueue", "--json", "--in-place", "--name", str(get("name"))]
        words += ["--cores", str(get("cpus_per_task") * tasks), "--time", f"{limit_s}s"]
        words += ["--signal", f"{JobEnvironment.USR_SIG}@{get('signal_delay_s')}"]
        if get("mem_gb") is not None:
            words += ["--mem", f"{max(1, round(get('mem_gb') * 1024))}M"]
        if get("gpus_per_node"):
            words += ["--gpus", str(get("gpus_per_node"))]
        if get("vram") is not None:
            words += ["--vram", str(get("vram"))]
        for name in ("machine", "priority", "retries"):
            if get(name):
                words += [f"--{name}", str(get(name))]
        if count > 1:
            words += ["--array", f"0-{count - 1}%{get('array_parallelism')}"]
        return [*words, "--shell", self._script(tasks)]

    def _script(self, tasks: int) -> str:
        """Return what the job's shell runs."""
        told = ["-u", "-m", "mlq_submitit.tasks", shlex.quote(str(self.folder)), f"--tasks {tasks}"]
        if self._parameter("stderr_to_stdout"):
            told.append("--together")
        # Two submissions of one folder must not be the same array.
        told.append(f"--batch {uuid.uuid4().hex}")
        setup = self._parameter("setup") or ()
        lines = [setup] if isinstance(setup, str) else list(setup)
        return "\n".join([*lines, f"exec {self.python} {' '.join(told)}"])

    # submitit asks for these where it writes a file for each submission, which mlq does not need.

    def _make_submission_file_text(self, command: str, uid: str) -> str:  # noqa: ARG002
        return ""

    def _make_submission_command(self, submission_file_path: Path) -> list[str]:  # noqa: ARG002
        return self._command(1)

    @property
    def _submitit_command_str(self) -> str:
        return self._script(self._num_tasks())

    @staticmethod
    def _get_job_id_from_submission_command(string: tp.Union[bytes, str]) -> str:
        (job,) = json.loads(string)
        return str(job["id"])


def _enqueued(command: tp.Sequence[str]) -> list[str]:
    """Enqueue; return the ids in the order of the array."""
    done = subprocess.run(command, capture_output=True, check=False)
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode != 0:
        raise utils.FailedSubmissionError(said or f"mlq ended with exit code {done.returncode}")
    if said:
        sys.stderr.write(said + "\n")
    return [str(job["id"]) for job in json.loads(done.stdout)]


def _is_set_up(environ: tp.Mapping[str, str]) -> bool:
    """Return whether `mlq init`, `mlq server start` or a setting has said where the queue is."""
    if any(name.startswith("MLQ_") and name != "MLQ_JOB_ID" for name in environ):
        return True
    config = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "/")) / ".config")
    return (Path(config) / "mlq").is_dir()
