"""The keeper of a job: its machine code, and what stands in for it on other architectures."""

from __future__ import annotations

import os
import platform
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import pytest
from capstone import CS_ARCH_ARM64, CS_ARCH_X86, CS_MODE_64, CS_MODE_ARM, Cs
from cgroups_v2 import new_cgroup
from supervising import process_runs
from waiting import wait_for

from mlq_worker.ipc import procfs
from mlq_worker.keeper import aarch64, x86_64
from mlq_worker.keeper import start as keeper
from mlq_worker.keeper.start import (
    CGROUP_FD,
    REPORT,
    REPORT_FD,
    Keeper,
    Scheduling,
    above_reports,
    elf,
)

NATIVE = platform.machine()
natively = pytest.mark.skipif(elf(NATIVE) is None, reason="not written for this architecture")
both = pytest.mark.parametrize("machine", [NATIVE, "sparc64"])
PAUSE = f"{sys.executable} -c 'import signal; signal.pause()'"


def _pipe() -> tuple[int, int]:
    read, write = os.pipe2(os.O_CLOEXEC)
    return above_reports(read), above_reports(write)


@dataclass
class Launcher:
    """This process as the parent of keepers."""

    folder: Path
    ends: tuple[int, int] = field(default_factory=_pipe)

    scheduling: Scheduling = field(default_factory=Scheduling)

    cgroup: int | None = None

    def start(self, machine: str, cwd: Path, *argv: str) -> int:
        """Start a command below a keeper; returns the keeper's pid."""
        made = Keeper(self.folder, machine)
        path, command = made.keep("mlq:test:1", str(cwd), argv, self.scheduling)
        actions = [(os.POSIX_SPAWN_DUP2, self.ends[1], REPORT_FD)]
        if self.cgroup is not None:
            actions.append((os.POSIX_SPAWN_DUP2, self.cgroup, CGROUP_FD))
        env = {"PATH": os.environ["PATH"], "HERE": str(cwd)}
        return os.posix_spawn(path, command, env, file_actions=actions)

    def report(self) -> tuple[int, int]:
        """The next report: a keeper, and the exit code of its leader or minus a signal."""
        pid, status = REPORT.unpack(os.read(self.ends[0], REPORT.size))
        return pid, os.waitstatus_to_exitcode(status)

    def run(self, machine: str, cwd: Path, *argv: str) -> int:
        """Run a command below a keeper; returns how it ended."""
        pid = self.start(machine, cwd, *argv)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        reporter, code = self.report()
        assert reporter == pid
        return code


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    made = Launcher(tmp_path)
    yield made
    for end in made.ends:
        os.close(end)


def below(pid: int) -> set[int]:
    return set(procfs.below(procfs.look(), [pid]))


@both
def test_the_command_runs_in_its_folder_and_session(launcher: Launcher, machine: str) -> None:
    code = (
        "import os, sys; here = os.getcwd() == os.environ['HERE']; "
        "sys.exit(here and os.getsid(0) == os.getpid() and 42)"
    )
    assert launcher.run(machine, launcher.folder, sys.executable, "-c", code) == 42


@both
def test_a_signal_is_reported_as_such(launcher: Launcher, machine: str) -> None:
    assert launcher.run(machine, launcher.folder, "/bin/sh", "-c", "kill -KILL $$") == -9


@both
def test_failures_are_told_as_shells_tell_them(launcher: Launcher, machine: str) -> None:
    here = launcher.folder
    assert launcher.run(machine, here, "/no/such/program") == 127
    assert launcher.run(machine, here / "missing", "/bin/true") == 127
    (here / "plain").touch(mode=0o600)
    assert launcher.run(machine, here, str(here / "plain")) == 126


@both
def test_it_stays_until_nothing_is_left_below_it(launcher: Launcher, machine: str) -> None:
    leave = f"setsid {PAUSE} & (setsid {PAUSE} &) ; exit 5"
    pid = launcher.start(machine, launcher.folder, "/bin/sh", "-c", leave)
    assert launcher.report() == (pid, 5)
    os.kill(pid, signal.SIGTERM)  # which is for the job, as when a machine shuts down
    left = wait_for(lambda: len(found := below(pid)) == 2 and found, what="both orphans")
    for one in left:
        os.kill(one, signal.SIGKILL)
    assert os.waitpid(pid, 0) == (pid, 0)
    assert not select.select([launcher.ends[0]], [], [], 0)[0]  # the end is reported once


