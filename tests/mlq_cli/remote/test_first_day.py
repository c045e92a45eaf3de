"""From nothing to a job's output, with the commands of docs/operations.md, from a laptop."""

from __future__ import annotations

import sys

import pytest
from far_lab import FarLab, dependencies
from sandbox import new_sandbox

pytestmark = pytest.mark.slow


def test_from_a_laptop_to_the_output_of_a_job(lab: FarLab) -> None:
    for name in ("gpu01", "gpu02"):
        lab.machine(name, **dependencies())
    with new_sandbox() as laptop:
        del laptop.environ["MLQ_ROOT"]
        laptop.environ |= {"MLQ_SSH_CONFIG": str(lab.world.config), "MLQ_TUNNEL_IDLE_S": "5"}
        way = ("--queue-host", "gpu01", "--root", str(lab.root), "--machines", "gpu01,gpu02")
        assert "made now" in laptop.ok("init", *way, "--share-secrets")
        laptop.ok("deploy", "--python", sys.executable)
        started = laptop.run("server", "start", "--on", "gpu01")
        try:
            assert started.code == 0, started
            assert "copied" in laptop.ok("init", "--share-secrets")
            workers = laptop.run("worker", "start", "--gpus", "none", "--all")
            assert workers.code == 0, workers
            done = laptop.run("enqueue", "--wait", "--", "echo", "from the lab")
            assert done.code == 0, done
            assert laptop.ok("logs", "1") == "from the lab\n"
            assert laptop.run("worker", "stop", "--now", "--all").code == 0
        finally:
            laptop.run("worker", "stop", "--now", "--all")
            laptop.run("server", "stop", "--on", "gpu01")
