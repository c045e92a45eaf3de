"""The doctor's judgements, on facts alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlq.errors import MlqError, TunnelError, UnsafePathError
from mlq.store.machine_names import NameHolder, WorkerIdentity
from mlq.store.refused_names import RefusedName
from mlq_cli.doctor import judge, judge_machines, look
from mlq_cli.doctor.check import Check, Level, check_table
from mlq_cli.doctor.cross_check import disagreements
from mlq_cli.doctor.facts import (
    FileFacts,
    GpuFacts,
    MachineFacts,
    QueueFacts,
    RootFacts,
    SshFacts,
)
from mlq_cli.doctor.look_machines import AsideFacts, CopyFacts, MachinesFacts
from mlq_cli.render.style import Style

LAB = MachineFacts(
    python=(3, 11, 2),
    python_path="/usr/bin/python3",
    mlq="0.1.0",
    deployed="0.1.0-abc",
    lingers=True,
    cron=True,
    at_boot="crontab",
    kills_at_logout=False,
    cores=8,
    foreign_load=0.3,
    logged_in=(),
)
ROOT = RootFacts("/vol/me/mlq", kind="nfs4", free_mib=9000, total_mib=90000, write_s=0.01)
QUEUE = QueueFacts("/run/redis.sock", version="Valkey 9.1.2", user="mlq", took_s=0.001)


def levels(checks: object) -> dict[str, Level]:
    return {one.topic: one.level for one in checks}  # type: ignore[attr-defined]


def only(checks: object, topic: str) -> Check:
    (found,) = [one for one in checks if one.topic == topic]  # type: ignore[attr-defined]
    return found


def test_a_good_machine_is_fine_throughout() -> None:
    checks = [*judge.machine(LAB), *judge.root(ROOT), *judge.queue(QUEUE)]
    assert {one.level for one in checks} == {Level.OK}
    assert not any(one.remedy for one in checks)


@pytest.mark.parametrize(
    ("changes", "topic", "level", "remedy"),
    [
        ({"python": (3, 9, 2)}, "python", Level.PROBLEM, "mlq deploy --python"),
        ({"deployed": "0.2.0-x"}, "mlq", Level.WARNING, "mlq deploy"),
        ({"at_boot": ""}, "reboot", Level.WARNING, "mlq worker install"),
        ({"at_boot": "", "lingers": False, "cron": False}, "reboot", Level.WARNING, "--all"),
        ({"kills_at_logout": True, "lingers": False}, "logout", Level.PROBLEM, "enable-linger"),
        ({"kills_at_logout": True, "lingers": True}, "logout", Level.OK, ""),
        ({"kills_at_logout": None}, "logout", Level.OK, ""),
    ],
)
def test_what_may_be_wrong_with_a_machine(
    changes: dict[str, object], topic: str, level: Level, remedy: str
) -> None:
    found = only(judge.machine(replace(LAB, **changes)), topic)  # type: ignore[arg-type]
    assert found.level == level
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("changes", "topic", "level"),
    [
        ({"missing": True}, "root", Level.PROBLEM),
        ({"missing": True, "needed": False}, "root", Level.WARNING),
        ({"ours": False}, "root", Level.PROBLEM),
        ({"error": "Disk quota exceeded"}, "root", Level.PROBLEM),
        ({"free_mib": 10}, "space", Level.PROBLEM),
        ({"free_mib": 1000}, "space", Level.WARNING),
        ({"write_s": 2.0}, "latency", Level.WARNING),
        ({"skew_s": 60.0}, "clock", Level.WARNING),
        ({"skew_s": -60.0}, "clock", Level.WARNING),
        ({"skew_s": 60.0, "skew_error_s": 90.0}, "clock", Level.OK),
        ({"quota": (("/vol", 95, 100),)}, "quota", Level.WARNING),
        ({"quota": (("/vol", 100, 100),)}, "quota", Level.PROBLEM),
        ({"quota": (("/vol", 10, 100),)}, "quota", Level.OK),
    ],
)
def test_what_may_be_wrong_with_the_results_root(
    changes: dict[str, object], topic: str, level: Level
) -> None:
    found = only(judge.root(replace(ROOT, **changes)), topic)  # type: ignore[arg-type]
    assert found.level == level
    assert bool(found.remedy) == (level != Level.OK)


def test_a_root_open_to_others_is_a_problem_beside_what_else_is_known() -> None:
    found = list(judge.root(replace(ROOT, mode=0o755)))
    assert found[0].level == Level.PROBLEM
    assert "chmod 700" in found[0].remedy
    assert "space" in levels(found)


def test_the_way_the_clock_is_off_is_told() -> None:
    assert "60s behind" in only(judge.root(replace(ROOT, skew_s=60.0)), "clock").says.replace(
        "1m", "60s"
    )
    assert "ahead of" in only(judge.root(replace(ROOT, skew_s=-60.0)), "clock").says


CARD = ("RTX 2080 Ti", 9000, 11264)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (GpuFacts(0, (), "", "no NVIDIA driver library (libnvidia-ml.so.1)", 0), [Level.OK]),
        (GpuFacts(1, (), "driver not loaded", "", 0), [Level.PROBLEM]),
        (GpuFacts(1, (CARD,), "", "", 2), [Level.OK]),
        (GpuFacts(2, (CARD,), "GPU 1 is lost: reboot to repair", "", 0), [Level.OK, Level.WARNING]),
        (GpuFacts(1, (("GB10", 0, 0),), "", "GPU 0 has no memory numbers", 0), [Level.OK]),
        (GpuFacts(0, (), "the driver has not answered", "", 0, silent=True), [Level.PROBLEM]),
    ],
)
def test_gpus(facts: GpuFacts, expected: list[Level]) -> None:
    assert [one.level for one in judge.gpus(facts)] == expected


@pytest.mark.parametrize(
    ("facts", "topic", "level"),
    [
        (QueueFacts("x", MlqError("no queue answers", fix="start it")), "queue", Level.PROBLEM),
        (QueueFacts("x", TunnelError("no way", fix="open it")), "tunnel", Level.PROBLEM),
        (replace(QUEUE, default_off=False), "acl", Level.PROBLEM),
        (replace(QUEUE, confined=False), "acl", Level.PROBLEM),
        (replace(QUEUE, aof=False), "server disk", Level.PROBLEM),
        (replace(QUEUE, took_s=3.0), "queue", Level.WARNING),
    ],
)
def test_what_may_be_wrong_with_the_queue(facts: QueueFacts, topic: str, level: Level) -> None:
    found = only(judge.queue(facts), topic)
    assert found.level == level
    assert found.remedy


def test_files_and_ssh() -> None:
    refused = UnsafePathError("it is open", fix="chmod 600")
    files = [
        FileFacts("signing key", "/k", missing=False, mode=0o644, error=refused),
        FileFacts("password", "/p", missing=True, mode=0),
        FileFacts("config", "/c", missing=False, mode=0o644),
        FileFacts("config", "/c", missing=False, mode=0o600),
    ]
    found = [judge.file(one).level for one in files]
    assert found == [Level.PROBLEM, Level.WARNING, Level.WARNING, Level.OK]
    assert judge.ssh(SshFacts("gpu01", None, 0.4)).level == Level.OK
    assert judge.ssh(SshFacts("gpu01", None, 20.0)).level == Level.WARNING
    assert judge.ssh(SshFacts("gpu01", TunnelError("no"), 0.0)).level == Level.PROBLEM


@pytest.mark.parametrize(
    ("age_s", "unended", "level", "says"),
    [
        (12.0, 3, Level.OK, "3 jobs not ended: 12s old"),
        (3600.0, 3, Level.WARNING, "is 1h old, and 3 jobs not ended"),
        (None, 1, Level.WARNING, "there is no /r/queue/u.gz, and 1 job not ended"),
        (None, 0, Level.OK, "no job has to be in it"),
        (3600.0, 0, Level.OK, "no job has to be in it"),
    ],
)
def test_an_old_copy_is_told_while_there_are_jobs_that_it_lacks(
    age_s: float | None, unended: int, level: Level, says: str
) -> None:
    facts = MachinesFacts(copy=CopyFacts("/r/queue/u.gz", age_s, unended))
    found = only(judge_machines.machines(facts), "copy")
    assert found.level == level
    assert says in found.says
    assert bool(found.remedy) == (level != Level.OK)


def test_machines_set_aside_and_two_of_one_name_are_told_with_their_remedy() -> None:
    first = WorkerIdentity("m1", "w1", "h1", "b1", "alpha", pid=7)
    second = WorkerIdentity("m1", "w2", "h2", "b2", "beta", pid=9)
    refused = RefusedName(second, 65.0, NameHolder(first, 0.0, "1", 2.0))
    facts = MachinesFacts((AsideFacts("m2", "set aside: 3 jobs failed"),), (refused,))
    aside, name = judge_machines.machines(facts)
    assert (aside.level, aside.says) == (Level.WARNING, "m2: set aside: 3 jobs failed")
    assert "releases it" in aside.remedy
    assert name.level == Level.PROBLEM
    assert "process 7 on host alpha holds it since 1970-01-01" in name.says
    assert "process 9 on host beta was refused 1m5s ago" in name.says
    assert "name of its own" in name.remedy
    assert list(judge_machines.machines(MachinesFacts())) == []


def of(topic: str, shared: str) -> Check:
    return Check(topic, Level.OK, "fine", shared=shared)


def test_what_must_agree_is_compared_with_this_machine() -> None:
    far = [("gpu01", of("times", "a")), ("gpu02", of("times", "b")), ("gpu02", of("root", ""))]
    one, other, root = disagreements("desk", [of("times", "a")], far)
    assert one == far[0]
    assert root == far[2]
    assert other[1].level == Level.PROBLEM
    assert other[1].says == "fine: not the same as on desk"
    assert "fence_s" in other[1].remedy


def test_where_this_machine_lacks_something_most_are_right() -> None:
    keys = {"gpu01": "x", "gpu02": "y", "gpu03": "y", "gpu04": ""}
    far = [(name, of("signing key", key)) for name, key in keys.items()]
    found = dict(disagreements("desk", [of("signing key", "")], far))
    assert {name for name, one in found.items() if one.level == Level.PROBLEM} == {"gpu01"}
    assert "as on gpu02" in found["gpu01"].says


def test_other_batch_systems_are_known_by_their_daemons(tmp_path: Path) -> None:
    for pid, name in {"7": "condor_startd", "8": "bash", "9": "slurmd"}.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "comm").write_text(f"{name}\n")
    assert look.batch_systems(tmp_path) == ("HTCondor", "Slurm")
    says = only(judge.machine(replace(LAB, batch_systems=("HTCondor",))), "others' jobs").says
    assert says == "HTCondor may run jobs here too; mlq takes what they leave free"


def test_quotas_are_read_as_the_tool_prints_them() -> None:
    said = """\
