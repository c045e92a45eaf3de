"""Whether a failed attempt ran out of memory, by the end of its log and the kernel's count. Pure.

An exit code does not tell: `kill -9` and a shell that reports it look the same. The kernel counts
each process that it kills for want of memory, and frameworks say so in the last error they print.
An earlier error that the job survived (many catch the first one and try a smaller batch) does not
count, if another error ended it.
"""

from __future__ import annotations

import re
import signal

from mlq_worker.ipc.shortage import Shortage

TAIL_BYTES = 1 << 14

_GPU = re.compile(
    rb"CUDA out of memory|CUDA error: out of memory|CUDNN_STATUS_ALLOC_FAILED"
    rb"|HIP out of memory|(?:torch\.|torch\.cuda\.)OutOfMemoryError|CUDA_ERROR_OUT_OF_MEMORY"
)
# JAX and TensorFlow say the same of GPUs and of main memory; gRPC says it of quotas.
_EITHER = re.compile(
    rb"RESOURCE_EXHAUSTED: *[^\n]{0,200}(?:[Oo]ut of memory|allocat)"
    rb"|ResourceExhaustedError[^\n]{0,200}(?:OOM|allocat|[Oo]ut of memory)"
    rb"|OOM when allocating"
)
_MAIN = re.compile(
    rb"^(?:[\w.]*\.)?_?(?:Array)?MemoryError(?::|\s*$)|std::bad_alloc"
    rb"|DefaultCPUAllocator: (?:can't allocate memory|not enough memory)"
    rb"|OSError: \[Errno 12\] Cannot allocate memory",
    re.MULTILINE,
)
_ON_CPU = re.compile(rb"device:CPU|\bCPU_?0\b|on platform Host|allocator cpu|by allocator mklcpu")
_ERROR = re.compile(
    rb"^(?:\[rank\d+\]: *)?[A-Za-z_][\w.]*(?:Error|Exception|Interrupt)\b", re.MULTILINE
)
# Errors that only tell of another one: of a child, or while the first was handled.
_TELLS = re.compile(rb"ChildFailedError|DataLoader worker|CalledProcessError|BrokenProcessPool")
_CHAINED = re.compile(rb"During handling of the above|The above exception was")
_KILLED = re.compile(
    rb"\bKilled\b|killed by signal|SIGKILL|TerminatedWorkerError|BrokenProcessPool"
)

_SIZE = rb"([\d.]+) ([KMG]iB|bytes)"
_HAD = re.compile(rb"this process has " + _SIZE + rb" memory in use")
_WANTED = re.compile(rb"[Tt]ried to allocate " + _SIZE)
_CARD = re.compile(rb"total capacity of " + _SIZE)
_MIB = {b"bytes": 2**-20, b"KiB": 2**-10, b"MiB": 1.0, b"GiB": 1024.0}
_SHELL_KILLED = 128 + signal.SIGKILL


def find(
    tail: bytes, exit_code: int | None, signal_number: int | None, *, kills: bool, has_gpu: bool
) -> Shortage | None:
    """Return the shortage that ended a failed attempt; None if none is to be seen.

    Args:
        tail: the end of its log.
        exit_code: of its first process; None if a signal ended that.
        signal_number: the signal that ended it; None if none did.
        kills: whether the kernel killed a process for want of memory just before the end.
        has_gpu: whether it was given a GPU.
    """
    said = _said(tail, has_gpu=has_gpu)
    if kills and (
        signal_number == signal.SIGKILL or exit_code == _SHELL_KILLED or _KILLED.search(tail)
    ):
        return said if said is not None and said.of_gpu else Shortage(of_gpu=False, killed=True)
    return said


def _said(tail: bytes, *, has_gpu: bool) -> Shortage | None:
    """Return the shortage that the last error in a log tells of."""
    tail = tail.replace(b"\r\n", b"\n")
    last = _last(tail)
    if last is None:
        return None
    of_gpu, at, end = last
    for error in _ERROR.finditer(tail, end):
        line = tail[error.start() : _line_end(tail, error.start())]
        if not _TELLS.search(line) and not _CHAINED.search(tail, at, error.start()):
            return None
    line = tail[tail.rfind(b"\n", 0, at) + 1 : _line_end(tail, at)]
    if of_gpu is None:
        of_gpu = has_gpu and not _ON_CPU.search(line)
    return Shortage(of_gpu, *_figures(line)) if of_gpu else Shortage(of_gpu=False)


def _last(tail: bytes) -> tuple[bool | None, int, int] | None:
    found: list[tuple[bool | None, int, int]] = [
        (of_gpu, match.start(), _line_end(tail, match.start()))
        for of_gpu, pattern in ((True, _GPU), (None, _EITHER), (False, _MAIN))
        for match in pattern.finditer(tail)
    ]
    return max(found, key=lambda one: one[1], default=None)


def _line_end(tail: bytes, at: int) -> int:
    end = tail.find(b"\n", at)
    return len(tail) if end < 0 else end


def _figures(line: bytes) -> tuple[int, int]:
    """Return what PyTorch says it had and wanted, and what its GPU has, in MiB; 0 if not said."""
    had, wanted, card = (_mib(one.search(line)) for one in (_HAD, _WANTED, _CARD))
    return round(had + wanted) if had and wanted else 0, round(card)


def _mib(found: re.Match[bytes] | None) -> float:
    try:
        return float(found[1]) * _MIB[found[2]] if found is not None else 0.0
    except ValueError:
        return 0.0
