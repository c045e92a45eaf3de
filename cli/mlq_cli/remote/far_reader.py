"""Reads logs and metrics below the results root: here, or, sent as text, on the queue's host.

A laptop does not mount the results root, but its ssh connection leads to a host that does. That
host may have no mlq, or another version; so this file and `mlq.files.strict_files` travel there and
run under its own Python, with what makes rows of a log. They use the standard library only, and
Python 3.10 is enough. Logs may have many gigabytes: the last rows are looked for from the end, and
a log is searched where it lies.

Each request is one line of JSON. The program answers each at once, in order:

* `{"log": PATH, "offset": N, "rows": N or null}`: `{"found": "Content", "size": N, "begin": N}`,
  then pieces, each a line `{"bytes": N}` and so many bytes, the last one with 0. Or
  `{"found": "Absent"}`, and likewise `Unreadable` and `Refused`, with a `why`.
* the same with `"search": REGEX`: the pieces are the rows that match.
* `{"folders": [PATH, ...]}`: `{"missing": [PATH, ...]}`: which of these are not folders there.
* `{"metrics": [FOLDER, ...], "bounds": [N, BYTES]}`, folders of jobs: `{"jobs": N}`, then for each
  metrics file of an attempt a line `{"job": INDEX, "attempt": N, "bytes": N}` and so many bytes,
  compressed by zlib; after each job `{"read": N}`, how many jobs are read; so the last line has the
  number of all.

The program sends the first line before any request: `{"root": BOOL}`, whether the results root is
there.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO, NamedTuple

from mlq.files.metrics_files import ALL, Bounds, metrics_files
from mlq.files.side_by_side import results
from mlq.files.strict_files import Absent, Missing, Unreadable, open_file
from mlq_cli.remote.log_search import (
    PIECE_BYTES,
    begin_of_last,
    begin_of_row,
    behind_newline,
    ended_with,
    last_matches,
    matches,
)

_JOBS_AT_ONCE = 16  # so many jobs' metrics are in memory together


class Log(NamedTuple):
    """A log that exists.

    Args:
        size: how many of its bytes were looked at.
        pieces: from it, to be read once.
        begin: the offset at which the pieces begin.
    """

    size: int
    pieces: Iterator[bytes]
    begin: int = 0


def open_log(root: str, path: str, offset: int, rows: int | None = None) -> Log | Missing:
    """Open a log below the root.

    Args:
        root: the results root.
        path: the absolute path of the log.
        offset: the byte at which to begin.
        rows: begin with a whole row, and so that there are about so many; 0 means all.
    """
    opened = _open(root, path)
    if not isinstance(opened, int):
        return opened
    size = os.fstat(opened).st_size
    if rows is not None:
        offset = begin_of_row(opened, min(offset, size))
    if rows:
        offset = max(offset, begin_of_last(opened, size, rows))
    return Log(size, _pieces(opened, offset), offset)


def search_log(root: str, path: str, offset: int, pattern: str, rows: int = 0) -> Log | Missing:
    """Look in a log for rows that match; the `size` of what is returned ends with a whole row.

    Args:
        root: the results root.
        path: the absolute path of the log.
        offset: the byte at which to begin.
        pattern: a regular expression, to be found in a row without its colours.
        rows: only so many, the last ones; 0 means all.
    """
    opened = _open(root, path)
    if not isinstance(opened, int):
        return opened
    size = os.fstat(opened).st_size
    offset = begin_of_row(opened, min(offset, size))
    end = max(offset, behind_newline(opened, size))
    compiled = re.compile(pattern)
    found = (
        last_matches(opened, offset, end, compiled, rows)
        if rows
        else matches(opened, offset, end, compiled)
    )
    return Log(end, _closing(opened, found), offset)


def _open(root: str, path: str) -> int | Missing:
    try:
        if not _is_listed(path, root):
            return Absent()
    except FileNotFoundError:
        return Absent()
    except OSError as error:
        return Unreadable(error.strerror or str(error))
    return open_file(root, path, any_owner=True)


def _is_listed(path: str, root: str) -> bool:
    """Return whether the file exists, by the listings of its folders from the root down.

    If an NFS client looked up a name too early, the name stays unknown to it for up to a minute.
    """
    if path == root:
        return True
    folder, name = os.path.split(path)
    return _is_listed(folder, root) and name in os.listdir(folder)  # noqa: PTH208 - names


def _pieces(opened: int, offset: int) -> Iterator[bytes]:
    with os.fdopen(opened, "rb", buffering=0) as file:
        file.seek(offset)
        while piece := file.read(PIECE_BYTES):
            yield piece


def _closing(opened: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from pieces
    finally:
        os.close(opened)


def metrics(
    root: str, folders: Sequence[str], bounds: Bounds = ALL
) -> Iterator[list[tuple[int, bytes]]]:
    """Yield for each job's folder the metrics files of its attempts: attempt and content.

    Args:
        root: the results root.
        folders: of the jobs, below it; on a slow disk several are read side by side.
        bounds: how much is read of each job.
    """
    for start in range(0, len(folders), _JOBS_AT_ONCE):
        some = folders[start : start + _JOBS_AT_ONCE]
        yield from results(partial(metrics_files, root, bounds=bounds), some)


def serve(root: str, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more."""
    _say(replies, {"root": os.path.isfile(f"{root}/queue.json")})  # noqa: PTH113 - runs alone
    for line in requests:
        asked = json.loads(line)
        if "folders" in asked:
            missing = [one for one in asked["folders"] if not os.path.isdir(one)]  # noqa: PTH112
            _say(replies, {"missing": missing})
        elif "metrics" in asked:
            _send_metrics(root, asked["metrics"], Bounds(*asked["bounds"]), replies)
        elif "search" in asked:
            what = (asked["log"], asked["offset"], asked["search"], asked["rows"])
            with ended_with(requests):
                _send_log(search_log(root, *what), replies)
        else:
            _send_log(open_log(root, asked["log"], asked["offset"], asked["rows"]), replies)


def _send_log(found: Log | Missing, replies: BinaryIO) -> None:
    if not isinstance(found, Log):
        _say(replies, {"found": type(found).__name__, **found._asdict()})
        return
    _say(replies, {"found": "Content", "size": found.size, "begin": found.begin})
    try:
        for piece in found.pieces:
            _say(replies, {"bytes": len(piece)}, piece)
    except OSError as error:
        _say(replies, {"bytes": 0, "why": error.strerror or str(error)})
        return
    _say(replies, {"bytes": 0})


def _send_metrics(root: str, folders: Sequence[str], bounds: Bounds, replies: BinaryIO) -> None:
    _say(replies, {"jobs": len(folders)})
    for at, found in enumerate(metrics(root, folders, bounds)):
        for attempt, data in found:
            packed = zlib.compress(data, 1)
            _say(replies, {"job": at, "attempt": attempt, "bytes": len(packed)}, packed)
        _say(replies, {"read": at + 1})


def _say(replies: BinaryIO, reply: dict[str, Any], data: bytes = b"") -> None:
    replies.write(json.dumps(reply).encode() + b"\n" + data)
    replies.flush()
