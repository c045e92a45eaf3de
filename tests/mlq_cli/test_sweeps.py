"""`mlq enqueue` of a sweep against a real server."""

import json

import pytest
from sandbox import Sandbox

pytestmark = pytest.mark.slow

LR = ["-n", "lr", "--param", "lr=1e-3,1e-4"]
TRAIN = ["--", "python", "train.py", "{args}"]


def test_a_sweep_is_enqueued_and_again_and_larger(installation: Sandbox) -> None:
    installation.start_server()
    out = installation.ok("enqueue", *LR, "--seeds", "2", *TRAIN)
    assert out == "sweep 1 lr: 4 members: 4 new; 4 enqueued\n"
    spec = installation.spec_of("1_1")
    assert spec["argv"] == ["python", "train.py", "--lr=1e-3", "--seed=1"]
    assert spec["member"]["params"] == {"lr": "1e-3", "seed": "1"}  # type: ignore[index]
    # Numbers compare as numbers, order does not matter, and Hydra's way makes other commands.
    again = ["-n", "lr", "--param", "seed=0..2", "--param", "lr=0.0001,0.001", *TRAIN]
    assert installation.ok("enqueue", *again) == (
        "sweep 1 lr: 6 members: 2 new, 4 queued; 2 enqueued\n"
    )
    dry = installation.ok("enqueue", "--dry-run", *again).splitlines()
    assert dry[0] == "sweep 1 lr: 6 members: 6 queued; 0 would be enqueued"
    assert dry[1] == "  python train.py --seed=0 --lr=0.0001"


def test_a_dry_run_changes_nothing(installation: Sandbox) -> None:
    installation.start_server()
    out = installation.ok("enqueue", "--dry-run", *LR, *TRAIN)
    assert out.splitlines()[0] == "sweep lr: 2 members: 2 new; 2 would be enqueued"
    assert installation.ok("enqueue", *LR, *TRAIN).startswith("sweep 1 lr: 2 members: 2 new;")


def test_what_cannot_be_used_enqueues_nothing(installation: Sandbox) -> None:
    installation.start_server()
    done = installation.run("enqueue", *LR, "--mem", "lots", *TRAIN)
    assert (done.code, done.out) == (2, "")
    assert "'lots' is not a size" in done.err
    assert installation.queue().every() == []


def test_the_jobs_of_a_sweep_as_json(installation: Sandbox) -> None:
    installation.start_server()
    done = installation.run("enqueue", "--json", *LR, *TRAIN)
    assert [job["id"] for job in json.loads(done.out)] == ["1_0", "1_1"]
    assert done.err == "mlq: sweep 1 lr: 2 members: 2 new; 2 enqueued\n"
    again = installation.run("enqueue", "--json", *LR, *TRAIN)
    assert json.loads(again.out) == []
