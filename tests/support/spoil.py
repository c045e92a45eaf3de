"""Puts a value of somebody else's wherever a value can stand in the queue's Redis."""

from __future__ import annotations

import redis

# What rq 2.12 gives a job, beside the fields that mlq writes.
OF_RQ = ("meta", "result", "exc_info", "retries_left", "retry_intervals", "repeats_left")
FIELDS = (
    *("data", "description", "status", "origin", "timeout", "created_at", "enqueued_at"),
    *("started_at", "ended_at", "last_heartbeat", "worker_name", "result_ttl", "failure_ttl"),
    *("success_callback_name", "failure_callback_name", "stopped_callback_name", "group_id"),
    *("dependency_id", "dependency_ids", "allow_dependency_failures", *OF_RQ),
    *("mlq_spec", "mlq_signature", "mlq_name", "mlq_attempt", "mlq_losses", "mlq_failures"),
    *("mlq_machine", "mlq_boot_id", "mlq_supervisor_id", "mlq_exit_code", "mlq_reason"),
    *("mlq_progress", "mlq_stop", "mlq_avoid", "mlq_avoid_until", "mlq_order"),
)


def spoil_beside_jobs(client: redis.Redis, value: bytes) -> None:
    """Put the value in every key that is no job's hash, as content, as member and as an id."""
    client.set("mlq:machine:gpu07", value)
    client.set("mlq:sightings", value)
    client.hset("rq:worker:gpu07", mapping={"name": value, "state": value, "queues": value})
    client.hset("mlq:reservations", "1", value)
    client.hset("mlq:reservations", value, value)
    client.xadd("rq:results:1", {"type": 1, "return_value": value, "exc_string": value})
    client.zadd("mlq:machines", {value: 1e12})
    client.sadd("mlq:held:gpu07", value)
    client.zadd("mlq:leases", {value: 1})
    for index in ("jobs", "unended", "ended"):
        client.zadd(f"mlq:{index}", {value: 1e12})
        client.hset(b"rq:job:" + value, mapping={"status": "queued", "data": value})
    for registry in ("finished", "failed", "deferred", "scheduled", "canceled", "wip"):
        client.zadd(f"rq:{registry}:p0.c1.m50.g0.v0", {value: 1})
    client.sadd("rq:queues", b"rq:queue:" + value)
    client.rpush(b"rq:queue:" + value, value)
