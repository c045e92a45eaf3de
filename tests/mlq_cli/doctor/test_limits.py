"""The line `limits` of `mlq doctor`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlq_cli.doctor.limits import LimitsFacts, judge, supervisors

SCOPE = "0::/user.slice/user@1000.service/app.slice/mlq-0a1b.scope"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (LimitsFacts("none"), "none is enforced (enforce = none): jobs may take more"),
        (LimitsFacts("all"), "cgroup: the kernel will hold the memory that jobs ask for"),
        (LimitsFacts("all", "", (True,)), "cgroup: the kernel holds the memory"),
        (LimitsFacts("all", "no linger", (True,)), "cgroup: the kernel holds the memory"),
        (LimitsFacts("all", "", (True, False)), "looks, once a second, until the supervisor"),
        (LimitsFacts("all", "no linger", (False,)), "looks, once a second: no linger"),
        (LimitsFacts("mem,vram", "x"), "looks, once a second: x; enforced are mem, vram"),
    ],
)
def test_how_limits_are_held(facts: LimitsFacts, said: str) -> None:
    (check,) = judge(facts)
    assert (check.level, check.topic) == ("ok", "limits")
    assert check.says.startswith(said)


def process(proc: Path, pid: int, name: str, cgroup: str) -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "comm").write_text(f"{name}\n")
    (proc / str(pid) / "cgroup").write_text(f"{cgroup}\n")


def test_supervisors_are_found_and_where_they_are(tmp_path: Path) -> None:
    process(tmp_path, 7, "mlq-guest", f"{SCOPE}/supervisor")
    process(tmp_path, 8, "python", f"{SCOPE}/supervisor")
    (tmp_path / "9").mkdir()
    (tmp_path / "self").mkdir()
    assert supervisors(tmp_path, os.getuid()) == (True,)
    assert supervisors(tmp_path, os.getuid() + 1) == ()
    process(tmp_path, 10, "mlq-guest", SCOPE)
    assert sorted(supervisors(tmp_path, os.getuid())) == [False, True]