@contextmanager
def parent(folder: Path, machine: str, call: str, *argv: str) -> Iterator[tuple[int, Popen[bytes]]]:
    """A process that starts a command by `call`; gives the pid of what it started, and itself."""
    code = (
        "import os, sys, signal\nfrom pathlib import Path\n"
        "from mlq_worker.keeper.start import Keeper\n"
        f"path, argv = Keeper(Path(sys.argv[1]), sys.argv[2]).{call}\n"
        "print(os.posix_spawn(path, argv, os.environ), flush=True)\nsignal.pause()\n"
    )
    command = [sys.executable, "-c", code, str(folder), machine, *argv]
    with Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline()), process
        finally:
            process.kill()


@both
def test_all_below_it_dies_with_its_parent(tmp_path: Path, machine: str) -> None:
    child = f"setsid {PAUSE} & (setsid {PAUSE} &) ; {PAUSE}"
    call = "keep('m', '/', sys.argv[3:])"
    with parent(tmp_path, machine, call, "/bin/sh", "-c", child) as (pid, process):
        found = wait_for(lambda: len(seen := below(pid)) == 4 and seen, what="the whole tree")
        process.kill()
        wait_for(lambda: not any(map(process_runs, [pid, *found])), what="all of them to die")


@both
def test_a_command_without_a_keeper_dies_with_its_parent(tmp_path: Path, machine: str) -> None:
    child = f"open({str(tmp_path / 'up')!r}, 'w'); import signal; signal.pause()"
    command = [sys.executable, "-c", child]
    with parent(tmp_path, machine, "become(sys.argv[3:])", *command) as (pid, process):
        wait_for((tmp_path / "up").exists, what="the child")
        process.kill()
        wait_for(lambda: not process_runs(pid), what="the child to die")


SHOW = (
    "import os, pathlib; print(*sorted(os.sched_getaffinity(0)), os.nice(0), "
    "os.sched_getscheduler(0), pathlib.Path('/proc/self/oom_score_adj').read_text(), "
    "file=open('shown', 'w'))"
)


@both
def test_a_job_is_scheduled_as_told_from_its_start(launcher: Launcher, machine: str) -> None:
    mine = os.sched_getaffinity(0)
    last = max(mine)
    launcher.scheduling = Scheduling(frozenset({last}), is_guest=True)
    assert launcher.run(machine, launcher.folder, sys.executable, "-c", SHOW) == 0
    shown = (launcher.folder / "shown").read_text().split()
    assert shown == [str(last), "19", str(os.SCHED_IDLE), "1000"]
    launcher.scheduling = Scheduling(frozenset(mine))
    assert launcher.run(machine, launcher.folder, sys.executable, "-c", SHOW) == 0
    shown = (launcher.folder / "shown").read_text().split()
    oom = Path("/proc/self/oom_score_adj").read_text().strip()
    here = [os.nice(0), os.sched_getscheduler(0), oom]
    assert shown == list(map(str, [*sorted(mine), *here]))


@both
def test_the_keeper_itself_is_no_guest(launcher: Launcher, machine: str) -> None:
    launcher.scheduling = Scheduling(is_guest=True)
    pid = launcher.start(machine, launcher.folder, "/bin/sh", "-c", f"nice -n 5 {PAUSE}; true")
    found = wait_for(lambda: len(seen := below(pid)) == 2 and seen, what="the job's processes")
    for one, score in [(pid, "0"), *((one, "1000") for one in found)]:
        assert Path(f"/proc/{one}/oom_score_adj").read_text().strip() == score
        assert os.getpriority(os.PRIO_PROCESS, one) == (19 if one in found else 0)
    os.kill(max(found), signal.SIGKILL)
    assert launcher.report() == (pid, 0)
    os.waitpid(pid, 0)


