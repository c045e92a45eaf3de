"""Packs of code that no job needs any more: which they are, how large, and how mlq removes them.

A job that is listed needs its pack, ended or not: it may be run again. The driver of a search needs
that of the members which it makes. A job that is being enqueued
is not listed yet, so a file that was written or touched within `FRESH_S` seconds stays
(`mlq.code.storing` touches the files that it uses again). A file is put aside first and checked
once more, so that it comes back if a job needed it meanwhile. Invariant: the pack of a listed job
stays.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mlq.code.storing import FRESH_S
from mlq.files.layout import Layout
from mlq.lenient import dict_or_empty
from mlq.search.order import code_of
from mlq.store.store import Store
from mlq.store.templates import shared_fields

_FILE = re.compile(r"([0-9a-f]{64})\.(?:tgz|manifest|links|[0-9a-f]+\.diff)")
_LEFT = re.compile(r"\..*\.(?:tmp|cleaned)")  # files that an interrupted command left
_TEMPLATE = re.compile(r"([0-9a-f]{16,}) \[")
_BLOCK_BYTES = 512  # stat(2)


class UnneededPack(NamedTuple):
    """Files of one pack, or one list of links, that no job needs."""

    digest: str
    files: tuple[str, ...]
    size_bytes: int


def needed(store: Store) -> frozenset[str]:
    """Return the hashes of all packs and lists of links that listed jobs need."""
    specs: set[str] = set()
    for page in store.reads.pages(("status", "mlq_spec"), "jobs"):
        for _, _, spec in page:
            match = _TEMPLATE.match(spec)
            specs.add(match[1] if match else spec)
    digests = [one for one in specs if not one.startswith("{")]
    fields = [*shared_fields(store.client, digests).values()]
    fields += [dict_or_empty(one) for one in specs if one.startswith("{")]
    codes = [one.get("code") for one in fields] + [code_of(one) for one in fields]
    return frozenset(name for code in codes for name in _hashes(code))


def _hashes(code: Any) -> Iterator[str]:
    if isinstance(code, dict):
        yield from (str(code.get(name, "")) for name in ("pack", "links"))
        also = code.get("also", ())
        for one in also if isinstance(also, list) else ():
            yield from _hashes(one)


def unneeded(
    layout: Layout, ask_needed: Callable[[], frozenset[str]], now_s: float
) -> list[UnneededPack]:
    """Return the packs that no job needs, and none has needed for a day.

    Args:
        layout: of the results root, opened and looked at (`mlq.files.root.pinned`).
        ask_needed: returns what jobs need; called after the files were listed.
        now_s: unix time.
    """
    found: dict[str, list[tuple[str, os.stat_result]]] = {}
    for name, status in _listed(layout.code_dir):
        match = _FILE.fullmatch(name)
        if match or _LEFT.fullmatch(name):
            found.setdefault(match[1] if match else "", []).append((name, status))
    jobs_need = ask_needed()
    return [
        UnneededPack(
            digest,
            tuple(name for name, _ in files),
            sum(status.st_blocks for _, status in files) * _BLOCK_BYTES,
        )
        for digest, files in sorted(found.items())
        if digest not in jobs_need
        if all(status.st_mtime < now_s - FRESH_S for _, status in files)
    ]


def remove(layout: Layout, pack: UnneededPack, now_s: float) -> bool:
    """Remove a pack; return whether all of it is gone: files that a job needed meanwhile stay.

    Raises:
        OSError: it cannot be removed.
    """
    folder = layout.code_dir
    # The archive goes first: without it, the next command that enqueues writes all files anew.
    names = sorted(pack.files, key=lambda name: not name.endswith(".tgz"))
    return all(_is_removed(folder, name, now_s) for name in names)


def _is_removed(folder: Path, name: str, now_s: float) -> bool:
    path, aside = folder / name, folder / f".{name}.cleaned"
    with suppress(FileNotFoundError):
        if path.lstat().st_mtime >= now_s - FRESH_S:
            return False
        path.rename(aside)
        if aside.lstat().st_mtime >= now_s - FRESH_S:
            aside.rename(path)
            return False
        aside.unlink()
    return True


def _listed(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        yield entry.name, status
    except FileNotFoundError:
        return
