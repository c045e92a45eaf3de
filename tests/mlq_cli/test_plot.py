"""`mlq plot` against a real server: files, the terminal, and what cannot be drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import pytest
from measured import measure, write_points
from sandbox import Sandbox, new_sandbox

from mlq.jobs.lifecycle import Event
from mlq.metrics.series import Point

pytestmark = [pytest.mark.one_server, pytest.mark.slow]


def a_sweep(installation: Sandbox) -> None:
    """Six members; the second began again at step 3, the fourth has a NaN, the last only that."""
    installation.start_server()
    words = ["-n", "lr", "--param", "lr=1e-3,0.3", "--seeds", "3"]
    installation.ok("enqueue", "--in-place", *words, "--", "true", "{args}")
    for at in range(5):
        points = [Point(step, 10.0 * step, {"loss": (1 + at) / step}) for step in range(1, 6)]
        if at == 3:
            points.append(Point(6, 60.0, {"loss": math.nan}))
        measure(installation, f"1_{at}", points, event=Event.SUCCEED)
    measure(installation, "1_5", [Point(1, 1.0, {"loss": math.nan})], event=Event.SUCCEED)
    again = [Point(step, 900.0 + step, {"loss": 9.0}) for step in range(3, 5)]
    first = [Point(step, 10.0 * step, {"loss": 2 / step}) for step in range(1, 6)]
    write_points(installation, "1_1", first, again)


@pytest.fixture(scope="module")
def swept() -> Iterator[Sandbox]:
    """The installation with that sweep; no test of this file changes it."""
    with new_sandbox() as sandbox:
        a_sweep(sandbox)
        yield sandbox


def test_files_and_what_is_there_already(swept: Sandbox) -> None:
    begins = {"pdf": b"%PDF-", "svg": b"<?xml", "png": b"\x89PNG"}
    for ending, start in begins.items():
        file = swept.folder / f"loss.{ending}"
        done = swept.run("plot", "lr", "-o", str(file), "--title", "$a_b$")
        assert (done.code, done.out) == (0, "")
        assert f"{file} is written" in done.err
        assert "nan or inf in the curves of 1_3, 1_5" in done.err
        assert file.read_bytes().startswith(start)
        assert file.stat().st_mode & 0o400
    svg = swept.folder / "loss.svg"
    before = svg.read_bytes()
    refused = swept.run("plot", "lr", "-o", str(svg), "--x", "lr")
    assert refused.code == 2
    assert "exists, and nothing was written" in refused.err
    assert svg.read_bytes() == before
    words = ("--x", "lr", "--y", "min:loss", "--over", "seed", "--yes")
    assert swept.run("plot", "lr", "-o", str(svg), *words).code == 0
    assert svg.read_bytes() != before


def test_in_the_terminal(swept: Sandbox) -> None:
    for words in ([], ["--x", "time", "--over", "seed"], ["--x", "lr", "--log"]):
        done = swept.run("plot", "lr", *words, environ={"COLUMNS": "60"})
        assert done.code == 0, done.err
        assert "\x1b" not in done.out
        assert max(map(len, done.out.splitlines()[:20])) <= 60
        assert "loss" in done.out
    names = swept.run("plot", "lr", environ={"COLUMNS": "80"}).out
    assert "lr=0.3, seed=1" in names
    assert "lr=0.3, seed=2" not in names
    ascii_only = swept.run("plot", "lr", environ={"PYTHONIOENCODING": "ascii"})
    assert (ascii_only.code, ascii_only.out.isascii()) == (0, True)
    coloured = swept.on_terminal("plot", "lr", columns=80)
    assert coloured.code == 0
    assert "\x1b[" in coloured.out
    plain = re.sub(r"\x1b\[[\d;]*m", "", coloured.out)
    assert max(map(len, plain.splitlines()[2:20])) <= 80


WRONG: list[tuple[list[str], list[str]]] = [
    (["lr", "--y", "acc"], ["no metric acc", "there is loss"]),
    (["lr", "--x", "rate"], ["no parameter rate", "lr, seed", "--x step"]),
    (["lr", "-o", "fig.bmp"], [".pdf, .svg, .png"]),
    (["lr", "-o", "no/where/fig.png"], ["no folder"]),
    (["lr", "--y", "min:loss"], ["no curve"]),
    (["lr", "--over", "sed"], ["no such parameter"]),
    (["lr", "--smooth", "1"], ["--smooth"]),
    (["lr", "--x", "lr", "--over", "lr"], ["it is the x axis"]),
    (["new"], ["no metrics yet", "mlq.report("]),
]


def test_what_cannot_be_drawn(swept: Sandbox) -> None:
    swept.ok("enqueue", "--in-place", "-n", "new", "--", "true")
    for words, parts in WRONG:
        done = swept.run("plot", *words)
        assert done.code != 0
        assert done.out == ""
        assert all(part in done.err for part in parts), done.err
        assert "Traceback" not in done.err
