"""A pickle in any field is never loaded: unpickling runs code.

rq's own tools load pickles unless told otherwise, so whoever can write to Redis could run code as
whoever looks at the queue. Here a pickle that would make a file stands wherever a value can stand.
"""

from __future__ import annotations

import ast
import base64
import json
import os
import pickle
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from local_lab import Lab
from sandbox import Sandbox
from spoil import FIELDS, spoil_beside_jobs

import mlq
import mlq_cli
import mlq_worker
from mlq.settings.load import load
from mlq.store.connection import open_redis

COMMANDS = [
    ["ls"],
    ["ls", "-a", "--json"],
    ["show", "1"],
    ["show", "1", "--json"],
    ["logs", "1"],
    ["explain", "1"],
    ["explain", "1", "--json"],
    ["machines"],
    ["machines", "--json"],
    ["wait", "1", "--timeout", "1s"],
    ["cancel", "1"],
    ["retry", "1"],
    ["doctor"],
    ["server", "status"],
    ["enqueue", "--", "true"],
    ["enqueue", "--after", "1", "--", "true"],
]


class _Trap:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


class Traps:
    """Pickles that make a folder when they are loaded, in every wrapping that rq uses."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "unpickled"
        # Protocol 0 is text, and so survives a detour through JSON.
        plain = [pickle.dumps(_Trap(self.path), protocol) for protocol in (0, 2, 4)]
        packed = [zlib.compress(one) for one in plain]
        coded = [base64.b64encode(one) for one in (*plain, *packed)]
        self.all = [*plain, *packed, *coded]

    @property
    def sprung(self) -> bool:
        """Whether one was loaded."""
        return self.path.exists()


def test_the_traps_work(tmp_path: Path) -> None:
    traps = Traps(tmp_path)
    for one in traps.all[:3]:
        assert not traps.sprung
        pickle.loads(one)  # noqa: S301 - to see that it does what it should
        assert traps.sprung
        traps.path.rmdir()


@pytest.fixture(scope="module")
def ours(lab: Lab) -> Iterator[redis.Redis]:
    """A connection with the rights of the queue's user."""
    with open_redis(load(lab.environ).settings) as client:
        yield client


@pytest.fixture
def reach(installation: Sandbox) -> Iterator[redis.Redis]:
    """The same for an installation without machines."""
    installation.start_server()
    with open_redis(load(installation.environ).settings) as client:
        yield client


def end_well(installation: Sandbox) -> None:
    """Run every command; each does its work or says in a message what it cannot do."""
    for words in COMMANDS:
        done = installation.run(*words)
        assert "Traceback" not in done.err + done.out, (words, done.err)
        assert done.code == 0 or done.err.startswith("mlq: ") or done.out, (words, done)
        assert done.code in (0, 1, 2, 124), (words, done)
        if "--json" in words and done.code == 0:
            json.loads(done.out)


@pytest.mark.parametrize("kind", range(9))
def test_in_every_field_of_a_job(installation: Sandbox, reach: redis.Redis, kind: int) -> None:
    trap = Traps(installation.folder)
    job_id = installation.submit(name="bait")
    installation.submit(name="another")
    for field in FIELDS:
        if field not in ("status", "origin"):
            reach.hset(f"rq:job:{job_id}", field, trap.all[kind])
    end_well(installation)
    assert "another" in installation.ok("ls", "-a")
    reach.hset(f"rq:job:{job_id}", mapping={"status": trap.all[kind], "origin": trap.all[kind]})
    end_well(installation)
    assert "another" in installation.ok("ls", "-a")
    assert not trap.sprung


@pytest.mark.parametrize("field", FIELDS)
def test_in_one_field_of_a_job(installation: Sandbox, reach: redis.Redis, field: str) -> None:
    trap = Traps(installation.folder)
    job_id = installation.submit()
    reach.hset(f"rq:job:{job_id}", field, trap.all[0])
    for words in (["ls", "-a"], ["show", "1"], ["explain", "1"], ["retry", "1"], ["cancel", "1"]):
        done = installation.run(*words)
        assert "Traceback" not in done.err, (words, done.err)
        assert done.code in (0, 1), (words, done)
    assert not trap.sprung


def test_in_everything_beside_jobs(installation: Sandbox, reach: redis.Redis) -> None:
    traps = Traps(installation.folder)
    installation.claim(installation.submit())
    installation.know("gpu07", cores_total=8)
    for trap in traps.all:
        spoil_beside_jobs(reach, trap)
        end_well(installation)
    assert not traps.sprung


def test_a_worker_works_on(lab: Lab, ours: redis.Redis) -> None:
    traps = Traps(lab.folder)
    machine = lab.machine("lab01")
    pid = machine.pid("worker")
    for trap in traps.all:
        for number, field in enumerate(FIELDS):
            job_id = f"bait{number}"
            good = {"status": "queued", "origin": "default", "data": trap, "created_at": ""}
            ours.hset(f"rq:job:{job_id}", mapping={**good, field: trap})
            ours.sadd("rq:queues", "rq:queue:default")
            ours.rpush("rq:queue:default", job_id)
        ours.publish("mlq:wake", trap)
        ours.set("mlq:sightings", trap)
        lab.until(lab.sh("true"), "finished")
    assert machine.pid("worker") == pid
    states = {lab.job(f"bait{number}").state for number in range(len(FIELDS))}
    assert states <= {"failed", "queued", Traps(lab.folder).all[-1].decode()}
    assert not traps.sprung


def test_a_pickle_as_the_job_itself_is_refused_with_allow_unsigned_too(
    installation: Sandbox, reach: redis.Redis
) -> None:
    from mlq.errors import SignatureError
    from mlq.store.replies import Claim
    from mlq_worker.agent import orders

    class Site:
        cwd = "/"
        settings = load({**installation.environ, "MLQ_ALLOW_UNSIGNED": "true"}).settings

    traps = Traps(installation.folder)
    for trap in traps.all:
        with pytest.raises(SignatureError, match="cannot be read"):
            orders.read_spec(Claim("x", 1, "default", "", "", 0, 0), Site(), trap)  # type: ignore[arg-type]
    assert not traps.sprung


FORBIDDEN = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "_pickle"}


def test_nothing_of_ours_imports_a_pickle_loader() -> None:
    found = []
    for package in (mlq, mlq_worker, mlq_cli):
        for path in Path(package.__path__[0]).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                # rq loads pickles by default, and nothing of ours needs it.
                found += [(path, n) for n in names if n.split(".")[0] in FORBIDDEN | {"rq"}]
    assert found == []
