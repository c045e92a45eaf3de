"""An attempt as the worker knows it."""

from __future__ import annotations

from dataclasses import dataclass

from mlq.jobs.needs import COPIES_CODE
from mlq.jobs.request import Request
from mlq.store.replies import Attempt
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.outcomes import History


@dataclass(slots=True)
class LocalAttempt:
    """One attempt that this machine holds.

    Args:
        attempt: job id and attempt number.
        class_name: its job class.
        request: what it holds while it runs.
        gpu_uuids: the GPUs it was given.
        history: the past of its job.
        prefetched: whether it was claimed ahead (`mlq_worker.agent.prefetch`).
        started_s: when it was ordered or adopted, on the worker's clock.
        time_limit_s: seconds after that by which it must end; None if never.
        leader_pid: the pid of its first process, once known.
        stopping: whether it was told to end.
        progress: its latest progress as text, "" if unknown.
        returns: whether it is a Python function, whose value the worker reads from NFS at its end.
        needs: what it needs of its machine, in words (`mlq.jobs.needs`).
        signature: its job's signature, since another job may get its number; "" if unknown.
        start_noted: whether the queue knows that it has lived past its start.
        result: how it ended, to be committed next; None while it has not ended.
    """

    attempt: Attempt
    class_name: str
    request: Request
    gpu_uuids: tuple[str, ...]
    history: History
    prefetched: bool
    started_s: float
    time_limit_s: float | None
    leader_pid: int | None = None
    stopping: bool = False
    progress: str = ""
    returns: bool = False
    needs: str = ""
    signature: str = ""
    start_noted: bool = False
    result: AttemptResult | None = None

    @property
    def copies_code(self) -> bool:
        """Whether its job runs a copy of its code."""
        return COPIES_CODE in self.needs.split()

    @property
    def lacks_value(self) -> bool:
        """Whether it has ended but the worker has yet to read its value."""
        result = self.result
        if result is None or result.exit_code != 0:
            return False
        return self.returns and result.value is None
