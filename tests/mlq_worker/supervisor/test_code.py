"""Jobs that run a copy of their code, with real processes."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import pytest
from packs import write_pack
from supervising import Bench
from waiting import wait_for

pytestmark = pytest.mark.slow

TRAIN = b"""
test "$(pwd -P)" = "$(cd "$PWD" && pwd -P)" || exit 3
mkdir lightning_logs lightning_logs/version_0 && cat data/x
"""


def code(bench: Bench, files: dict[str, bytes], *live: str) -> dict[str, Any]:
    """The field of an order."""
    project = bench.root.parent / "live"
    (project / "data").mkdir(parents=True, exist_ok=True)
    (project / "data" / "x").write_text("live data")
    pack = write_pack(bench.root, files, live=live, project=project)
    cache = str(bench.root.parent / "cache")
    return {"projects": [pack._asdict()], "subfolder": "", "cache_dir": cache}


def order(bench: Bench, job_id: str, what: dict[str, Any], *argv: str, **more: Any) -> Any:
    """An order to run something in its copy."""
    made = bench.order(job_id, *argv, code=what, **more)
    made["cwd"] = f"{made['job_dir']}/work"
    made["env"] |= {"PWD": made["cwd"]}
    return made


def test_twenty_at_once_each_have_their_own_folder_and_it_is_cleared_up(bench: Bench) -> None:
    what = code(bench, {"train.sh": TRAIN}, "data")
    ids = [str(number) for number in range(1, 21)]
    bench.start(*(order(bench, one, what, "/bin/sh", "train.sh") for one in ids))
    for one in ids:
        assert bench.result(one)["exit_code"] == 0, bench.log(one)
        assert bench.log(one) == b"live data"
    ended = [[one, 1] for one in ids]
    bench.link.send({"op": "forget", "attempts": ended, "over": ended[1:]})
    for one in ids[1:]:
        work = bench.layout.job_dir(one) / "work"
        marker = work.with_suffix(".json")
        wait_for(
            lambda marker=marker: '"removed"' in marker.read_text(), what="it to be cleared up"
        )
        assert [str(path.relative_to(work)) for path in sorted(work.rglob("*"))] == [
            "lightning_logs",
            "lightning_logs/version_0",
        ]
    # The first runs again: nothing of its goes.
    assert (bench.layout.job_dir("1") / "work" / "train.sh").read_bytes() == TRAIN


def test_an_unpacking_that_is_killed_begins_again_and_a_checkpoint_survives(bench: Bench) -> None:
    files = {f"d{number % 20}/{number}.txt": os.urandom(2000) for number in range(1500)}
    what = code(bench, {**files, "train.py": b"print(open('last.ckpt').read())"})
    launcher = bench.launcher()
    bench.start(order(bench, "1", what, "/bin/sh", "-c", "echo epoch 7 > last.ckpt"))
    work = bench.layout.job_dir("1") / "work"
    wait_for(lambda: work.exists() and any(work.iterdir()), what="the unpacking to begin")
    os.kill(launcher, signal.SIGKILL)
    assert bench.result("1")["outcome"] == "lost"
    bench.start(order(bench, "1", what, "/bin/sh", "-c", "echo epoch 7 > last.ckpt", attempt=2))
    bench.until(lambda: bench.results["1"]["attempt"] == 2, "end of attempt 2")
    assert bench.results["1"]["exit_code"] == 0
    found = {str(one.relative_to(work)): one.read_bytes() for one in work.rglob("*.txt")}
    assert found == files
    bench.start(order(bench, "1", what, sys.executable, "train.py", attempt=3))
    bench.until(lambda: bench.results["1"]["attempt"] == 3, "end of attempt 3")
    assert bench.layout.log_file("1", 3).read_bytes() == b"epoch 7\n\n"
