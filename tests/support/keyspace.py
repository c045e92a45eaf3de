"""One function that checks a whole queue's keys against each other; runs after every store test."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import redis

from mlq.jobs.class_name import own_class
from mlq.jobs.lifecycle import ENDED, State
from mlq.jobs.past import parse_runs

_LISTED = (State.DEFERRED, State.SCHEDULED, State.FINISHED, State.FAILED, State.CANCELED)
_FIELDS = ("status", "origin", "mlq_attempt", "mlq_machine")


class Snapshot:
    """Every key of the queue, each list and set read once."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.keys = {key.decode() for key in client.scan_iter("*", count=10000)}
        self.jobs = [
            name.removeprefix("rq:job:")
            for name in self.keys
            if name.startswith("rq:job:")
            and not name.startswith("rq:job::")
            and not name.endswith(":dependents")
        ]
        self._members: dict[str, Counter[str]] = {}

    def hashes(self) -> list[Sequence[str]]:
        pipeline = self.client.pipeline(transaction=False)
        for job_id in self.jobs:
            pipeline.hmget(f"rq:job:{job_id}", _FIELDS)
        return [[(one or b"").decode() for one in row] for row in pipeline.execute()]

    def members(self, key: str) -> Counter[str]:
        """How often each member stands in a list, set or sorted set."""
        if key not in self._members:
            kind = self.client.type(key)
            read = {
                b"list": lambda: self.client.lrange(key, 0, -1),
                b"zset": lambda: self.client.zrange(key, 0, -1),
                b"set": lambda: self.client.smembers(key),
                b"none": list,
            }[kind]
            self._members[key] = Counter(one.decode() for one in read())
        return self._members[key]


def problems(client: redis.Redis) -> list[str]:
    """Return what is wrong with the keyspace, in words; an empty list if it is sound."""
    snapshot = Snapshot(client)
    found = [
        f"{job_id}: {what}"
        for job_id, row in zip(snapshot.jobs, snapshot.hashes(), strict=True)
        for what in _job(snapshot, job_id, *row)
    ]
    return [
        *found,
        *_lists(snapshot),
        *_orphans(snapshot),
        *_templates(snapshot),
        *_sweeps(snapshot),
        *_past(snapshot),
    ]


def _past(keys: Snapshot) -> list[str]:
    """Return lists of what commands used that are too long, never go, or hold anything else."""
    found = []
    for name in keys.keys:
        if not name.startswith("mlq:past:"):
            continue
        lines = [one.decode() for one in keys.client.lrange(name, 0, -1)]
        if not 0 < len(lines) <= 500 or keys.client.ttl(name) < 0:
            found.append(f"{name} has {len(lines)} lines and goes in {keys.client.ttl(name)} s")
        if len(parse_runs(lines)) != len(lines):
            found.append(f"{name} holds other lines: {lines[:3]}")
    return found


def _sweeps(keys: Snapshot) -> list[str]:
    """Return what of sweeps does not fit the jobs."""
    numbers = {one.split(":")[2] for one in keys.keys if one.startswith("mlq:sweep:")}
    found = []
    for number in numbers:
        key = f"mlq:sweep:{number}"
        if key not in keys.keys:
            found.append(f"{key} is missing")
            continue
        latest = {int(one) for one in keys.client.hvals(f"mlq:members:{number}")}
        found += [f"{number}_{one}: {what}" for one, what in _members(keys, number, latest)]
        if max(latest, default=-1) >= int(keys.client.hget(key, "next") or 0):
            found.append(f"{key}: the next index is taken")
    return found


def _members(keys: Snapshot, number: str, latest: set[int]) -> list[tuple[int, str]]:
    states = {state: _bits(keys, f"mlq:sweep:{number}:{state}") for state in State}
    held, replaced = (_bits(keys, f"mlq:sweep:{number}:{one}") for one in ("held", "replaced"))
    ended = keys.members("mlq:ended_members")
    found = []
    for job_id in keys.jobs:
        owner, _, index = job_id.partition("_")
        if owner != number or not index.isdigit():
            continue
        at, key = int(index), f"rq:job:{job_id}"
        status = (keys.client.hget(key, "status") or b"").decode()
        stands = at in latest
        expected = {State(status)} if stands or status == State.STARTED else set()
        marked = {state for state, bits in states.items() if at in bits}
        if marked != expected:
            found.append((at, f"{status}, and noted as {marked}"))
        if (at in replaced) == stands:
            found.append((at, f"stands for its member: {stands}, replaced: {at in replaced}"))
        is_held = status == State.DEFERRED and keys.client.hexists(key, "mlq_held")
        if stands and (at in held) != is_held:
            found.append((at, f"held: {is_held}, and noted: {at in held}"))
        if (status in ENDED) != bool(ended[job_id]):
            found.append((at, f"{status}, and among the ended members: {ended[job_id]}"))
    return found


