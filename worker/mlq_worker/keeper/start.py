"""How a job is started: below a keeper of its own, which no process of the job can leave.

A keeper is a process between the launcher and one job. It is a child subreaper: every process that
the job starts stays below it, in any session, orphaned or not, readable or not. So the process tree
alone says which job a process belongs to. The keeper forks the leader, the job's first process;
tells the launcher how the leader ended, by eight bytes on descriptor 3 (its own pid and a status of
wait(2)); and ends when nothing is left below it. It touches no disk.

If descriptor 4 is the folder of a cgroup, the leader begins in there (CLONE_INTO_CGROUP: to move a
process takes milliseconds), and so all that it starts; the keeper stays outside. Where the kernel
refuses that, the leader begins where its keeper is.

It asks the kernel for a signal at the launcher's death (PR_SET_PDEATHSIG, which children do not
inherit), and then ends everything below it: it becomes `/bin/sh` with the script `SWEEP`. The
leader asks for SIGKILL at the keeper's death. All this must happen between fork and exec, where
Python is slow and unsafe, so a keeper is a static program of about a kilobyte (`x86_64`,
`aarch64`). It also makes the leader's session and enters the folder, so that a folder on a hung NFS
delays only that job. On other architectures `portable` does the same.

The program is called as `name launcher-pid scheduling cwd executable argument...`, with the text
of a `Scheduling`. With 0 for the launcher's pid it keeps nothing and becomes the command itself,
which then dies with its parent. It exits, as shells do, with 127 if the command or folder does not
exist and with 126 if it cannot be used; it exits with 1 if the kernel lets it fork no leader.
"""

from __future__ import annotations

import fcntl
import os
import platform
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mlq_worker.keeper import aarch64, x86_64

REPORT_FD, CGROUP_FD = 3, 4
REPORT = struct.Struct("=ii")  # the keeper's pid, the leader's status of wait(2)

_MACHINES = {"x86_64": (62, x86_64), "aarch64": (183, aarch64)}  # e_machine of elf(5)

# Kills the children of this process until there have been none in two looks: the children of those
# come to it in turn. One that is stuck in the kernel runs no more once it is signalled.
SWEEP = """exec >/dev/null 2>&1
looks=0 empty=0
while [ $empty -lt 2 ] && [ $looks -lt 500 ]; do
  looks=$((looks+1)) empty=$((empty+1))
  for file in /proc/[0-9]*/stat; do
    text=
    while read -r line; do text="$text $line"; done <$file
    set -- ${text##*) }
    [ "$2" = $$ ] || continue
    [ "$1" = Z ] && continue
    file=${file%/stat}
    kill -9 ${file#/proc/} && empty=0
  done
done
"""

TEXTS = b"/proc/self/oom_score_adj\0" + b"1000" + b"/bin/sh\0" + b"-c\0"


class Scheduling(NamedTuple):
    """How a job runs, from before its first instruction: so a program that counts cores sees them.

    Args:
        cores: the numbers of those it is pinned to; none: it is not pinned.
        is_guest: whether it gives way: niceness 19, SCHED_IDLE, and the kernel ends it first when
            memory runs out (proc_pid_oom_score_adj(5)). The keeper itself does not.
    """

    cores: frozenset[int] = frozenset()
    is_guest: bool = False

    @property
    def text(self) -> str:
        """As the program takes it: `1` or `0`, and a mask, each four bits a letter of `@A...O`."""
        if not self.cores and not self.is_guest:
            return ""
        mask = sum(1 << core for core in self.cores)
        size = (mask.bit_length() + 7) // 8 * 2
        letters = (chr(ord("@") + (mask >> 4 * place & 15)) for place in range(size))
        return ("1" if self.is_guest else "0") + "".join(letters)


_PLAIN = Scheduling()


def code(machine: str) -> bytes | None:
    """Return the instructions for an architecture as `platform.machine()` names it, else None."""
    if machine not in _MACHINES:
        return None
    lines = _MACHINES[machine][1].LISTING.split("\n")
    return bytes.fromhex("".join(line.split(" ", 1)[0] for line in lines))


def elf(machine: str) -> bytes | None:
    """Return the whole program for an architecture, else None.

    The layout is that of elf(5): the file header, one program header that maps the file readable
    and executable, the code.
    """
    instructions = code(machine)
    if instructions is None:
        return None
    content = instructions + TEXTS + SWEEP.encode("ascii") + b"\0"
    base, headers = 0x400000, 64 + 56
    size = headers + len(content)
    file_header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\x02\x01\x01", 2, _MACHINES[machine][0], 1),
        *(base + headers, 64, 0, 0, 64, 56, 1, 0, 0, 0),
    )
    program_header = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x10000)
    return file_header + program_header + content


class Keeper:
    """How to start a command under the rules above.

    Args:
        folder: a private folder for the program, where the kernel refuses to run it from memory.
        machine: the architecture; that of this machine unless told.
    """

    def __init__(self, folder: Path, machine: str = "") -> None:
        self._path, self._prefix = sys.executable, _portable()
        program = elf(machine or platform.machine())
        if program is None:
            return
        for place in (_in_memory, lambda code: _in_folder(folder, code)):
            path = place(program)
            if path is not None and _runs(path):
                self._path, self._prefix = path, []
                return

    def keep(
        self, name: str, cwd: str, argv: Sequence[str], scheduling: Scheduling = _PLAIN
    ) -> tuple[str, list[str]]:
        """Return what this process must execute, and with which arguments, to run `argv` in `cwd`.

        Args:
            name: how the keeper is called in lists of processes.
            cwd: the working directory.
            argv: the command; `argv[0]` is the path of an executable and is not looked up again.
            scheduling: how it runs.
        """
        return self._path, [*self._prefix, name, str(os.getpid()), scheduling.text, cwd, *argv]

    def become(self, argv: Sequence[str]) -> tuple[str, list[str]]:
        """Do the same for a command without a keeper that dies with this process and runs in /."""
        return self._path, [*self._prefix, "mlq", "0", "", "/", *argv]


def _portable() -> list[str]:
    program = Path(__file__).with_name("portable.py")
    return [sys.executable, "-I", "-S", str(program), SWEEP]


def above_reports(descriptor: int) -> int:
    """Return the same file under a number above those that a keeper is given."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, CGROUP_FD + 1)
    finally:
        os.close(descriptor)


def _in_memory(program: bytes) -> str | None:
    try:
        memory = os.memfd_create("mlq-keeper", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:
        return None  # refused by the kernel or a sandbox: the next place is tried
    os.write(memory, program)
    memory = above_reports(memory)
    seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
    return f"/proc/self/fd/{memory}"


def _in_folder(folder: Path, program: bytes) -> str | None:
    path = folder / "mlq-keeper"
    try:
        path.unlink(missing_ok=True)
        path.touch(mode=0o700, exist_ok=False)
        path.write_bytes(program)
    except OSError:
        return None
    return str(path)


def _runs(path: str) -> bool:
    """Return whether the kernel runs the program from here (noexec mounts and sandboxes refuse)."""
    try:
        pid = os.posix_spawn(path, ["mlq", "0", "", "/", "/proc/self/mlq-not-there"], {})
    except OSError:
        return False
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 127
