"""`mlq results` against a real server."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator

import pytest
from measured import measure
from sandbox import Sandbox, new_sandbox

from mlq.errors import MlqError
from mlq.jobs.lifecycle import Event
from mlq.metrics.series import Point

pytestmark = [pytest.mark.one_server, pytest.mark.slow]


def curve(best: float) -> list[Point]:
    """The validation loss is least at step 2; the training loss is told between."""
    points = []
    for step, val in enumerate((best + 1, best, best + 0.5), 1):
        points.append(Point(step - 0.5, 100.0 * step, {"loss": 3.0 - step}))
        points.append(Point(step, 100.0 * step, {"val/loss": val, "acc": step / 10 + best}))
    return points


def a_sweep(installation: Sandbox) -> None:
    """Six members: two rates with three seeds; 1_4 runs, 1_5 waits."""
    installation.start_server()
    words = ["-n", "lr", "--param", "lr=1e-3,0.3", "--seeds", "3"]
    installation.ok("enqueue", "--in-place", *words, "--", "true", "{args}")
    for at, best in enumerate((0.25, 0.5, 0.75, 0.125)):
        gpu = "A100" if at else "RTX 4090"
        measure(installation, f"1_{at}", curve(best), gpu=gpu, event=Event.SUCCEED)
    measure(installation, "1_4", [Point(1, 5.0, {"val/loss": math.nan})], event=None)


@pytest.fixture(scope="module")
def swept() -> Iterator[Sandbox]:
    """The installation with that sweep; no test of this file changes it."""
    with new_sandbox() as sandbox:
        a_sweep(sandbox)
        yield sandbox


def test_a_sweep_as_a_table(swept: Sandbox) -> None:
    lines = swept.ok("results", "lr").splitlines()
    assert lines[0].startswith("sweep 1 lr: 6 members: 4 done, 1 running, 1 queued")
    assert lines[2].split() == ["ID", "lr", "seed", "STATE", "TIME", "loss", "val/loss", "acc"]
    assert lines[3].split()[:4] == ["1_0", "1e-3", "0", "finished"]
    assert lines[3].split()[5:] == ["0", "0.7500", "0.5500"]
    assert lines[7].split()[3:] == ["started", "0s", "nan"]
    assert lines[8].split() == ["1_5", "0.3", "2", "queued"]
    assert lines[-1] == "Their GPU models differ: RTX 4090: 1_0; A100: 1_1-3"
    ordered = swept.ok("results", "lr", "--sort", "-acc").splitlines()
    assert [line.split()[0] for line in ordered[3:9]] == ["1_2", "1_1", "1_0", "1_3", "1_4", "1_5"]
    best = swept.ok("results", "lr", "--sort", "min:val/loss", "--cols", "id,min:val/loss")
    assert best.splitlines()[3].split() == ["1_3", "0.1250"]
    shown = swept.on_terminal("results", "lr", columns=80)
    assert "\x1b[32mfinished" in shown.out


def test_means_and_the_best_step(swept: Sandbox) -> None:
    lines = swept.ok("results", "lr", "--over", "seed", "--cols", "lr,val/loss").splitlines()
    assert lines[3] == "1e-3  1.00   ± 0.25 (3/3)"
    assert lines[4].split() == ["0.3", "0.6250", "(1/3)"]
    assert "2 of 6 are not" in lines[6]
    at = swept.ok("results", "lr", "--at", "min:val/loss", "--csv")
    rows = list(csv.DictReader(io.StringIO(at)))
    assert rows[0]["step"] == "2.0"
    assert (rows[0]["val/loss"], rows[0]["loss"], rows[0]["acc"]) == ("0.25", "1.0", "0.45")
    assert rows[4]["val/loss"] == rows[5]["val/loss"] == ""
    found = json.loads(swept.ok("results", "lr", "--json", "--state", "finished"))
    assert len(found) == 4
    assert found[0]["metrics"]["acc"] == 0.55
    assert swept.ok("results", "lr", "--md").startswith("| id | lr | seed |")
    assert "\\toprule" in swept.ok("results", "lr", "--latex")


WRONG: list[tuple[list[str], list[str]]] = [
    ([], ["which jobs"]),
    (["lr", "--csv", "--md"], ["not allowed with"]),
    (["lr", "--sort", "bleu"], ["no parameter or metric bleu", "val/loss"]),
    (["lr", "--over", "sed"], ["no such parameter", "lr, seed"]),
    (["lr", "--at", "val/loss"], ["write min:val/loss"]),
    (["lr", "--at", "min:bleu"], ["no metric bleu"]),
    (["lr", "--sort", "best:loss"], ["min:loss"]),
    (["lr", "--cols", "a,,b"], ["a name is missing"]),
    (["nobody"], ["no job nobody"]),
]


def test_what_cannot_be_shown(swept: Sandbox) -> None:
    for words, parts in WRONG:
        done = swept.run("results", *words)
        assert done.code != 0
        assert done.out == ""
        assert all(part in done.err for part in parts), done.err
        assert "Traceback" not in done.err


def test_nothing_ended_and_nothing_measured(swept: Sandbox) -> None:
    swept.ok("enqueue", "--in-place", "-n", "new", "--seeds", "2", "--", "true", "{args}")
    out = swept.ok("results", "new")
    assert "2_1     1  queued" in out
    assert "None of 2 jobs has ended yet." in out
    assert "mlq.report(" in out


def test_python_has_the_same_table(swept: Sandbox) -> None:
    queue = swept.queue()
    found = queue.results("lr")
    assert len(found) == 6
    assert [one["id"] for one in found.sort("-acc")][:2] == ["1_2", "1_1"]
    mean = found.over("seed").show("lr", "acc").rows[0]
    assert (mean["lr"], mean["acc_n"], mean["acc"]) == (0.001, 3, pytest.approx(0.8))
    at = queue.results("lr", states=["finished"], at="min:val/loss")
    assert at.rows[0]["loss"] == 1.0
    for convert in (found.to_pandas, found.to_polars):
        try:
            frame = convert()
        except MlqError as error:
            assert "pip install" in error.fix
        else:
            assert frame.shape == (6, 8)
    with pytest.raises(MlqError):
        found.sort("")
