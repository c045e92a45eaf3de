"""The first instructions of a job, and what stands in for them on other architectures."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from capstone import CS_ARCH_ARM64, CS_ARCH_X86, CS_MODE_64, CS_MODE_ARM, Cs
from ci import require
from supervising import process_runs
from waiting import wait_for

from mlq_worker.supervisor import deathsig
from mlq_worker.supervisor.deathsig import Trampoline, elf

NATIVE = platform.machine()
natively = pytest.mark.skipif(elf(NATIVE) is None, reason="not written for this architecture")


def run(trampoline: Trampoline, cwd: Path, *argv: str) -> int:
    path, command = trampoline.command(str(cwd), argv)
    pid = os.posix_spawn(path, command, {"PATH": os.environ["PATH"], "HERE": str(cwd)})
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("machine", [NATIVE, "sparc64"])
def test_the_command_runs_in_its_folder_and_session(tmp_path: Path, machine: str) -> None:
    code = (
        "import os, sys; here = os.getcwd() == os.environ['HERE']; "
        "sys.exit(here and os.getsid(0) == os.getpid() and 42)"
    )
    trampoline = Trampoline(tmp_path, machine)
    assert trampoline.command("/", ["x"])[1][0] == ("mlq-job" if elf(machine) else "setsid")
    assert run(trampoline, tmp_path, sys.executable, "-c", code) == 42


@natively
def test_failures_are_told_as_shells_tell_them(tmp_path: Path) -> None:
    trampoline = Trampoline(tmp_path)
    assert run(trampoline, tmp_path, "/no/such/program") == 127
    assert run(trampoline, tmp_path / "missing", "/bin/true") == 127
    (tmp_path / "plain").touch(mode=0o600)
    assert run(trampoline, tmp_path, str(tmp_path / "plain")) == 126


@pytest.mark.parametrize("machine", [NATIVE, "sparc64"])
def test_the_command_dies_with_its_parent(tmp_path: Path, machine: str) -> None:
    require(shutil.which("setpriv"), "util-linux's setpriv")
    parent = (
        "import os, sys, signal\nfrom pathlib import Path\n"
        "from mlq_worker.supervisor.deathsig import Trampoline\n"
        "path, argv = Trampoline(Path(sys.argv[1]), sys.argv[2]).command('/', sys.argv[3:])\n"
        "print(os.posix_spawn(path, argv, os.environ), flush=True)\nsignal.pause()\n"
    )
    child = f"open({str(tmp_path / 'up')!r}, 'w'); import signal; signal.pause()"
    command = [sys.executable, "-c", parent, str(tmp_path), machine, sys.executable, "-c", child]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        wait_for((tmp_path / "up").exists, what="the child")
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not process_runs(pid), what="the child to die")


@natively
def test_where_memory_is_refused_the_program_lies_in_the_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deathsig, "_in_memory", lambda _program: None)
    trampoline = Trampoline(tmp_path)
    assert trampoline.command("/", ["x"])[0] == str(tmp_path / "mlq-job")
    assert run(trampoline, tmp_path, "/bin/true") == 0


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
def test_the_comments_say_what_the_bytes_do(machine: str) -> None:
    """A disassembler reads from the bytes what the comments beside them claim."""
    code, *architecture = {
        "x86_64": (deathsig._X86_64, CS_ARCH_X86, CS_MODE_64),
        "aarch64": (deathsig._AARCH64, CS_ARCH_ARM64, CS_MODE_ARM),
    }[machine]
    listing = [(one.mnemonic, one.op_str) for one in Cs(*architecture).disasm(code, 0)]
    calls = [name for name, _ in listing if name in ("syscall", "svc")]
    assert len(calls) == 5
    numbers = {"x86_64": (157, 112, 80, 59, 60), "aarch64": (167, 157, 49, 221, 93)}[machine]
    register = {"x86_64": "eax, ", "aarch64": "x8, #"}[machine]
    loaded = [
        operands.removeprefix(register)
        for name, operands in listing
        if name == "mov" and operands.startswith(register)
    ]
    assert tuple(int(text, 0) for text in loaded) == numbers
