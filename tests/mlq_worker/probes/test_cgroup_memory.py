"""The memory of a machine is what the limits of our cgroups leave of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_proc import FakeProc

from mlq_worker.probes.cgroup_memory import Room, rooms
from mlq_worker.probes.memory import MemoryProbe
from mlq_worker.probes.process_table import ProcessTable

UNLIMITED_V1 = 0x7FFFFFFFFFFFF000


class Cgroups:
    """Writes the files of cgroups below a folder, amounts in MiB, and who we are in `/proc`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "cgroup"
        self.root.mkdir()
        (folder / "proc").mkdir()
        self.proc = FakeProc(folder / "proc")

    def we_are_in(self, *lines: str) -> None:
        (self.proc.root / "self").mkdir(exist_ok=True)
        (self.proc.root / "self/cgroup").write_text("".join(f"{line}\n" for line in lines))

    def v2(self, path: str, used: int, cache: int = 0, **limits: int | str) -> None:
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, limit in limits.items():
            text = limit if isinstance(limit, str) else str(limit << 20)
            (folder / f"memory.{name}").write_text(text + "\n")
        (folder / "memory.current").write_text(f"{used << 20}\n")
        (folder / "memory.stat").write_text(
            f"anon 5\ninactive_file {cache << 19}\nactive_file {cache << 19}\n"
        )

    def v1(self, path: str, limit: int, used: int, cache: int = 0) -> None:
        folder = self.root / "memory" / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
        (folder / "memory.usage_in_bytes").write_text(f"{used << 20}\n")
        (folder / "memory.stat").write_text(
            f"inactive_file 0\ntotal_inactive_file {cache << 20}\ntotal_active_file 0\n"
        )

    def read(self) -> tuple[int, int]:
        """Return total and available memory of a machine that has 64000 and 60000 MiB."""
        report = MemoryProbe(self.proc.root, self.root).read(0.0, ProcessTable({}), ())
        return report.total_mib, report.available_mib


@pytest.fixture
def cgroups(tmp_path: Path) -> Cgroups:
    return Cgroups(tmp_path)


def test_without_a_limit_it_is_the_machines(cgroups: Cgroups) -> None:
    assert cgroups.read() == (64000, 60000)
    cgroups.we_are_in("0::/user.slice/user-1000.slice/session-3.scope")
    assert cgroups.read() == (64000, 60000)
    cgroups.v2("user.slice/user-1000.slice", 9000, max="max", high="max")
    assert cgroups.read() == (64000, 60000)


def test_the_smallest_limit_above_us_counts(cgroups: Cgroups) -> None:
    cgroups.we_are_in("0::/user.slice/user-1000.slice/session-3.scope")
    cgroups.v2("user.slice", 20000, max=50000)
    cgroups.v2("user.slice/user-1000.slice", 3000, cache=1000, max=16000, high="max")
    cgroups.v2("user.slice/user-1000.slice/session-3.scope", 500, max="max")
    assert cgroups.read() == (16000, 14000), "what is only cached can be dropped"
    cgroups.v2("user.slice", 49000, max=50000)
    assert cgroups.read() == (16000, 1000), "others of this slice take the rest"
    cgroups.v2("user.slice/user-1000.slice/session-3.scope", 500, high=8000, max="max")
    assert cgroups.read() == (8000, 1000)
    cgroups.v2("user.slice/user-1000.slice/session-3.scope", 9000, high=8000, max="max")
    assert cgroups.read() == (8000, 0)


def test_version_1_has_limits_too(cgroups: Cgroups) -> None:
    cgroups.we_are_in("9:name=systemd:/", "4:cpu,memory:/user.slice/user-7.slice", "0::/init.scope")
    cgroups.v1("", UNLIMITED_V1, 30000)
    cgroups.v1("user.slice/user-7.slice", 12000 << 20, 4000, cache=1500)
    assert cgroups.read() == (12000, 9500)


def test_a_container_sees_its_limit_at_the_root_and_paths_that_are_not_there(
    cgroups: Cgroups,
) -> None:
    cgroups.we_are_in("0::/docker/0123/init")
    cgroups.v2("", 100, max=4000)
    assert cgroups.read() == (4000, 3900)


def test_a_machine_with_both_versions_and_this_very_machine(cgroups: Cgroups) -> None:
    cgroups.we_are_in("0::/a/b")
    cgroups.v2("unified/a", 1, max=2000)
    assert rooms(cgroups.proc.root, cgroups.root) == [Room(2000, 1999)]
    assert all(0 <= room.free_mib <= room.limit_mib for room in rooms())