Disk quotas for user me (uid 1000):
     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace
vol:/home         95000*  90000  100000   6days     120       0       0
/dev/sda1          1200       0       0               3       0       0
/dev/sdb1             0       0   50000               0       0       0
"""
    assert look.quotas(said) == (("vol:/home", 95000, 90000), ("/dev/sdb1", 0, 50000))
    assert look.quotas("Disk quotas for user me (uid 1000): none\n") == ()


def test_who_else_is_logged_in() -> None:
    who = "me pts/0 2026-11-23 10:00\nann seat0 2026-11-23\nann pts/1 2026-11-23\n\nbob tty1 x\n"
    assert look.others(who, "me") == ("ann", "bob")


def test_a_check_survives_the_way_from_another_version() -> None:
    check = Check("root", Level.PROBLEM, "full", "make room", "x")
    assert Check.from_json(check.as_json()) == check
    assert Check.from_json({"topic": "x", "level": "fatal", "says": "y"}).level == Level.WARNING


def test_the_table_names_a_machine_once_and_ends_with_what_is_to_be_done() -> None:
    bad = Check("root", Level.PROBLEM, "full", "delete something")
    seldom = Check("cores", Level.WARNING, "busy", "wait")
    found = [("lab01", Check("mlq", Level.OK, "0.1.0")), ("lab01", bad), ("lab02", seldom)]
    assert check_table([*found, ("lab02", seldom)], Style()) == [
        "MACHINE  CHECK  RESULT",
        "lab01    mlq    ok       0.1.0",
        "         root   problem  full",
        "                         delete something",
        "lab02    cores  warning  busy",
        "                         wait",
        "         cores  warning  busy",
        "                         wait",
        "",
        "1 ok, 2 warnings, 1 problem",
    ]
