"""Memory cgroups for tests: real limits, and so processes that the kernel really kills."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from ci import require
from waiting import wait_for

_ROOTS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
)


@contextmanager
def limited(mib: int) -> Iterator[Path]:
    """Yield the file that a process enters a cgroup by that has so much memory; or skip."""
    made = _made(mib)
    require(made, "the right to make memory cgroups (root)")
    assert made is not None
    try:
        yield made / "cgroup.procs"
    finally:
        wait_for(lambda: not (made / "cgroup.procs").read_text(), what="an empty cgroup")
        made.rmdir()


def _made(mib: int) -> Path | None:
    for root, limit in _ROOTS:
        folder = root / f"mlq-test-{uuid4().hex[:12]}"
        with suppress(OSError):
            folder.mkdir()
            if (folder / limit).exists():
                (folder / limit).write_text(str(mib << 20))
                with suppress(OSError):
                    (folder / "memory.swap.max").write_text("0")
                return folder
            folder.rmdir()
    return None
