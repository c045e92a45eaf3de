"""The attempts that this machine holds, as the worker remembers them.

The supervisor is the truth about processes and the queue is the truth about leases; this is the
worker's own memory between the two, rebuilt from both whenever it starts or reconnects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mlq.jobs.placement import RunningAttempt
from mlq.store.replies import Attempt, Renewal
from mlq_worker.agent.attempt_result import AttemptResult, Value, with_value
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.prefetch import Prefetch
from mlq_worker.probes.machine import Promise


@dataclass(slots=True)
class AttemptTable:
    """All attempts that this machine holds, and what it has learned about classes of short jobs."""

    by_key: dict[Attempt, LocalAttempt] = field(default_factory=dict)
    prefetch: Prefetch = field(default_factory=Prefetch)

    def add(self, local: LocalAttempt) -> None:
        """Hold an attempt."""
        self.by_key[local.attempt] = local

    def drop(self, attempts: Iterable[Attempt]) -> None:
        """Stop holding these attempts, except those that still run."""
        for attempt in attempts:
            local = self.by_key.get(attempt)
            if local is not None and local.result is not None:
                del self.by_key[attempt]

    def end(self, result: AttemptResult) -> None:
        """Note how an attempt ended, and how long it took."""
        local = self.by_key.get(result.key)
        if local is not None:
            local.result = result
            self.prefetch.learn(local.class_name, result)

    def set_value(self, attempt: Attempt, value: Value) -> None:
        """Note what a function returned."""
        local = self.by_key.get(attempt)
        if local is not None and local.result is not None:
            local.result = with_value(local.result, value)

    def told(self, figures: Mapping[Attempt, Mapping[str, str]], renewal: Renewal) -> None:
        """Note which figures of which attempts a renewal has told the queue."""
        for attempt in renewal.alive:
            local = self.by_key.get(attempt)
            if local is not None and attempt in figures:
                # What the queue has taken back, it had forgotten.
                known = {} if attempt in renewal.adopted else local.told
                local.told = {**known, **figures[attempt]}

    def request_stops(self, stops: Mapping[Attempt, str], requeues: Mapping[Attempt, str]) -> None:
        """Note which attempts their users want to end or to queue again, and why."""
        for attempt in {*stops, *requeues}:
            local = self.by_key.get(attempt)
            if local is not None:
                stop, wish = stops.get(attempt, ""), requeues.get(attempt, "")
                local.history = replace(local.history, stop=stop, wish=wish)

    def active(self) -> list[LocalAttempt]:
        """Return the attempts that have not ended."""
        return [one for one in self.by_key.values() if one.result is None]

    def ended(self) -> list[LocalAttempt]:
        """Return the attempts whose end can be committed now."""
        return [
            one for one in self.by_key.values() if one.result is not None and not one.lacks_value
        ]

    def lacking_value(self) -> list[LocalAttempt]:
        """Return the attempts that have ended but whose value the worker has yet to read."""
        return [one for one in self.by_key.values() if one.lacks_value]

    def occupying(self) -> list[LocalAttempt]:
        """Return the attempts that hold resources."""
        return self.prefetch.running(self.active())

    def promises(self) -> list[Promise]:
        """Return the resources that the machine has promised."""
        return [
            Promise(
                leader_pids=(one.leader_pid,) if one.leader_pid else (),
                cores=one.request.cores,
                mem_mib=one.request.mem_mib,
                gpu_uuids=one.gpu_uuids,
                vram_mib=one.request.vram_mib,
            )
            for one in self.occupying()
        ]

    def running(self, now_s: float) -> list[RunningAttempt]:
        """Return the running attempts, each with the seconds until it must have ended."""
        return [
            RunningAttempt(
                one.request,
                one.gpu_uuids,
                None
                if one.time_limit_s is None
                else max(0.0, one.started_s + one.time_limit_s - now_s),
            )
            for one in self.occupying()
        ]
