"""Keeps packs on a results root that is not mounted here, through the queue's host, over ssh.

The first request starts the program there, which stays for the command's life. If a command has
seen a pack there within the last 10 minutes, this module does not ask for it again, so enqueueing
unchanged code costs no round trip.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mlq.code.manifest import Manifest
from mlq.errors import StorageError
from mlq_cli.remote.far_python import BROKEN, Open, line, program_text, start_program
from mlq_cli.remote.far_shell import FarShell

_MODULES = (
    "mlq.errors",
    "mlq.ids",
    "mlq.files.paths",
    "mlq.files.layout",
    "mlq.files.strict_files",
    "mlq.files.root",
    "mlq.code.manifest",
    "mlq.code.packing",
    "mlq.code.storing",
    "mlq_cli.remote.far_packer",
)
_FRESH_S = 600.0
_BASES = 3
_SEEN = "seen "
_SEEN_PACK = re.compile(rf"{_SEEN}([0-9a-f]{{64}}) ")


class FarShelf:
    """Keeps packs on the queue's host.

    Args:
        root: the results root, by the path that the machines use.
        host: the queue's host, for messages.
        open_shell: starts a command there.
        queue: returns the queue's id and its root.
        now_s: unix time.
    """

    def __init__(
        self,
        root: Path,
        host: str,
        open_shell: Open,
        queue: Callable[[], tuple[str, str]],
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._root, self._host, self._open, self._now_s = str(root), host, open_shell, now_s
        self._place = f"{host}:{root}"
        self._shell: FarShell | None = None
        self._queue = queue
        self._known: dict[str, list[Any]] = {}

    @contextmanager
    def opened(self, known: dict[str, list[Any]]) -> Iterator[FarShelf]:
        """Use what is remembered about the packs there, and add what is found."""
        self._known = known
        yield self

    def keep(
        self, manifest: Manifest, links: bytes, content_of: Callable[[str], bytes]
    ) -> tuple[str, str]:
        """Store a pack there unless it exists; see `mlq.code.storing.Shelf.keep`.

        Raises:
            MlqError: the host cannot be reached, or the root there cannot be used.
        """
        text = manifest.text()
        digest = hashlib.sha256(text).hexdigest()
        links_digest = hashlib.sha256(links).hexdigest() if links else ""
        if not self._is_fresh(f"{digest} {links_digest}"):
            asked = {"have": digest, "links": links_digest, "known": self._of(digest, links_digest)}
            found = self._ask(asked)
            if not found["whole"]:
                found = self._send(digest, text, links, content_of)
            self._known.update(found["known"])
            self._see(f"{digest} {links_digest}")
        return digest, links_digest

    def keep_text(self, name: str, text: bytes) -> None:
        """Store a text file there, for people to read."""
        data = zlib.compress(text)
        self._ask({"text": len(data), "name": name}, data)

    def missing_folders(self, known: dict[str, list[Any]], folders: Sequence[str]) -> list[str]:
        """Return which of these are not folders there; a folder seen lately is not asked about."""
        self._known = known
        asked = [one for one in folders if not self._is_fresh(one)]
        missing = self._ask({"folders": asked})["missing"] if asked else []
        for one in asked:
            if one not in missing:
                self._see(one)
        return [str(one) for one in missing]

    def listed(self, place: str, folders: Sequence[str]) -> list[str]:
        """Return the names in these folders of a place there; names of folders end in /."""
        return [str(one) for one in self._ask({"place": place, "inside": [*folders]})["there"]]

    def close(self) -> None:
        """End the connection."""
        shell, self._shell = self._shell, None
        if shell is not None:
            with suppress(OSError):
                shell.close()

    def _of(self, digest: str, links_digest: str) -> dict[str, list[Any]]:
        names = (f"{digest}.manifest", f"{digest}.tgz", f"{links_digest}.links")
        return {name: self._known[name] for name in names if name in self._known}

    def _send(
        self, digest: str, text: bytes, links: bytes, content_of: Callable[[str], bytes]
    ) -> dict[str, Any]:
        seen = [match[1] for one in self._known if (match := _SEEN_PACK.match(one))]
        bases = [one for one in reversed(seen) if one != digest][:_BASES]
        head, tail = zlib.compress(text), zlib.compress(links)
        asked = {"manifest": len(head), "links": len(tail), "bases": bases}
        missing = self._ask(asked, head + tail)["missing"]
        data = zlib.compress(b"".join(content_of(str(path)) for path in missing))
        return self._ask({"contents": len(data)}, data)

    def _is_fresh(self, what: str) -> bool:
        seen = self._known.get(f"{_SEEN}{what}", [0.0, ""])
        return bool(seen[1:] == [self._place]) and abs(self._now_s() - seen[0]) < _FRESH_S

    def _see(self, what: str) -> None:
        self._known.pop(f"{_SEEN}{what}", None)  # so that it becomes the last entry
        self._known[f"{_SEEN}{what}"] = [self._now_s(), self._place]

    def _ask(self, request: dict[str, Any], data: bytes = b"") -> dict[str, Any]:
        shell = self._started()
        try:
            shell.stdin.write(json.dumps(request).encode() + b"\n" + data)
            shell.stdin.flush()
            reply = line(shell)
        except BROKEN:
            why = shell.why_ended()
            self.close()
            raise why from None
        if "error" in reply:
            what = f"{reply['error']} on {self._host}"
            raise StorageError(what, why=str(reply["why"]), fix=str(reply["fix"]))
        return reply

    def _started(self) -> FarShell:
        if self._shell is None:
            queue_id, known_root = self._queue()
            there = f"{self._root!r}, {queue_id!r}, {known_root!r}"
            call = f"last.serve({there}, sys.stdin.buffer, sys.stdout.buffer)"
            text = program_text(_MODULES, call)
            self._shell, _ = start_program(self._open, self._root, self._host, text)
        return self._shell
