"""The dead-man's clock: how long an attempt may run on what is known of its two channels.

Pure: every time is an argument. The reaper declares an attempt dead when its Redis lease has
expired AND the machine's beat on NFS has not changed for `dead_s`. Either channel alone therefore
protects an attempt: a renewal for `lease_s` from the moment it was sent, a beat for `dead_s` from
the moment its writing began. Both count from before the other side can have seen them, so no two
machines' clocks are compared; what is left of each span is the margin for the time the reaper's
verdict, and the pausing here, take.

Invariant: while `may_run`, no reaper can have declared the attempt dead. For a beat to protect
again after a silence, the silence must have been too short for that verdict; otherwise only Redis
can tell whether the attempt is still ours, and the attempt stays paused until it does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class LivenessTimings:
    """The settings of liveness, in seconds; beat_s < lease_s < fence_s < dead_s."""

    beat_s: float
    lease_s: float
    fence_s: float
    dead_s: float

    def __post_init__(self) -> None:
        if not 0 < self.beat_s < self.lease_s < self.fence_s < self.dead_s:
            raise ValueError("it must hold that 0 < beat_s < lease_s < fence_s < dead_s")

    @property
    def lease_trust_s(self) -> float:
        """How long a renewal is relied on; ends before the lease does."""
        return self.lease_s - self.beat_s / 2

    @property
    def beat_trust_s(self) -> float:
        """How long a silence of the beat cannot have been a verdict; ends before `dead_s`."""
        return self.dead_s - self.beat_s


@dataclass(frozen=True, slots=True)
class Contact:
    """When the last renewal and the last beat that protect one attempt began (boot time, s)."""

    redis_at: float
    beat_at: float = _NEVER


def run_until(contact: Contact, timings: LivenessTimings) -> float:
    """Return the boot time up to which the attempt may run unless there is news."""
    return max(contact.redis_at + timings.lease_trust_s, contact.beat_at + timings.fence_s)


def may_run(contact: Contact, now: float, timings: LivenessTimings) -> bool:
    """Return whether the attempt may run now; if not, it is paused until this holds again."""
    return now <= run_until(contact, timings)


def confirmed(contact: Contact, sent_at: float) -> Contact:
    """Return the contact after a renewal sent at `sent_at` found that the attempt is ours."""
    return replace(contact, redis_at=max(contact.redis_at, sent_at))


def beaten(contact: Contact, began_at: float, ended_at: float, timings: LivenessTimings) -> Contact:
    """Return the contact after a beat that was written from `began_at` to `ended_at`.

    Unchanged if, before the beat was there for sure, a reaper may already have given its verdict.
    """
    if not can_be_beaten(contact, ended_at, timings):
        return contact
    return replace(contact, beat_at=max(contact.beat_at, began_at))


def can_be_beaten(contact: Contact, ended_at: float, timings: LivenessTimings) -> bool:
    """Return whether a beat that is there at `ended_at` comes before any reaper's verdict."""
    protected_until = max(
        contact.redis_at + timings.lease_trust_s, contact.beat_at + timings.beat_trust_s
    )
    return ended_at < protected_until