@both
def test_the_job_begins_in_its_cgroup_and_the_keeper_stays_outside(
    launcher: Launcher, machine: str
) -> None:
    with new_cgroup() as folder:
        launcher.cgroup = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        child = f"{sys.executable} -c 'import os, signal; os.fstat(4); signal.pause()'"
        then = f"{child}; : > over; {PAUSE}; true"
        pid = launcher.start(machine, launcher.folder, "/bin/sh", "-c", then)
        os.close(launcher.cgroup)
        # The descriptor is closed: the first program fails, the second waits.
        over = launcher.folder / "over"
        found = wait_for(
            lambda: over.exists() and len(seen := below(pid)) == 2 and seen,
            what="the job's processes",
        )
        procs = (folder / "cgroup.procs").read_text().split()
        assert set(map(int, procs)) == found
        for one in found:
            with suppress(ProcessLookupError):  # the shell ends with its child
                os.kill(one, signal.SIGKILL)
        assert launcher.report() == (pid, -9)
        os.waitpid(pid, 0)


@natively
def test_the_program_has_no_number_that_a_keeper_is_given(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.closerange(3, 99); from pathlib import Path; "
        "from mlq_worker.keeper.start import Keeper; print(Keeper(Path(sys.argv[1])).become([])[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout.rpartition("/")[2]) > CGROUP_FD


@both
def test_what_is_no_cgroup_does_no_harm(launcher: Launcher, machine: str) -> None:
    launcher.cgroup = os.open(launcher.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    assert launcher.run(machine, launcher.folder, "/bin/sh", "-c", "exit 7") == 7
    os.close(launcher.cgroup)


def test_a_mask_goes_as_letters() -> None:
    assert Scheduling().text == ""
    assert Scheduling(frozenset({0, 1, 2, 5})).text == "0GB"
    assert Scheduling(frozenset({8}), is_guest=True).text == "1@@A@"


@natively
def test_where_memory_is_refused_the_program_lies_in_the_private_folder(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_in_memory", lambda _program: None)
    assert Keeper(launcher.folder).become(["x"])[0] == str(launcher.folder / "mlq-keeper")
    assert launcher.run(NATIVE, launcher.folder, "/bin/true") == 0


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 62), ("aarch64", 183)])
def test_the_program_is_a_whole_elf_file(machine: str, number: int) -> None:
    program = elf(machine)
    assert program is not None
    assert program[:5] == b"\x7fELF\x02"
    assert struct.unpack_from("<H", program, 18) == (number,)
    entry, headers = struct.unpack_from("<QQ", program, 24)
    base, size = struct.unpack_from("<Q", program, headers + 16)[0], len(program)
    assert entry == base + 64 + 56
    assert struct.unpack_from("<QQ", program, headers + 32) == (size, size)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_listing_says_what_the_bytes_do(machine: str) -> None:
    """A disassembler reads from the bytes what stands beside them."""
    listing, *architecture = {
        "x86_64": (x86_64.LISTING, CS_ARCH_X86, CS_MODE_64),
        "aarch64": (aarch64.LISTING, CS_ARCH_ARM64, CS_MODE_ARM),
    }[machine]
    lines = listing.strip().split("\n")
    instructions = keeper.code(machine)
    assert instructions is not None
    disassembled = list(Cs(*architecture).disasm(instructions, 0))
    assert len(disassembled) == len(lines)
    for line, one in zip(lines, disassembled, strict=True):
        assert line[:14].strip() == one.bytes.hex()
        assert line[15:48].strip().startswith(f"{one.mnemonic} {one.op_str}".strip())


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_both_programs_make_the_same_system_calls(machine: str) -> None:
    listing = {"x86_64": x86_64, "aarch64": aarch64}[machine].LISTING
    calls = [line[48:] for line in listing.split("\n") if line[15:].startswith(("syscall", "svc"))]
    names = ["fork" if one == "clone" else one for one in (call.split("(")[0] for call in calls)]
    assert names == [
        *(
            "rt_sigprocmask",
            "prctl",
            "prctl",
            "getpid",
            "clone3",
            "fork",
            "rt_sigtimedwait",
            "wait4",
        ),
        *("write", "getppid", "kill", "execve", "exit"),
        *(
            "rt_sigprocmask",
            "close",
            "close",
            "sched_setaffinity",
            "setpriority",
            "sched_setscheduler",
        ),
        *("openat", "write", "close", "prctl", "setsid", "chdir", "execve", "exit"),
    ]
