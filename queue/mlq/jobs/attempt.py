"""The name of an attempt, the same in the queue and in every process of a worker.

After a loss the queue gives a job to a machine again, so the id alone does not identify a run; the
id and the attempt's number together do. As JSON it is the pair `["1042", 3]`.
"""

from __future__ import annotations

from typing import NamedTuple


class AttemptId(NamedTuple):
    """A job's id and the attempt's number, counted from 1."""

    job_id: str
    number: int

    def __str__(self) -> str:
        """Return it for people."""
        return f"job {self.job_id} attempt {self.number}"
