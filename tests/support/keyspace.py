"""One function that checks a whole queue's keys against each other; runs after every store test."""

from __future__ import annotations

import redis

from mlq.lifecycle import ENDED, State

_LISTED = (State.DEFERRED, State.SCHEDULED, State.FINISHED, State.FAILED, State.CANCELED)


def problems(client: redis.Redis) -> list[str]:
    """Return what is wrong with the keyspace, in words; an empty list if it is sound."""
    return [*_jobs(client), *_lists(client), *_orphans(client)]


def _jobs(client: redis.Redis) -> list[str]:
    found = []
    for key in client.scan_iter("rq:job:*"):
        name = key.decode()
        job_id = name.removeprefix("rq:job:")
        if job_id.startswith(":") or job_id.endswith(":dependents"):
            continue
        found += [f"{name}: {what}" for what in _job(client, job_id)]
    return found


def _job(client: redis.Redis, job_id: str) -> list[str]:
    fields = ("status", "origin", "mlq_attempt", "mlq_machine")
    raw = client.hmget(f"rq:job:{job_id}", fields)
    status, origin, attempt, machine = ((one or b"").decode() for one in raw)
    member = f"{job_id}:{attempt}"
    waiting = [one.decode() for one in client.lrange(f"rq:queue:{origin}", 0, -1)]
    found = []
    if (waiting.count(job_id) == 1) != (status == State.QUEUED) or waiting.count(job_id) > 1:
        found.append(f"{status}, and {waiting.count(job_id)} times in its list")
    for state in _LISTED:
        listed = client.zscore(f"rq:{state}:{origin}", job_id) is not None
        if listed != (state == status):
            found.append(f"{status}, and {'' if listed else 'not '}in the registry {state}")
    holds = {
        "lease": client.zscore("mlq:leases", member) is not None,
        "wip": client.zscore(f"rq:wip:{origin}", member) is not None,
        "execution": bool(client.exists(f"rq:execution:{member}")),
        "held": bool(client.sismember(f"mlq:held:{machine}", member)),
    }
    for what, held in holds.items():
        if held != (status == State.STARTED):
            found.append(f"{status}, and {'has' if held else 'has no'} {what}")
    ended = client.zscore("mlq:ended", job_id) is not None
    if ended != (status in ENDED):
        found.append(f"{status}, and {'' if ended else 'not '}in mlq:ended")
    if (client.zscore("mlq:unended", job_id) is not None) == (status in ENDED):
        found.append(f"{status}, and mlq:unended says otherwise")
    if client.zscore("mlq:jobs", job_id) is None:
        found.append("not in mlq:jobs")
    return found


def _lists(client: redis.Redis) -> list[str]:
    found = []
    for key in client.smembers("rq:queues"):
        ids = [one.decode() for one in client.lrange(key, 0, -1)]
        orders = [float(client.zscore("mlq:jobs", one) or -1) for one in ids]
        if orders != sorted(orders):
            found.append(f"{key.decode()}: not in order of submission: {ids}")
    for member in client.zrange("mlq:leases", 0, -1):
        job_id = member.decode().rpartition(":")[0]
        if not client.exists(f"rq:job:{job_id}"):
            found.append(f"a lease of no job: {member.decode()}")
    return found


def _orphans(client: redis.Redis) -> list[str]:
    """Return keys that belong to a job that does not exist."""
    found = []
    for key in client.scan_iter("*"):
        name = key.decode()
        for prefix in ("rq:execution:", "rq:executions:", "rq:results:"):
            if name.startswith(prefix):
                job_id = name.removeprefix(prefix).split(":")[0]
                if not client.exists(f"rq:job:{job_id}"):
                    found.append(f"{name} has no owner")
        if name.startswith("mlq:reply:") and client.ttl(key) < 0:
            found.append(f"{name} never expires")
    return found
