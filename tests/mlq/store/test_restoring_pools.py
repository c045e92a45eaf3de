"""Pools of pilots after the queue was lost: they are as they were."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import redis
from store_fixtures import KEY

from mlq.copies.collector import Collector
from mlq.copies.copy_format import Copy, parsed
from mlq.files.layout import Layout
from mlq.pilots.pool import Pilot, Pool
from mlq.store.pilots import keep_pool, read_pools
from mlq.store.store import Store
from mlq_worker.agent.history import Patience
from mlq_worker.rebuild.carry_out import carry_out
from mlq_worker.rebuild.plan import Terms, plan
from mlq_worker.rebuild.survey import Found

QUEUE = "0123abcd"
POOL = Pool("ab12", "slurm", "login", ("-c", "2", "--mem=4G"), 3600, pilots=(Pilot("mlq-ab12-1"),))
PAUSED = Pool("cd34", "pbs", "", (), 60, paused="3 starts in a row failed", failed=3)


@pytest.fixture(autouse=True)
def _owned(store: Store) -> None:
    store.client.call("SET", "mlq:queue_id", QUEUE)


@pytest.fixture
def collector(store: Store) -> Collector:
    return Collector(store, "lab01", 86400.0)


def restored(store: Store, copy: Copy) -> list[str]:
    """Restore a copy; return what was left out."""
    planned = plan(copy, Found(), Terms(KEY, time.time(), Patience(3, 5.0), 30))
    return carry_out(store, Layout(Path("/results"), QUEUE), planned, KEY, pause_s=0).left_out


def test_they_are_as_they_were(store: Store, collector: Collector, admin: redis.Redis) -> None:
    for one in (POOL, PAUSED):
        keep_pool(store, one.id, "", one.text())
    keep_pool(store, "ef56", "", "nonsense")
    keep_pool(store, "0000", "", POOL.text())
    was = read_pools(store).texts
    copy = parsed(collector.collect(QUEUE).raw, "copy")
    assert copy.header.pools == was
    admin.flushall()
    left_out = restored(store, copy)
    assert read_pools(store).texts == {one.id: one.text() for one in (POOL, PAUSED)}
    assert sorted(left_out) == [
        "pool of pilots 0000: it is that of another one",
        "pool of pilots ef56: a pool of pilots cannot be read: the queue holds 'nonsense'",
    ]


def test_one_that_was_begun_meanwhile_stays(
    store: Store, collector: Collector, admin: redis.Redis
) -> None:
    keep_pool(store, POOL.id, "", POOL.text())
    copy = parsed(collector.collect(QUEUE).raw, "copy")
    admin.flushall()
    newer = POOL._replace(most=3).text()
    keep_pool(store, POOL.id, "", newer)
    assert restored(store, copy) == []
    assert read_pools(store).texts == {POOL.id: newer}
