"""The keeper for machines without machine code for it; takes dozens of milliseconds a job.

Any Python executes it as a file, with the arguments that `start` describes and without any of our
packages. Where it and the machine code differ, this program is right.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
_REPORT_FD, _CGROUP_FD = 3, 4


def main() -> None:
    """Keep a job, or become a command."""
    sweep, name, parent, scheduling, cwd, *command = sys.argv[1:]
    libc = ctypes.CDLL(None)
    if int(parent):
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGUSR2, 0, 0, 0)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        leader = os.fork()
        if leader:
            keep(leader, int(parent))
            os.execve("/bin/sh", ["/bin/sh", "-c", sweep, name], {})  # noqa: S606 - what it is for
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        enter_cgroup()
        with suppress(OSError):
            os.close(_REPORT_FD)
        if scheduling:
            be_scheduled(scheduling)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    start(cwd, command)


def keep(leader: int, parent: int) -> None:
    """Report the leader's end; leave when no child is left, return when the launcher has died."""
    while os.getppid() == parent:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            os._exit(0)
        if pid == 0:
            signal.sigwaitinfo(signal.valid_signals())
        elif pid == leader:
            leader = 0
            with suppress(OSError):  # the launcher no longer listens
                os.write(_REPORT_FD, struct.pack("=ii", os.getpid(), status))
    if leader:
        with suppress(ProcessLookupError):  # it has no session yet: the sweep finds it
            os.killpg(leader, signal.SIGKILL)


def enter_cgroup() -> None:
    """Enter the job's cgroup, if there is one."""
    with suppress(OSError):
        procs = os.open("cgroup.procs", os.O_WRONLY, dir_fd=_CGROUP_FD)
        os.write(procs, b"0")
        os.close(procs)
    with suppress(OSError):
        os.close(_CGROUP_FD)


def be_scheduled(scheduling: str) -> None:
    """Run as `start.Scheduling` says; what the kernel refuses is left out."""
    cores = {
        4 * place + bit
        for place, letter in enumerate(scheduling[1:])
        for bit in range(4)
        if ord(letter) >> bit & 1
    }
    if cores:
        with suppress(OSError):
            os.sched_setaffinity(0, cores)
    if scheduling[0] == "1":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, 19)
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - without imports
            file.write("1000")


def start(cwd: str, command: list[str]) -> None:
    """Become the command."""
    os.setsid()
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    try:
        os.chdir(cwd)
        os.execv(command[0], command)  # noqa: S606 - what it is for
    except FileNotFoundError:
        os._exit(127)
    except OSError:
        os._exit(126)


if __name__ == "__main__":
    main()
