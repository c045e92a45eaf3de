"""Kills a queue's server under load, again and again, and counts what was acknowledged and lost.

    PYTHONPATH=tests/support .venv/bin/python tests/durability.py --rounds 50

For each server program that can be had: threads enqueue, claim and end jobs as fast as they can,
each over a connection of its own; the server gets SIGKILL at a moment drawn by chance; it is
started as users start it, and asked for all that it ever acknowledged.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis_server import installation
from server_programs import names, only, program
from waiting import wait_for

from mlq.errors import MlqError
from mlq.jobs.lifecycle import Event
from mlq.jobs.signing import load_key
from mlq.server import control as server
from mlq.server.status import status
from mlq.settings.load import load
from mlq.settings.settings import Settings
from mlq.store.connection import RedisClient, open_redis
from mlq.store.operations import Claimant, Move, claim_operation
from mlq.store.replies import Claim
from mlq.store.store import Store
from mlq.submit.batch import check_all, sign_all
from mlq.submit.submission import Submission
from mlq.units import utc_iso

_CLASS = "p0.c1.m2048.g0.v0"  # of a job that asks for nothing in particular
_SHORTEST_S, _LONGEST_S = 0.05, 0.4


@dataclass
class Acknowledged:
    """What the server said is done."""

    enqueued: list[str] = field(default_factory=list)
    claimed: dict[str, int] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.enqueued) + len(self.claimed) + len(self.ended)


def kill_rounds(settings: Settings, rounds: int, seed: int) -> tuple[int, list[str]]:
    """Return how much was acknowledged, and in words what of it was lost."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    told, lost = Acknowledged(), list[str]()
    server.start(settings)
    for number in range(1, rounds + 1):
        workers = [
            threading.Thread(target=_until_gone, args=(settings, act, told))
            for act in (_enqueue, _enqueue, _claim_and_end)
        ]
        for one in workers:
            one.start()
        before = told.count
        wait_for(lambda before=before: told.count > before, what="something to be acknowledged")
        time.sleep(chance.uniform(_SHORTEST_S, _LONGEST_S))
        pid = status(settings).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        for one in workers:
            one.join(timeout=30)
        wait_for(lambda: not status(settings).running, what="the server to be gone")
        server.start(settings)
        lost += [f"round {number}: {one}" for one in _missing(settings, told)]
    server.stop(settings)
    return told.count, lost


def _until_gone(
    settings: Settings, act: Callable[[Store, bytes, Acknowledged], None], told: Acknowledged
) -> None:
    with open_redis(settings) as client:
        client.connection_pool.connection_kwargs["retry"] = None
        store, key = Store(RedisClient(client, settings.redis_socket)), load_key(settings.key_file)
        try:
            while True:
                act(store, key, told)
        except (MlqError, redis.RedisError):
            return


def _enqueue(store: Store, key: bytes, told: Acknowledged) -> None:
    submission = Submission(argv=("true",), python_env="", cwd="/")
    at = utc_iso(time.time())
    signed = sign_all(check_all([submission], at, 2048), store.reserve_numbers(1), key)
    store.submit(signed, at)
    told.enqueued.append(signed[0].spec.id)


def _claim_and_end(store: Store, key: bytes, told: Acknowledged) -> None:
    claimant = Claimant("lab01", "boot", "supervisor")
    (reply,) = store.runner.run_on_disk(claim_operation([(_CLASS, 1)], claimant, 45, time.time()))
    for raw in reply["claims"] or ():
        claim = Claim.from_reply(raw)
        told.claimed[claim.id] = claim.attempt
        if int(claim.id) % 2:
            store.move([Move(claim.id, Event.SUCCEED, claim.attempt)], time.time())
            told.ended.append(claim.id)


def _missing(settings: Settings, told: Acknowledged) -> list[str]:
    with open_redis(settings) as client:
        there = {one.decode() for one in client.zrange("mlq:jobs", 0, -1)}
        pipeline = client.pipeline(transaction=False)
        for job_id in told.claimed:
            pipeline.hmget(f"rq:job:{job_id}", "mlq_attempt", "status")
        states = dict(zip(told.claimed, pipeline.execute(), strict=True))
    ended = set(told.ended)
    return [
        *(f"job {one} is gone" for one in told.enqueued if one not in there),
        *(
            f"job {one} has forgotten its attempt {attempt}"
            for one, attempt in told.claimed.items()
            if int(states[one][0] or 0) < attempt
        ),
        *(f"job {one} has forgotten its end" for one in ended if states[one][1] != b"finished"),
    ]


def new_settings(folder: str) -> Settings:
    """Return the settings of an installation in a folder."""
    return load(installation(Path(folder))).settings


def main() -> int:
    """Kill the server of each program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    all_lost = 0
    for name in names():
        with only(program(name)), tempfile.TemporaryDirectory(prefix="mlq-") as folder:
            count, lost = kill_rounds(new_settings(folder), args.rounds, args.seed)
        print(f"{name}: {args.rounds} rounds, {count} acknowledged, {len(lost)} lost")  # noqa: T201
        for one in lost[:10]:
            print(f"  {one}")  # noqa: T201
        sys.stdout.flush()
        all_lost += len(lost)
    return 1 if all_lost else 0


if __name__ == "__main__":
    sys.exit(main())
