"""An attempt as the worker knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlq.jobs.needs import COPIES_CODE
from mlq.jobs.request import Request
from mlq.store.replies import Attempt
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.history import History
from mlq_worker.collector.protocol import Figures

RESTRAINT = "mlq_restraint"
_NO_FIGURES = Figures()


def fields_of(figures: Figures) -> dict[str, str]:
    """Return figures as a job's hash has them, without the share and the notes."""
    return {
        "mlq_advance": figures.advance.text,
        "mlq_metrics": figures.metrics,
        "mlq_used": figures.used,
    }


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
        signaled: which signal of its user its supervisor obeyed last; 0 for none that is known.
        progress: its latest progress as text, "" if unknown.
        returns: whether it is a Python function, whose value the worker reads from NFS at its end.
        needs: what it needs of its machine, in words (`mlq.jobs.needs`).
        signature: its job's signature, since another job may get its number; "" if unknown.
        params: the digest of its parameters (`mlq.jobs.past`); "" if unknown.
        start_noted: whether the queue knows that it has lived past its start.
        patterns: the metrics that its user wants from its log: name, regular expression.
        began_s: when it started, unix time; 0 if it has not, or that is not known.
        adopted: whether an earlier worker started it.
        gpu_model: what its GPUs are called; "" without one.
        gpu_mib: the memory that each of them has, the least; 0 if unknown.
        restraint: how it is held back, as its job's hash has it; "": it is not; None: the
            supervisor has not said.
        figures: what the collector found of it.
        told: which of its figures the queue knows, by field of the job's hash.
        end_seen: whether `mlq_worker.agent.collecting` has taken note of its end.
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
    signaled: int = 0
    progress: str = ""
    returns: bool = False
    needs: str = ""
    signature: str = ""
    params: str = ""
    start_noted: bool = False
    patterns: tuple[tuple[str, str], ...] = ()
    began_s: float = 0.0
    adopted: bool = False
    gpu_model: str = ""
    gpu_mib: int = 0
    restraint: str | None = None
    figures: Figures = _NO_FIGURES
    told: Mapping[str, str] = field(default_factory=dict)
    end_seen: bool = False
    result: AttemptResult | None = None

    @property
    def copies_code(self) -> bool:
        """Whether its job runs a copy of its code."""
        return COPIES_CODE in self.needs.split()

    @property
    def share(self) -> str:
        """How far it is, from 0 to 1 as text; "" if unknown. What it reports itself comes first."""
        share = self.figures.advance.share
        return self.progress or ("" if share is None else repr(share))

    @property
    def untold(self) -> dict[str, str]:
        """The figures that the queue does not know yet, by field of the job's hash."""
        known = {
            **fields_of(self.figures),
            "mlq_notes": "\n".join(self.figures.notes),
            RESTRAINT: self.restraint or "",
        }
        if self.signaled:
            known["mlq_signaled"] = str(self.signaled)
        found = {name: text for name, text in known.items() if text != self.told.get(name, "")}
        if self.adopted and self.restraint is not None and RESTRAINT not in self.told:
            found[RESTRAINT] = self.restraint  # an earlier worker may have said something else
        return found

    @property
    def lacks_value(self) -> bool:
        """Whether it has ended but the worker has yet to read its value."""
        result = self.result
        if result is None or result.exit_code != 0:
            return False
        return self.returns and result.value is None
