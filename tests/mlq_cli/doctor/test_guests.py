"""What `mlq doctor` says of the folder where users meet, and of how many machines are used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sandbox import Sandbox

from mlq_cli.doctor.check import Check, Level
from mlq_cli.doctor.guests import SharedFacts, judge, look, mounted_part
from mlq_cli.fair_use import reminder
from mlq_cli.switching import Switch

PLAIN = "29 24 0:30 / /tmp rw,nosuid - tmpfs tmpfs rw\n"
SYSTEMD = (
    PLAIN
    + "520 498 254:1 /tmp/systemd-private-0f/tmp /tmp rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
)
PAM = "77 24 8:1 /tmp-inst/kt42 /tmp rw,relatime - ext4 /dev/sda1 rw\n"
SUBVOLUME = "33 24 0:28 /@tmp /tmp rw,relatime shared:9 - btrfs /dev/sda2 rw,subvol=/@tmp\n"
FACTS = SharedFacts("/tmp")


@pytest.mark.parametrize(
    ("mounts", "part"),
    [
        ("", ""),
        (PLAIN, ""),
        (SYSTEMD, "/tmp/systemd-private-0f/tmp"),
        (PAM, "/tmp-inst/kt42"),
        (SUBVOLUME, ""),
        (PAM + PLAIN, ""),
        (PAM.replace(" /tmp ", " /var/tmp "), ""),
        ("what is this\n", ""),
    ],
)
def test_a_tmp_of_ones_own_is_a_folder_that_is_mounted(mounts: str, part: str) -> None:
    assert mounted_part(mounts, "/tmp") == part


def only(facts: SharedFacts) -> Check:
    (found,) = judge(facts)
    return found


def test_where_anybody_can_switch_it_off() -> None:
    found = only(FACTS)
    assert (found.level, found.topic) == (Level.OK, "mlq off")
    assert found.says == "anybody here can stop your jobs: touch /tmp/mlq-off"
    (found,) = judge(FACTS, is_own=True)
    assert found.says == "only you and root (guest = mine) can stop your jobs: touch /tmp/mlq-off"


@pytest.mark.parametrize(
    ("facts", "says", "remedy"),
    [
        (SharedFacts("/tmp", is_everybodys=False), "not everybody can write", "mode 1777"),
        (
            SharedFacts("/tmp", part_of="/tmp-inst/kt42"),
            "(mounted from /tmp-inst/kt42)",
            "PrivateTmp=",
        ),
        (SharedFacts("/tmp", elsewhere=7), "(process 7) sees another /tmp", "PrivateTmp="),
    ],
)
def test_where_others_cannot(facts: SharedFacts, says: str, remedy: str) -> None:
    found = only(facts)
    assert found.level == Level.WARNING
    assert says in found.says
    assert remedy in found.remedy


def test_who_has_switched_it_off() -> None:
    path = Path("/tmp/mlq-off")
    theirs = Switch(path, os.getuid() + 1, "ab12", 0.0, "need it")
    found = only(SharedFacts("/tmp", switches=(theirs,)))
    assert found.level == Level.WARNING
    assert found.says.startswith("off by ab12 until ")
    assert found.says.endswith(": need it")
    assert found.remedy == "no job runs here; only ab12 can end that"
    (found,) = judge(SharedFacts("/tmp", switches=(theirs,)), is_own=True)
    assert found.level == Level.OK
    own = theirs._replace(uid=os.getuid(), why="")
    (found,) = judge(SharedFacts("/tmp", switches=(own, theirs)), is_own=True)
    assert found.remedy == "`mlq on` ends that"
    assert only(SharedFacts("/tmp", switches=(own,))).remedy == "`mlq on` ends that"


def test_a_look(tmp_path: Path) -> None:
    shared, mounts, proc = tmp_path / "shared", tmp_path / "mountinfo", tmp_path / "proc"
    shared.mkdir()
    shared.chmod(0o1777)
    mounts.write_text(PAM.replace(" /tmp ", f" {shared} "))
    (shared / "mlq-off").touch()
    (proc / "7").mkdir(parents=True)
    (proc / "7" / "comm").write_text("mlq-guest\n")
    (proc / "7" / "root").symlink_to("/")
    found = look(shared, mounts, proc)
    assert (found.part_of, found.elsewhere, found.is_everybodys) == ("/tmp-inst/kt42", 0, True)
    assert [one.path for one in found.switches] == [shared / "mlq-off"]
    (proc / "7" / "root").unlink()
    (proc / "7" / f"root{shared}").mkdir(parents=True)
    assert look(shared, mounts, proc).elsewhere == 7
    shared.chmod(0o755)
    assert not look(shared, mounts, proc).is_everybodys
    assert not look(tmp_path / "nowhere").is_everybodys


@pytest.mark.parametrize(("machines", "is_reminded"), [(0, False), (4, False), (5, True)])
def test_with_many_machines_one_is_reminded(machines: int, is_reminded: bool) -> None:
    said = reminder(machines)
    assert bool(said) == is_reminded
    if is_reminded:
        assert said.startswith("that is 5 machines: ask whoever runs them")


def test_init_and_doctor_remind(installation: Sandbox) -> None:
    many = ",".join(f"gpu0{number}" for number in range(1, 7))
    assert "that is 6 machines: ask" in installation.ok("init", "--machines", many)
    done = installation.run("doctor", "--json")
    assert '"topic": "fair use"' in done.out
    assert '"topic": "mlq off"' in done.out
    few = installation.ok("init", "--machines", "gpu01,gpu02")
    assert "ask whoever" not in few
