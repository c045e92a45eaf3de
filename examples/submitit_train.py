"""Two functions on mlq by submitit; if a worker is stopped they go on elsewhere, from their epoch.

pip install submitit ./plugins
python examples/submitit_train.py
"""

from __future__ import annotations

import time

import submitit


class Train(submitit.helpers.Checkpointable):
    """Counts epochs; submitit pickles it when the job is stopped."""

    def __init__(self) -> None:
        self.epoch = 0

    def __call__(self, lr: float) -> float:
        """Train, or go on training; return a score."""
        while self.epoch < 8:
            time.sleep(1)
            self.epoch += 1
            print(f"lr {lr}: epoch {self.epoch}", flush=True)
        return lr * self.epoch


def main() -> None:
    executor = submitit.AutoExecutor("logs", cluster="mlq")
    executor.update_parameters(timeout_min=120, mem_gb=0.2, name="train", mlq_priority=1)
    jobs = executor.map_array(Train(), [0.1, 0.01])
    print([job.job_id for job in jobs])
    print([job.result() for job in jobs])


if __name__ == "__main__":
    main()
