"""A `/proc` for tests: a folder with the few files that the probes read."""

from __future__ import annotations

import os
from pathlib import Path

PAGES_PER_MIB = 2**20 // os.sysconf("SC_PAGE_SIZE")


class FakeProc:
    """Writes a machine's procfs below a folder.

    Args:
        root: an empty folder.
        cores: how many cores /proc/stat shows.
    """

    def __init__(self, root: Path, cores: int = 8) -> None:
        self.root = root
        self._cores = cores
        self.load(0.0)
        self.busy(0)
        self.memory(64000, 60000)
        self.boot("11111111-2222-3333-4444-555555555555")

    def boot(self, boot_id: str) -> None:
        self.boot_id_file.parent.mkdir(parents=True, exist_ok=True)
        self.boot_id_file.write_text(boot_id + "\n")

    @property
    def boot_id_file(self) -> Path:
        return self.root / "sys/kernel/random/boot_id"

    def load(self, average: float) -> None:
        (self.root / "loadavg").write_text(f"{average:.2f} 0.00 0.00 1/100 4242\n")

    def busy(self, ticks: int) -> None:
        """Say that core 0 has been busy for so many ticks since boot, and the others idle.

        The ticks are spread over all fields that mean "busy"; idle, iowait and guest time are
        large, for whoever counts them by mistake.
        """
        share, rest = divmod(ticks, 6)
        cores = [f"cpu0 {share + rest} {share} {share} 9999 9999 {share} {share} {share} 777 777"]
        cores += [f"cpu{core} 0 0 0 99999 0 0 0 0 0 0" for core in range(1, self._cores)]
        total = cores[0].replace("cpu0", "cpu ")
        (self.root / "stat").write_text("\n".join([total, *cores, "intr 1 2 3", "ctxt 4"]) + "\n")

    def memory(self, total_mib: int, available_mib: int) -> None:
        (self.root / "meminfo").write_text(
            f"MemTotal: {total_mib * 1024} kB\nMemFree: 1 kB\n"
            f"MemAvailable: {available_mib * 1024} kB\nHugePages_Total: 0\n"
        )

    def process(
        self,
        pid: int,
        *,
        parent: int = 1,
        session: int | None = None,
        ticks: int = 0,
        reaped_ticks: int = 0,
        start: int = 0,
        rss_mib: int = 1,
        held_mib: int | None = None,
        name: str = "python",
        flags: int = 0x400100,
    ) -> None:
        """Write a process as proc_pid_stat(5) and the kernel's smaps_rollup show it.

        Of `rss_mib` it holds `held_mib` for itself (half of it in tmpfs), and the rest is shared or
        belongs to files; without `held_mib` we may not look.
        """
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        where = f"{parent} {pid} {pid if session is None else session} 0 -1"
        before = f"{pid} ({name}) S {where} {flags}"
        times = f"0 0 0 0 {ticks} 0 {reaped_ticks} 0 20 0 1 0"
        rss_pages = rss_mib * PAGES_PER_MIB
        (folder / "stat").write_text(
            f"{before} {times} {start} 0 {rss_pages} 18446744073709551615\n"
        )
        if held_mib is not None:
            (folder / "smaps_rollup").write_text(
                f"00400000-7ff000000000 ---p 00000000 00:00 0 [rollup]\n"
                f"Rss: {rss_mib * 1024} kB\nPss: {rss_mib * 900} kB\nPss_File: 1 kB\n"
                f"Pss_Anon: {held_mib * 512} kB\nPss_Shmem: {held_mib * 512} kB\n"
            )

    def ends(self, pid: int) -> None:
        for path in (self.root / str(pid)).iterdir():
            path.unlink()
        (self.root / str(pid)).rmdir()
