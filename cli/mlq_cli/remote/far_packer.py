"""Keeps packs on the results root: sent as text, it runs on the queue's host.

A laptop that does not mount the root sends the code of its jobs over ssh, but only what the host
lacks: nothing of a pack that is there, and of a new pack the files that no earlier pack holds. It
uses the standard library only, and Python 3.10 is enough, as for `mlq_cli.remote.far_reader`.

Each request is one line of JSON, and some are followed by bytes, compressed by zlib. Each reply is
one line:

* `{"folders": [PATH, ...]}`: `{"missing": [PATH, ...]}`: which of these paths are not folders.
* `{"place": PATH, "inside": [PATH, ...]}`: `{"there": [PATH, ...]}`: what is in these folders of a
  place, up to so much of each; folders end in /.
* `{"have": PACK, "links": LINKS, "known": {...}}`: `{"whole": BOOL, "known": {...}}`: whether the
  pack is there. `known` says what was whole when it was last looked at.
* `{"manifest": N, "links": M, "bases": [PACK, ...]}` and N + M bytes: `{"missing": [PATH, ...]}`:
  the files of the pack whose content is in none of these other packs.
* `{"contents": N}` and N bytes, the contents of these files in their order: the pack is written,
  `{"known": {...}}`.
* `{"text": N, "name": NAME}` and N bytes: a file beside the packs: `{}`.

Instead of any reply: `{"error": WHAT, "why": WHY, "fix": FIX}`. The program sends the first line,
`{}`, before any request.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from mlq.code.manifest import Manifest, parse_manifest
from mlq.code.storing import Shelf, opened_root
from mlq.errors import MlqError

_TEXT_NAME = re.compile(r"[0-9a-f]{64}\.[0-9a-f]{12}\.diff")
_MOST_BYTES = 64 << 20
_MOST_LISTED = 10_000


class Packer:
    """Answers the requests of one command.

    Args:
        root: the results root.
        queue_id, known_root: see `mlq.code.storing.opened_root`.
        requests: the stream with the bytes that follow a request.
    """

    def __init__(self, root: str, queue_id: str, known_root: str, requests: BinaryIO) -> None:
        self._root, self._queue = Path(root), (queue_id, known_root)
        self._requests = requests
        self._new: tuple[Manifest, bytes] | None = None
        self._contents: dict[str, bytes] = {}
        self._missing: list[str] = []

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            MlqError: the root belongs to another queue, or cannot be used.
        """
        if "folders" in asked:
            return {"missing": [one for one in asked["folders"] if not os.path.isdir(one)]}  # noqa: PTH112
        if "inside" in asked:
            return {"there": [one for inside in asked["inside"] for one in _in(asked, inside)]}
        known: dict[str, list[Any]] = dict(asked.get("known", {}))
        if "have" in asked:
            with self._shelf(known) as shelf:
                return {"whole": shelf.has(asked["have"], asked["links"]), "known": known}
        if "manifest" in asked:
            return self._expect(asked)
        if "contents" in asked:
            return self._keep(asked)
        text = self._bytes(asked["text"])
        if _TEXT_NAME.fullmatch(asked["name"]):
            with self._shelf({}) as shelf:
                shelf.keep_text(asked["name"], text)
        return {}

    def _expect(self, asked: dict[str, Any]) -> dict[str, Any]:
        text, links = self._bytes(asked["manifest"]), self._bytes(asked["links"])
        manifest = parse_manifest(text, hashlib.sha256(text).hexdigest())
        self._new, self._contents = (manifest, links), {}
        wanted = {one.sha256 for one in manifest.files}
        with self._shelf({}) as shelf:
            for base in asked["bases"]:
                if not wanted <= self._contents.keys():
                    self._contents |= shelf.contents(base)
        self._missing = [one.path for one in manifest.files if one.sha256 not in self._contents]
        return {"missing": self._missing}

    def _keep(self, asked: dict[str, Any]) -> dict[str, Any]:
        text = self._bytes(asked["contents"])
        if self._new is None:
            raise MlqError("no pack was announced")
        manifest, links = self._new
        digests = {one.path: one.sha256 for one in manifest.files}
        sizes = {one.path: one.size for one in manifest.files}
        at = 0
        for path in self._missing:
            content = text[at : at + sizes[path]]
            at += sizes[path]
            if hashlib.sha256(content).hexdigest() != digests[path]:
                raise MlqError(f"{path} came damaged")
            self._contents[digests[path]] = content
        known: dict[str, list[Any]] = {}
        with self._shelf(known) as shelf:
            shelf.keep(manifest, links, lambda path: self._contents[digests[path]])
        return {"known": known}

    def _bytes(self, length: int) -> bytes:
        data = self._requests.read(length)
        return zlib.decompressobj().decompress(data, _MOST_BYTES) if data else b""

    @contextmanager
    def _shelf(self, known: dict[str, list[Any]]) -> Iterator[Shelf]:
        with opened_root(self._root, *self._queue) as opened:
            yield Shelf(opened, known, time.time)


def _in(asked: dict[str, Any], inside: str) -> list[str]:
    try:
        with os.scandir(f"{asked['place']}/{inside}") as found:
            return [
                f"{inside}{one.name}{'/' if one.is_dir() else ''}"
                for one in islice(found, _MOST_LISTED)
            ]
    except OSError:
        return []


def serve(root: str, queue_id: str, known_root: str, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more."""
    packer = Packer(root, queue_id, known_root, requests)
    _say(replies, {})
    for line in requests:
        try:
            reply = packer.answer(json.loads(line))
        except MlqError as error:
            reply = {"error": error.what, "why": error.why, "fix": error.fix}
        _say(replies, reply)


def _say(replies: BinaryIO, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply).encode() + b"\n")
    replies.flush()
