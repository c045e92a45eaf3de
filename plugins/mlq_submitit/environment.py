"""How a function that submitit runs in a job of mlq finds out where it is, and is queued again."""

from __future__ import annotations

import os
import subprocess
import typing as tp
from pathlib import Path

from submitit.core import job_environment, logger

TASKS, RANK = "SUBMITIT_MLQ_NTASKS", "SUBMITIT_MLQ_RANK"


class MlqJobEnvironment(job_environment.JobEnvironment):
    """A job of mlq; all its tasks run on one machine."""

    _env: tp.ClassVar[dict[str, str]] = {
        "job_id": "MLQ_JOB_ID",
        "num_tasks": TASKS,
        "num_nodes": "SUBMITIT_MLQ_NNODES",
        "node": "SUBMITIT_MLQ_NODEID",
        "global_rank": RANK,
        "local_rank": RANK,
    }

    def _requeue(self, countdown: int) -> None:
        """Ask for the job to be queued again; the queue need not be in reach for that."""
        wish = os.environ.get("MLQ_REQUEUE_FILE")
        if wish:
            Path(wish).touch()
        else:
            subprocess.check_call(["mlq", "requeue", self.job_id], timeout=60)
        logger.get_logger().info(f"Requeued job {self.job_id} ({countdown} remaining timeouts)")
