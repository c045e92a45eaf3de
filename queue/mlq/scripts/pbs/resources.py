"""What `-l` asks for: PBS's chunks (`select=1:ncpus=4:mem=8gb`), Torque's `nodes=1:ppn=4`.

A job of mlq runs on one machine, so more than one chunk or node is refused. Sites name resources of
their own; such a name is no mistake and has no effect, unless it looks like a slip of the pen for
one that has.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from mlq.errors import InvalidInputError
from mlq.scripts.pbs.values import size_mib, time_s, whole

_MOST = 10**6
_KNOWN = (
    "select", "nodes", "walltime", "ncpus", "mem", "ngpus", "gpus", "gpu_type", "gpu_model", "host",
    "vnode", "ppn", "procs", "mpiprocs", "ompthreads", "pmem",
)  # fmt: skip
_NO_EFFECT = frozenset(
    ("place", "cput", "pcput", "vmem", "pvmem", "file", "nice", "arch", "software", "min_walltime",
     "max_walltime", "accelerator", "naccelerators", "feature", "qos", "prologue", "epilogue")
)  # fmt: skip


@dataclass(kw_only=True)
class Resources:
    """What one job asks for; None and "" where it says nothing."""

    cores: int | None = None
    mem_mib: int | None = None
    mem_per_task_mib: int | None = None
    gpus: int | None = None
    gpu_type: str = ""
    time_limit_s: float | None = None
    machine: str = ""
    tasks: int = 0
    threads: int = 0
    without_effect: list[str] = field(default_factory=list)

    def read(self, text: str) -> None:
        """Add what one `-l` says.

        Raises:
            InvalidInputError: a number is wrong, or it asks for several machines.
        """
        for part in text.split(","):
            name, is_set, value = part.strip().partition("=")
            if name == "select":
                self._select(value)
            elif name == "nodes":
                self._nodes(value)
            else:
                self._set(name, value, is_set)

    def _select(self, text: str) -> None:
        chunks = text.split("+")
        if len(chunks) > 1:
            raise _several(f"it selects {len(chunks)} chunks")
        words = chunks[0].split(":")
        count = words.pop(0) if words[0].isdecimal() else "1"
        if whole(count, 1, _MOST) != 1:
            raise _several(f"it selects {count} chunks")
        for word in words:
            name, is_set, value = word.partition("=")
            self._set(name, value, is_set)
        self.tasks = self.tasks or 1

    def _nodes(self, text: str) -> None:
        if "+" in text:
            raise _several("it asks for several nodes")
        first, *words = text.split(":")
        if not first.isdecimal():
            self.machine = first
        elif whole(first, 1, _MOST) != 1:
            raise _several(f"it asks for {first} nodes")
        for word in words:
            name, is_set, value = word.partition("=")
            if name == "ppn":
                self.cores = self.tasks = whole(value, 1, _MOST)
            elif is_set:
                self._set(name, value, is_set)
            else:
                self.without_effect.append(f"the property {word} of a node")

    def _set(self, name: str, value: str, is_set: str) -> None:
        if not name or not is_set or not value:
            raise InvalidInputError(f"the resource {name!r} needs a value", fix="as in ncpus=4")
        if name in ("ncpus", "ppn"):
            self.cores = whole(value, 1, _MOST)
        elif name == "procs":
            self.cores = self.tasks = whole(value, 1, _MOST)
        elif name == "mem":
            self.mem_mib = size_mib(value)
        elif name == "pmem":
            self.mem_per_task_mib = size_mib(value)
        elif name in ("ngpus", "gpus"):
            self.gpus = whole(value, 0, _MOST)
        elif name in ("gpu_type", "gpu_model"):
            self.gpu_type = value
        elif name == "walltime":
            self.time_limit_s = time_s(value)
        elif name in ("host", "vnode"):
            self.machine = value
        elif name == "mpiprocs":
            self.tasks = whole(value, 1, _MOST)
        elif name == "ompthreads":
            self.threads = whole(value, 1, _MOST)
        else:
            self._other(name, value)

    def _other(self, name: str, value: str) -> None:
        close = _close_to(name, _KNOWN)
        if name not in _NO_EFFECT and close:
            raise InvalidInputError(f"{name} is no resource", fix=f"perhaps you mean {close}")
        self.without_effect.append(f"-l {name}={value}")


def _close_to(name: str, known: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(name, known, 1, 0.75)), "")


def _several(why: str) -> InvalidInputError:
    return InvalidInputError(
        "a job of mlq runs on one machine",
        why=why,
        fix="ask for one chunk with more cores: select=1:ncpus=8",
    )
