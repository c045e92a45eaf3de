"""The connection to the supervisor, and what the supervisor holds for this worker.

Every message of the supervisor's protocol that a worker sends or receives passes through here. If
the connection breaks, the supervisor is gone, and so are its jobs: the worker holds nothing any
more, and finds as orphans what the queue still believes to be here.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from mlq.errors import SupervisorError
from mlq.jobs.attempt import AttemptId
from mlq.jobs.needs import COPIES_CODE, RUNS_SCRIPTS
from mlq.jobs.placement import Offer
from mlq.jobs.restraint import Restraint
from mlq.store.replies import Attempt, Renewal, SentSignal
from mlq.units import format_duration, format_mib
from mlq_worker.agent.admission import Admitted, began_s
from mlq_worker.agent.attempt_result import AttemptResult, heard_result
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.supervisor_client import SupervisorLink
from mlq_worker.ipc.causes import Kind
from mlq_worker.ipc.messages import (
    BATCH,
    CODE,
    FEATURES,
    GUEST,
    SIGNALS,
    Confirm,
    Forget,
    GuestNews,
    Manners,
    Shutdown,
    Signal,
    Start,
    Stop,
    WorkerMessage,
    attempt_ids,
)
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.ipc.values import Outcome

log = logging.getLogger(__name__)

_FAULT_PAUSE_BEATS = 3
_WORDS = {CODE: COPIES_CODE, BATCH: RUNS_SCRIPTS}
_END_S = 10.0  # the worker's own end kills it anyway
OLD_SUPERVISOR = "its supervisor is of an older mlq, and goes when its jobs have ended"


class SupervisorSession:
    """What the supervisor holds.

    Args:
        context: this machine.
    """

    def __init__(self, context: MachineContext) -> None:
        self._context = context
        self.attempts = AttemptTable()
        self.link: SupervisorLink | None = None
        self.supervisor_id = ""
        self._contact: Mapping[str, Any] = {}
        self.guest = GuestNews()
        self.has_news = False
        """Whether the queue does not know yet how jobs are held back here."""
        self._fault = ("", 0.0)
        self._unsendable: set[tuple[str, int]] = set()

    def adopt(self, link: SupervisorLink, attempts: Iterable[LocalAttempt]) -> None:
        """Take over a supervisor and the attempts that it held before this worker came."""
        self.attempts = AttemptTable()
        for local in attempts:
            self.attempts.add(local)
        self.attempts.prefetch.restore_widths(self.attempts.active())
        self.supervisor_id = link.hello["supervisor_id"]
        self.link = link
        self.guest = GuestNews()
        if GUEST in link.hello.get("features", ()):
            self._send(Manners(self._context.rules.as_json()))

    def hear(self) -> None:
        """Process the messages that the supervisor has sent."""
        if self.link is None:
            return
        try:
            for message in self.link.receive():
                self._heard(message)
        except SupervisorError as error:
            log.warning("%s", error)
            self.link.close()
            self.link = None
            self.attempts = AttemptTable()

    def start(self, admitted: Admitted, claimed_s: float) -> None:
        """Hold attempts that were claimed at `claimed_s` on the worker's clock, and order them."""
        for local in admitted.attempts:
            self.attempts.add(local)
        if admitted.width is not None:
            self.attempts.prefetch.set_width(admitted.attempts[0].class_name, admitted.width)
        self._send(Start(admitted.orders, claimed_s))

    def confirm(self, renewal: Renewal, sent_s: float) -> None:
        """Pass on the result of a renewal sent at `sent_s`."""
        alive, lost = attempt_ids(renewal.alive), attempt_ids(renewal.lost)
        self._send(Confirm(sent_s, alive, lost, displaced=renewal.holder is not None))
        if self._is_to_be_replaced:
            self._send(Shutdown())

    def stop(
        self,
        attempts: Iterable[Attempt],
        outcome: Outcome,
        reason: str,
        shortage: Shortage | None = None,
    ) -> None:
        """Tell the supervisor to end attempts; it reports their ends like any other."""
        for job_id, number in attempts:
            self.attempts.by_key[job_id, number].stopping = True
            self._send(Stop(AttemptId(job_id, number), outcome, reason, shortage))

    def signal(self, signals: Iterable[SentSignal]) -> None:
        """Pass signals of users on; the supervisor says which of them it obeyed, now or before."""
        for one in signals:
            if SIGNALS not in self._lacking:
                attempt = AttemptId(one.id, one.attempt)
                self._send(Signal(attempt, one.sequence, one.number, one.whom))
            elif (one.id, one.sequence) not in self._unsendable:
                self._unsendable.add((one.id, one.sequence))
                log.warning("job %s gets no signal %d: %s", one.id, one.number, OLD_SUPERVISOR)

    def forget(self, attempts: Sequence[Attempt], over: Collection[Attempt] = ()) -> None:
        """Drop attempts whose end is committed; the jobs of those in `over` ended for good."""
        self.attempts.drop(attempts)
        self._send(Forget(attempt_ids(attempts), frozenset(attempt_ids(over))))

    def hang_up(self) -> None:
        """Close the connection; a supervisor that holds nothing then ends."""
        if self.link is not None:
            if not self.attempts.by_key:
                self._send(Shutdown())
            self.link.close()

    def wait_for_end(self) -> None:
        """Wait for the end of a supervisor that is the worker's child, after hanging up."""
        child = None if self.link is None else self.link.child
        if child is not None:
            with suppress(subprocess.TimeoutExpired):
                child.wait(_END_S)

    @property
    def unable(self) -> frozenset[str]:
        """The words (`mlq.jobs.needs`) of what the supervisor cannot do."""
        return frozenset(word for name, word in _WORDS.items() if name in self._lacking)

    @property
    def _lacking(self) -> frozenset[str]:
        if self.link is None:
            return frozenset()
        return frozenset(FEATURES).difference(self.link.hello.get("features", ()))

    @property
    def _is_to_be_replaced(self) -> bool:
        return bool(self._lacking) and not self.attempts.by_key

    def obstacle(self, now_s: float) -> str:
        """Return why the worker must take no jobs now; "" if it may."""
        reason, until_s = self._fault
        if now_s < until_s:
            return reason
        if self._is_to_be_replaced:
            return OLD_SUPERVISOR
        if self._contact.get("wrong_root"):
            return self.unwell()
        if self.guest.closed:
            return self.guest.closed
        # A job cannot begin without NFS; it would wait here while it could begin elsewhere.
        return self.unwell() if self._nfs_silence_s() > self._context.settings.lease_s else ""

    def _nfs_silence_s(self) -> float:
        return float(self._contact.get("nfs_silence_s", 0.0))

    def unwell(self) -> str:
        """Return what is wrong but not fatal, in words; "" if nothing is."""
        return "; ".join(one for one in (self._context.link_trouble(), self._isolated()) if one)

    def _isolated(self) -> str:
        wrong = self._contact.get("wrong_root")
        if wrong:
            paused = "jobs paused; " if self._contact.get("paused") else ""
            return f"{paused}not the queue's results root: {wrong}"
        silence_s = self._nfs_silence_s()
        if self._contact.get("paused"):
            return "jobs paused: no contact with the queue or with NFS"
        if silence_s > 2 * self._context.settings.beat_s:
            why = self._contact.get("nfs_error") or "no answer"
            return f"NFS not answering for {format_duration(silence_s)}: {why}"
        return ""

    def summary(self, offer: Offer) -> str:
        """Return in one line what this machine offers and holds."""
        parts = [_count(offer.total_cores, "core"), format_mib(offer.total_mem_mib)]
        if offer.gpus:
            parts.append(_count(len(offer.gpus), "GPU"))
        held = _count(len(self.attempts.active()), "job")
        return f"{offer.machine}: {', '.join(parts)}; {held} held"

    def _restrained(self, news: GuestNews) -> None:
        held_back = {
            one.attempt: Restraint(one.paused_by, one.words, one.cores_now).text
            for one in news.restrained
        }
        for attempt, local in self.attempts.by_key.items():
            local.restraint = held_back.get(AttemptId(*attempt), "")
        self.has_news = self.has_news or _is_worth_telling(self.guest, news)
        self.guest = news

    def _send(self, message: WorkerMessage) -> None:
        if self.link is not None:
            self.link.send(message.to_json())

    def _heard(self, message: Mapping[str, Any]) -> None:
        match message["event"]:
            case "started":
                for started in message["attempts"]:
                    local = self.attempts.by_key.get((started["id"], started["attempt"]))
                    if local is not None:
                        local.leader_pid = started["pid"]
                        local.began_s = began_s(started.get("started_at"))
            case "signaled":
                for job_id, number, sequence in message["signals"]:
                    local = self.attempts.by_key.get((job_id, number))
                    if local is not None:
                        local.signaled = max(local.signaled, sequence)
            case "ended":
                for raw in message["results"]:
                    now_s = self._context.clocks.utc_s()
                    result = heard_result(raw, self._context.machine, now_s)
                    self.attempts.end(result)
                    if fault := _fault_of_machine(result):
                        pause_s = _FAULT_PAUSE_BEATS * self._context.settings.beat_s
                        self._fault = (fault, self._context.clocks.boot_s() + pause_s)
            case "contact":
                self._contact = message
            case "guest":
                self._restrained(GuestNews.from_json(message))


def _fault_of_machine(result: AttemptResult) -> str:
    """Return for what fault of this machine no job can begin here now; "" if there is none."""
    if result.outcome == "storage" and not result.cause.kind:
        return f"results root fails: {result.reason}"
    if result.outcome == "released" and result.cause.kind is Kind.MACHINE:
        return result.reason.removeprefix("handed back: ")
    return ""


def _is_worth_telling(before: GuestNews, now: GuestNews) -> bool:
    return (before.closed, before.restrained) != (now.closed, now.restrained)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
