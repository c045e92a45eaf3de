"""Reads the code of jobs from the results root, whether that is mounted here or not.

Each pack is checked against the hash in its name. So a pack that was cut short or swapped is an
error, and a command never shows it as the code that a job ran.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlq.api.queue import Queue
from mlq.code.manifest import Manifest, parse_links, parse_manifest
from mlq.code.packing import DamagedPackError, contents
from mlq.code.tree import Tree
from mlq.errors import InvalidInputError, StorageError
from mlq.files.strict_files import MIB, Absent, Missing
from mlq.store.templates import STORED, Raw, whole_specs
from mlq.submit.secrecy import given
from mlq_cli.root_files import RootFiles

_MOST_BYTES = 256 * MIB


class JobCode(NamedTuple):
    """The code that a job's spec names; the fields are those of `mlq.jobs.spec.Code`."""

    job_id: str
    code: dict[str, Any]


def has_code(queue: Queue, job_id: str) -> bool:
    """Return whether a job runs code of its own."""
    return bool(_codes(queue, [job_id])[0].code)


def codes_of(queue: Queue, ids: Sequence[str]) -> list[JobCode]:
    """Return the code of each job.

    If several jobs have the same code, only the first is returned, so a sweep counts as one.

    Raises:
        InvalidInputError: one of them runs in the live folder.
    """
    found: dict[str, JobCode] = {}
    for one in _codes(queue, ids):
        if not one.code:
            raise InvalidInputError(
                f"job {one.job_id} has no code of its own",
                why="it was enqueued to run in the live folder",
            )
        found.setdefault(str(one.code["pack"]), one)
    return list(found.values())


def _codes(queue: Queue, ids: Sequence[str]) -> list[JobCode]:
    raws = [Raw(*row) for row in queue.store.reads.rows(STORED, ids)]
    specs = whole_specs(queue.store.client, raws)
    return [JobCode(raw.id, given(spec).code) for raw, spec in zip(raws, specs, strict=True)]


class Packs:
    """Reads packs.

    Args:
        files: the results root.
        root: its folder, by the path that the machines use.
    """

    def __init__(self, files: RootFiles, root: Path) -> None:
        self._files, self._folder = files, root / "code"

    def manifest(self, digest: str) -> Manifest:
        """Return the manifest of a pack.

        Raises:
            StorageError: it does not exist, cannot be read, or is damaged.
        """
        try:
            return parse_manifest(self._bytes(f"{digest}.manifest"), digest)
        except InvalidInputError as error:
            raise _damaged(f"{self._folder}/{digest}.manifest", error.why) from None

    def tree(self, digest: str) -> Tree:
        """Return a pack's files; the contents are read when the first one is needed."""
        manifest = self.manifest(digest)
        read: dict[str, bytes] = {}

        def content_of(path: str) -> bytes:
            if not read:
                name = f"{digest}.tgz"
                try:
                    read.update(contents(io.BytesIO(self._bytes(name)), manifest))
                except DamagedPackError:
                    raise _damaged(
                        f"{self._folder}/{name}", "it was cut short, or changed"
                    ) from None
            return read[path]

        return Tree.of(manifest, content_of)

    def links(self, digest: str) -> tuple[str, ...]:
        """Return the paths that were live; none if there is no list of them."""
        if not digest:
            return ()
        try:
            return parse_links(self._bytes(f"{digest}.links"), digest)
        except InvalidInputError as error:
            raise _damaged(f"{self._folder}/{digest}.links", error.why) from None

    def _bytes(self, name: str) -> bytes:
        path = self._folder / name
        found = self._files.open_log(path, 0)
        if isinstance(found, Missing):
            gone = "it is not there; `mlq clean` deletes code that no listed job needs"
            why = gone if isinstance(found, Absent) else f"it {found.why}"
            raise StorageError(f"cannot read {path}", why=why)
        if found.size > _MOST_BYTES:
            raise StorageError(f"cannot read {path}", why=f"it has {found.size} bytes")
        return b"".join(found.pieces)


def _damaged(path: str, why: str) -> StorageError:
    return StorageError(
        f"the code in {path} is damaged", why=why, fix="enqueue the job again: that mends it"
    )
