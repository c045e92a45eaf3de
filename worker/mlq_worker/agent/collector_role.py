"""What a worker knows of its collector: whom it follows, what it was asked, what it has answered.

What it says is kept until the queue has it. Samples are handed over until they are stored. Attempts
on which the collector has hung twice are left out, with a note; one of which there is more to read
is read again soon, a part at a time, so that nobody else waits for long.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlq.metrics.usage import Sample
from mlq.store.replies import Attempt
from mlq_worker.agent.attempt_result import AttemptResult
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.background import BackgroundReader
from mlq_worker.agent.collecting import SOON_S, Collect, CollectorFacts, Late, wants_last_reading
from mlq_worker.agent.collector_child import SILENT_S, Answer
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.usage_sampler import EVERY_S, UsageSampler
from mlq_worker.collector.protocol import Figures, Wanted
from mlq_worker.probes.machine import MachineReport

log = logging.getLogger(__name__)

STRIKES = 2
_RETRY_S, _LONGEST_RETRY_S = 2.0, 60.0
_BEHIND_S = 1.0
"""When a running attempt is read again of which there is more to read."""

LONGEST_LAST_S, LONGEST_WAIT_S = 120.0, 30.0
"""How long the last reading of an attempt may go on, a part at a time; how long its end waits for
that, while part after part is read."""

_NO_FIGURES = Figures()
_GIVES_UP_S = 600.0
_MOST_LAST, _MOST_SAMPLES = 1000, 100
LEFT_OUT = (
    f"its metrics are not read: twice reading them took longer than {SILENT_S:g} s;"
    " look at the patterns of --metric"
)


@dataclass(slots=True)
class _Ended:
    """An attempt that waits for its last reading: since when, and when its end was seen."""

    wanted: Wanted
    since_s: float
    seen_s: float


class CollectorRole:
    """What a worker knows of its collector, and asks it.

    Args:
        context: this machine.
        wake: called when there is an answer.
    """

    def __init__(self, context: MachineContext, wake: Callable[[], None]) -> None:
        self._port, self._clocks = context.collector, context.clocks
        self._new_reader: Callable[[], BackgroundReader[Answer]] = lambda: context.new_reader(
            "collector", wake
        )
        self._reader: BackgroundReader[Answer] | None = None
        self._every_s = context.settings.metrics_s
        self._sampler = UsageSampler(min(EVERY_S, self._every_s))
        self._read_due_s: dict[Attempt, float] = {}
        self._samples: dict[Attempt, list[Sample]] = {}
        # Of these the samples wait for the next reading: a full disk would be tried without end.
        self._unstored: set[Attempt] = set()
        self._last: dict[Attempt, _Ended] = {}
        self._again: dict[Attempt, tuple[float, float]] = {}  # when, and the pause before that
        self._late: dict[Attempt, Figures] = {}
        self._asked: dict[Attempt, Wanted] = {}
        self._strikes: dict[Attempt, int] = {}
        self._ask_s = 0.0
        self._told = ""

    def facts(self) -> CollectorFacts:
        """Return what `collect` decides from."""
        if self._port is None:
            return CollectorFacts()
        return CollectorFacts(
            self._reader is None or not self._reader.busy,
            self._ask_s,
            dict(self._read_due_s),
            {key: one.since_s for key, one in self._last.items()},
            {key: again_s for key, (again_s, _) in self._again.items()},
            frozenset(
                key
                for key, samples in self._samples.items()
                if samples and key not in self._unstored
            ),
            tuple(self._late.items()),
        )

    def update(self, attempts: AttemptTable, report: MachineReport) -> None:
        """Take the collector's answer and a look at the machine; note which attempts ended."""
        if self._port is None:
            return
        now_s, utc_s = self._clocks.boot_s(), self._clocks.utc_s()
        answer = None if self._reader is None else self._reader.answer()
        if answer is not None:
            self._answered(answer, attempts, now_s)
        active = attempts.active()
        for key, sample in self._sampler.see(report, active, utc_s).items():
            self._keep_sample(key, sample)
        for one in active:
            if one.leader_pid is not None and one.attempt not in self._read_due_s:
                self._read_due_s[one.attempt] = now_s + min(SOON_S, self._every_s)
        for one in attempts.by_key.values():
            if one.result is not None and not one.end_seen:
                one.end_seen = True
                self._ended(one, one.result, now_s, utc_s)
        self._forget(attempts, now_s)

    def ask(self, action: Collect, attempts: AttemptTable) -> None:
        """Let the collector look, in the background."""
        if self._port is None:
            return
        now_s = self._clocks.boot_s()
        wanted = [self._last[key].wanted for key in action.last]
        by_key = attempts.by_key
        wanted += [_wanted(by_key[key], reads=True) for key in action.read if key in by_key]
        wanted += [_wanted(by_key[key], reads=False) for key in action.samples if key in by_key]
        wanted = [self._with_rest(one) for one in wanted]
        for key in action.read:
            self._read_due_s[key] = now_s + self._every_s
        self._asked = {one.key: one for one in wanted}
        self._reader = self._reader or self._new_reader()
        port = self._port
        self._reader.ask(lambda: port.ask(wanted))

    def annotated(self, late: Late) -> None:
        """Note that the queue knows what was found late."""
        for key, _ in late:
            self._late.pop(key, None)

    def _with_rest(self, wanted: Wanted) -> Wanted:
        samples = tuple(self._samples.get(wanted.key, ()))
        if self._is_left_out(wanted.key):
            return wanted._replace(samples=samples, reads=False, notes=(LEFT_OUT,))
        return wanted._replace(samples=samples)

    def _is_left_out(self, key: Attempt) -> bool:
        return self._strikes.get(key, 0) >= STRIKES

    def _keep_sample(self, key: Attempt, sample: Sample) -> None:
        samples = self._samples.setdefault(key, [])
        samples.append(sample)
        del samples[:-_MOST_SAMPLES]

    def _ended(self, one: LocalAttempt, result: AttemptResult, now_s: float, utc_s: float) -> None:
        self._read_due_s.pop(one.attempt, None)
        last = self._sampler.ended(one.attempt, utc_s)
        if last is not None:
            self._keep_sample(one.attempt, last)
        has_reported = bool(one.progress or one.figures.metrics)
        if wants_last_reading(result, has_reported) and len(self._last) < _MOST_LAST:
            wanted = _wanted(one, reads=True)._replace(is_last=True)
            self._last[one.attempt] = _Ended(wanted, now_s, now_s)

    def _answered(self, answer: Answer, attempts: AttemptTable, now_s: float) -> None:
        for found in answer.found:
            wanted = self._asked.get(found.key)
            if wanted is None:
                continue
            if found.trouble:
                self._tell(f"job {found.id}: its metrics cannot be stored: {found.trouble}")
                self._unstored.add(found.key)
            else:
                self._unstored.discard(found.key)
                del self._samples.get(found.key, [])[: len(wanted.samples)]
            is_known = found.figures != _NO_FIGURES
            local = attempts.by_key.get(found.key)
            if local is not None and is_known:
                local.figures = found.figures
            if found.is_behind and self._goes_on(wanted, now_s):
                continue
            if wanted.is_last and (is_known or not found.trouble):
                self._last.pop(found.key, None)
                self._again.pop(found.key, None)
                if local is None and is_known:
                    self._late[found.key] = found.figures
            elif wanted.is_last:
                _, pause_s = self._again.get(found.key, (0.0, _RETRY_S / 2))
                pause_s = min(2 * pause_s, _LONGEST_RETRY_S)
                self._again[found.key] = now_s + pause_s, pause_s
        if answer.blamed is not None:
            self._blame(answer.blamed, answer.fault)
        elif answer.fault:
            self._ask_s = now_s + _RETRY_S
            self._tell(f"jobs are not read for metrics: the collector failed: {answer.fault}")
        elif not any(found.trouble for found in answer.found):
            self._told = ""
        self._asked = {}

    def _goes_on(self, wanted: Wanted, now_s: float) -> bool:
        """Have an attempt read again soon; return False if it has been read for too long."""
        if not wanted.is_last:
            if wanted.key in self._read_due_s and wanted.reads:
                self._read_due_s[wanted.key] = now_s + _BEHIND_S
            return True
        ended = self._last.get(wanted.key)
        if ended is None or now_s - ended.seen_s >= LONGEST_LAST_S:
            return False
        if now_s - ended.seen_s < LONGEST_WAIT_S:
            ended.since_s = now_s
        return True

    def _blame(self, key: Attempt, fault: str) -> None:
        self._strikes[key] = self._strikes.get(key, 0) + 1
        more = "; it is read no more" if self._is_left_out(key) else ""
        log.warning("job %s: reading its metrics failed: %s%s", key[0], fault, more)
        if self._is_left_out(key):
            self._read_due_s[key] = float("inf")

    def _tell(self, trouble: str) -> None:
        if trouble != self._told:
            log.warning("%s", trouble)
        self._told = trouble

    def _forget(self, attempts: AttemptTable, now_s: float) -> None:
        """Forget attempts that are no longer held, but for those that wait for a last reading."""
        known = attempts.by_key
        for key, one in list(self._last.items()):
            if key not in known and now_s - one.seen_s > _GIVES_UP_S:
                del self._last[key]
                self._again.pop(key, None)
        kept: tuple[dict[Attempt, Any], ...] = (self._read_due_s, self._samples, self._strikes)
        for what in kept:
            for key in [key for key in what if key not in known and key not in self._last]:
                del what[key]
        self._unstored.intersection_update(self._samples)
        self._sampler.keep(known)


def _wanted(one: LocalAttempt, *, reads: bool) -> Wanted:
    asks = one.request
    return Wanted(
        *one.attempt,
        one.patterns,
        one.began_s,
        asks.cores,
        asks.mem_mib,
        asks.gpus,
        one.gpu_model,
        reads,
        gpu_mib=one.gpu_mib,
    )
