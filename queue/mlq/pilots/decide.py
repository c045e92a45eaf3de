"""Decides what becomes of a pool: pure.

What is known of the pilots comes from two sides: the system lists jobs, and the queue knows
workers. A pilot whose worker was never seen has failed to start, whatever the system says of it.
A submission whose answer was lost is found again by its name; only when the system has not shown
that name for `SETTLES_S` does the pilot count as never submitted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Literal, NamedTuple

from mlq.pilots.pool import ENDED_KEPT, FAILS, Pilot, Pool

SUBMIT_S = 60.0
"""A submission is given up after so long; whoever made it has ended it by then."""
USELESS_S = 300.0
"""After a pilot that found no job to run, the next is submitted no sooner than this."""
SETTLES_S = 2 * SUBMIT_S
"""After so long, a submission that the system does not show was never made."""

_Change = Callable[[Pilot], Pilot]
_Living = Literal["waiting", "running"]
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Listed(NamedTuple):
    """A pilot as its system lists it."""

    job: str
    is_running: bool


class Seen(NamedTuple):
    """What is known at one moment.

    Args:
        now_s: unix time by the queue's clock.
        listed: name -> job of the pilots that the system knows; None if it did not answer.
        machines: the machines that the queue has heard of lately.
        busy: those of them that run jobs.
        waiting: how many jobs have waited long enough that such a pilot could run.
        reasons: name -> why it ended, of pilots that the system lists no more.
    """

    now_s: float
    listed: Mapping[str, Listed] | None = None
    machines: Collection[str] = ()
    busy: Collection[str] = ()
    waiting: int = 0
    reasons: Mapping[str, str] = {}


def machine_of(pool: Pool, pilot: Pilot) -> str:
    """Return what the worker of a pilot is called (`mlq_worker.allocation.systems`)."""
    return _UNSAFE.sub("-", f"{pool.system}-{pilot.job}").strip("-")[:64] if pilot.job else ""


def vanished(pool: Pool, listed: Mapping[str, Listed] | None) -> list[Pilot]:
    """Return the pilots that the system lists no more."""
    if listed is None:
        return []
    known = [one for one in pool.living if one.state != "submitting"]
    return [one for one in known if one.name not in listed]


def observe(pool: Pool, seen: Seen) -> Pool:
    """Return a pool with what is seen of its pilots."""
    pilots: list[Pilot] = []
    failed, last, not_before_s = pool.failed, "", pool.not_before_s
    for one in pool.pilots:
        now = _with_worker(pool, _as_listed(one, seen), seen)
        if now.is_seen and not one.is_seen:
            failed = 0
        if now.state == "ended" and one.state != "ended" and not now.is_seen:
            failed, last = failed + 1, now.reason
        if now.state == "ended" and one.state != "ended" and now.is_seen and not now.has_worked:
            # What waits asks for something that these pilots lack; the next would be idle, too.
            not_before_s = seen.now_s + USELESS_S
        pilots.append(now)
    names = {one.name for one in pilots}
    for name, job in (seen.listed or {}).items():
        if name not in names and name.startswith(pool.prefix):
            # The queue was restored, and what it knew of this pilot is lost.
            pilots.append(Pilot(name, _state(job), job.job, seen.now_s))
    paused = pool.paused
    if failed >= FAILS and not paused:
        paused = f"{failed} starts in a row failed; the last: {last or 'without a reason'}"
    return pool._replace(
        pilots=_kept(pilots), failed=failed, paused=paused, not_before_s=not_before_s
    )


def start(pool: Pool, seen: Seen, name: str, *, whatever_waits: bool = False) -> Pool | None:
    """Return the pool with one more pilot, if it is to have one now; else None.

    Args:
        pool: after `observe`.
        seen: what is known.
        name: of the new pilot.
        whatever_waits: whether to start one although no job may wait for it.
    """
    living = pool.living
    if pool.is_stopped or len(living) >= pool.most:
        return None
    if not whatever_waits:
        # What the system does not list may be about to start, so nothing is started blindly.
        unborn = sum(not one.is_seen for one in living)
        if pool.paused or seen.now_s < pool.not_before_s:
            return None
        if seen.listed is None or unborn >= min(pool.queued, seen.waiting):
            return None
    return pool._replace(pilots=(*pool.pilots, Pilot(name, since_s=seen.now_s)))


def submitted(pool: Pool, name: str, job: str, now_s: float) -> Pool:
    """Return the pool once the system has given a pilot its id."""
    return _changed(pool, name, lambda one: one._replace(state="waiting", job=job, since_s=now_s))


def refused(pool: Pool, name: str, reason: str, now_s: float) -> Pool:
    """Return the pool once the system has refused a pilot: a start that failed."""
    pool = _changed(
        pool, name, lambda one: one._replace(state="ended", reason=reason, since_s=now_s)
    )
    failed = pool.failed + 1
    paused = pool.paused
    if failed >= FAILS and not paused:
        paused = f"{failed} starts in a row failed; the last: {reason}"
    return pool._replace(failed=failed, paused=paused)


def resumed(pool: Pool) -> Pool:
    """Return the pool with its pause, and the failures that led to it, forgotten."""
    return pool._replace(paused="", failed=0, not_before_s=0.0)


def _changed(pool: Pool, name: str, change: _Change) -> Pool:
    pilots = tuple(
        change(one) if one.name == name and one.state == "submitting" else one
        for one in pool.pilots
    )
    return pool._replace(pilots=pilots)


def _as_listed(one: Pilot, seen: Seen) -> Pilot:
    if seen.listed is None:
        return one
    job = seen.listed.get(one.name)
    if job is not None:
        state = _state(job)
        changed = one._replace(state=state, job=job.job, since_s=seen.now_s, reason="")
        return one if one.state == state else changed
    if one.state == "ended":
        return one
    if one.state == "submitting":
        reason = "its submission never reached the system"
        if seen.now_s - one.since_s < SETTLES_S:
            return one
    else:
        reason = "" if one.is_seen else seen.reasons.get(one.name, "its worker never came")
    return one._replace(state="ended", since_s=seen.now_s, reason=reason)


def _with_worker(pool: Pool, one: Pilot, seen: Seen) -> Pilot:
    machine = machine_of(pool, one)
    if machine in seen.busy and not one.has_worked:
        one = one._replace(has_worked=True)
    if one.is_seen or machine not in seen.machines:
        return one
    return one._replace(is_seen=True, reason="")


def _state(job: Listed) -> _Living:
    return "running" if job.is_running else "waiting"


def _kept(pilots: list[Pilot]) -> tuple[Pilot, ...]:
    ended = [one.name for one in pilots if one.state == "ended"]
    dropped = set(ended[:-ENDED_KEPT])
    return tuple(one for one in pilots if one.name not in dropped)