def _bits(keys: Snapshot, key: str) -> set[int]:
    raw = keys.client.get(key) or b""
    return {8 * at + bit for at, byte in enumerate(raw) for bit in range(8) if byte & (0x80 >> bit)}


def _templates(keys: Snapshot) -> list[str]:
    """Return templates that are missing, or counted too low.

    A job that was altered, or deleted by other tools, is counted still.
    """
    specs = [keys.client.hget(f"rq:job:{job_id}", "mlq_spec") or b"" for job_id in keys.jobs]
    used = Counter(spec.split()[0].decode() for spec in specs if re.match(rb"[0-9a-f]+ \[", spec))
    counts = keys.client.hgetall("mlq:template_uses")
    counted = {one.decode(): int(count) for one, count in counts.items()}
    prefix = "mlq:template:"
    there = {name.removeprefix(prefix) for name in keys.keys if name.startswith(prefix)}
    found = [f"template {one} is missing" for one in used if one not in there]
    found += [
        f"template {one} is counted {counted.get(one)} times, used {count} times"
        for one, count in used.items()
        if counted.get(one, 0) < count
    ]
    return found if there == set(counted) else [*found, f"templates {there}, counted {counted}"]


def _job(
    keys: Snapshot, job_id: str, status: str, origin: str, attempt: str, machine: str
) -> list[str]:
    member = f"{job_id}:{attempt}"
    times = keys.members(f"rq:queue:{origin}")[job_id]
    expected = {
        f"{times} times in its list": (times == 1) == (status == State.QUEUED) and times < 2,
    }
    for state in _LISTED:
        listed = job_id in keys.members(f"rq:{state}:{origin}")
        expected[f"in {state}: {listed}"] = listed == (state == status)
    for key in ("mlq:leases", f"rq:wip:{origin}", f"mlq:held:{machine}"):
        held = member in keys.members(key)
        expected[f"in {key}: {held}"] = held == (status == State.STARTED)
    beside = own_class(origin) != origin
    expected[f"in a side list's class: {beside}"] = not beside or status == State.QUEUED
    executing = f"rq:execution:{member}" in keys.keys
    expected[f"executing: {executing}"] = executing == (status == State.STARTED)
    ended = job_id in keys.members("mlq:ended")
    expected[f"ended: {ended}"] = ended == (status in ENDED)
    unended = job_id in keys.members("mlq:unended")
    expected[f"unended: {unended}"] = unended == (status not in ENDED)
    expected["not in mlq:jobs"] = job_id in keys.members("mlq:jobs")
    return [f"{status}, and {what}" for what, right in expected.items() if not right]


def _lists(keys: Snapshot) -> list[str]:
    orders = {
        one.decode(): score for one, score in keys.client.zrange("mlq:jobs", 0, -1, withscores=True)
    }
    found = [
        f"{key}: not in rq:queues, so that nobody sees its jobs"
        for key in keys.keys
        if key.startswith("rq:queue:") and key not in keys.members("rq:queues")
    ]
    for key in keys.members("rq:queues"):
        ids = list(keys.members(key))
        if ids != sorted(ids, key=lambda one: orders.get(one, -1.0)):
            found.append(f"{key}: not in order of submission: {ids[:20]}")
    return found


def _orphans(keys: Snapshot) -> list[str]:
    """Return keys that belong to a job that does not exist, or that never expire and should."""
    jobs = set(keys.jobs)
    found = [
        f"a lease of no job: {member}"
        for member in keys.members("mlq:leases")
        if member.rpartition(":")[0] not in jobs
    ]
    for name in keys.keys:
        for prefix in ("rq:execution:", "rq:executions:", "rq:results:"):
            owner = name.removeprefix(prefix).split(":")[0]
            if name.startswith(prefix) and owner not in jobs:
                found.append(f"{name} has no owner")
        if name.startswith("mlq:reply:") and keys.client.ttl(name) < 0:
            found.append(f"{name} never expires")
    return found
