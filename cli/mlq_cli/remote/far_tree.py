"""Lists and sends the files of jobs: here, or, sent as text, on the queue's host.

`mlq pull` uses it (`mlq_cli.remote.far_jobs` says how it gets there). It uses the standard library
only, and Python 3.10 is enough. Jobs may put anything into their folders, and may change it at any
moment. So each folder and file is opened from the folder above it, without following links and
without waiting for pipes; no more of a file is sent than it had when it was opened.

Each request is one line of JSON:

* `{"list": [PLACE, ...]}`, folders of jobs relative to the root: for each of them, in any order,
  lines `{"place": PLACE, "files": [[path, size, mtime_ns, is_program], ...], "others":
  [[path, why], ...]}`; a line `{"end": true}` is the last.
* `{"send": [[PATH, OFFSET, DIGEST], ...]}`, relative to the root: for each of them, in order, a
  line `{"found": "Content", "size": N, "mtime_ns": N, "is_program": BOOL, "start": N}`, then
  pieces, each a line `{"bytes": N}` and so many bytes, the last one with 0 and `"is_same"`:
  whether the file was not changed meanwhile. Or `{"found": "Absent"}`, and likewise `Unreadable`
  and `Refused`, with a `why`. The pieces begin at the offset if the bytes before it have that
  digest, else at 0.

The program sends the first line before any request: `{"root": BOOL}`.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from mlq.files.side_by_side import each
from mlq.files.strict_files import Missing, Unreadable
from mlq_cli.remote.far_walk import Folders, Listed, Other, files_of

PIECE_BYTES = 1 << 20
_ROWS_A_LINE = 500


class Want(NamedTuple):
    """A file to send.

    Args:
        path: relative to the root.
        start: how many bytes of it the caller has.
        digest: of these (`digest_of`).
    """

    path: str
    start: int = 0
    digest: str = ""


class Sending(NamedTuple):
    """A file that is there.

    Args:
        size, mtime_ns, is_program: of the file when it was opened.
        start: where the pieces begin.
        pieces: its bytes from there on; they may be fewer than `size` says. To be read once, to the
            end.
        is_same: returns, after the last piece, whether the file was not changed meanwhile; it may
            have grown.
    """

    size: int
    mtime_ns: int
    is_program: bool
    start: int
    pieces: Iterator[bytes]
    is_same: Callable[[], bool]


Found = Callable[[str, Sequence[Listed], Sequence[Other]], None]
"""Called with a job's folder and (some of) what is in it, by one thread at a time."""


def list_all(root: str, places: Iterable[str], found: Found) -> None:
    """List the files of jobs; raises OSError only if the root cannot be opened.

    Args:
        root: the results root.
        places: the folders of the jobs, relative to the root.
        found: takes what is found.
    """
    one_at_a_time = threading.Lock()
    known: dict[str, Any] = {}

    def list_one(place: str) -> None:
        files: list[Listed] = []
        others: list[Other] = []
        for one in files_of(root, place, known):
            (files if isinstance(one, Listed) else others).append(one)  # type: ignore[arg-type]
        with one_at_a_time:
            found(place, files, others)

    os.close(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    each(places, list_one)


def send_all(root: str, wants: Iterable[Want]) -> Iterator[Sending | Missing]:
    """Yield each file, in order; the pieces of one must be read before the next is asked for."""
    with Folders(root) as folders:
        for want in wants:
            opened = folders.open_file(want.path)
            if not isinstance(opened, int):
                yield opened
                continue
            try:
                yield _sending(opened, want)
            except OSError as error:
                yield Unreadable(error.strerror or str(error))
            finally:
                os.close(opened)


def _sending(opened: int, want: Want) -> Sending:
    status = os.fstat(opened)
    start = want.start if 0 < want.start <= status.st_size else 0
    if start and digest_of(opened, start) != want.digest:
        start = 0

    def is_same() -> bool:
        now = os.fstat(opened)
        if now.st_size > status.st_size:
            return True  # as a log grows
        return (now.st_size, now.st_mtime_ns) == (status.st_size, status.st_mtime_ns)

    pieces = _pieces(opened, start, status.st_size)
    is_program = bool(status.st_mode & 0o100)
    return Sending(status.st_size, status.st_mtime_ns, is_program, start, pieces, is_same)


def _pieces(opened: int, start: int, size: int) -> Iterator[bytes]:
    while start < size and (piece := os.pread(opened, min(PIECE_BYTES, size - start), start)):
        start += len(piece)
        yield piece


def digest_of(opened: int, length: int) -> str:
    """Return the digest of the first bytes of an open file, of all if it has fewer."""
    digest = hashlib.blake2b(digest_size=32)
    for piece in _pieces(opened, 0, length):
        digest.update(piece)
    return digest.hexdigest()


def serve(root: str, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more."""
    _say(replies, {"root": os.path.isfile(f"{root}/queue.json")})  # noqa: PTH113 - runs alone
    replies.flush()
    for line in requests:
        asked = json.loads(line)
        if "list" in asked:
            list_all(root, asked["list"], lambda *found: _say_listed(replies, *found))
            _say(replies, {"end": True})
        else:
            for sending in send_all(root, (Want(*one) for one in asked["send"])):
                _send(sending, replies)
        replies.flush()


def _say_listed(
    replies: BinaryIO, place: str, files: Sequence[Listed], others: Sequence[Other]
) -> None:
    for at in range(0, max(len(files), len(others), 1), _ROWS_A_LINE):
        rows = slice(at, at + _ROWS_A_LINE)
        _say(replies, {"place": place, "files": files[rows], "others": others[rows]})


def _send(sending: Sending | Missing, replies: BinaryIO) -> None:
    if not isinstance(sending, Sending):
        _say(replies, {"found": type(sending).__name__, **sending._asdict()})
        return
    head = dict(zip(sending._fields[:4], sending[:4], strict=True))
    _say(replies, {"found": "Content", **head})
    last: dict[str, Any] = {"bytes": 0}
    try:
        for piece in sending.pieces:
            _say(replies, {"bytes": len(piece)}, piece)
        last["is_same"] = sending.is_same()
    except OSError as error:
        last["why"] = error.strerror or str(error)
    _say(replies, last)


def _say(replies: BinaryIO, reply: dict[str, Any], data: bytes = b"") -> None:
    replies.write(json.dumps(reply).encode() + b"\n" + data)
