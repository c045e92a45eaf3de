"""What pulls put into a folder: `.mlq-pull/record.jsonl`, a line for each job and each file.

A line is written before its file is put in place. So whenever a pull is killed, each file that it
put there is on record; a file that differs from its record is the user's. Lines are only appended
while files are fetched; once most of them are outdated, the record is written anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from mlq.lenient import list_or_empty

_REMEMBERED = 2  # the last line may be of a file that was not put in place any more


class Known(NamedTuple):
    """A file as it was put in place.

    Args:
        size: in bytes.
        mtime_ns: of the file that was fetched.
        local_ns: the time that the file here got; some file systems round.
    """

    size: int
    mtime_ns: int
    local_ns: int


class Record(NamedTuple):
    """What is on record.

    Args:
        folders: job -> its folder.
        files: path below the pulled folder -> what was put there, the newest last.
    """

    folders: dict[str, str]
    files: dict[str, tuple[Known, ...]]

    def add(self, path: str, known: Known) -> None:
        """Note a file, as a line of `file_line` does."""
        self.files[path] = (*self.files.get(path, ()), known)[-_REMEMBERED:]

    def text(self) -> bytes:
        """Return the record as a file."""
        lines = [job_line(job_id, folder) for job_id, folder in self.folders.items()]
        lines += [file_line(path, known) for path, all_ in self.files.items() for known in all_]
        return b"".join(lines)


def parse(text: bytes) -> Record:
    """Return what a record says; a line that is cut short or damaged is left out."""
    record = Record({}, {})
    for line in text.splitlines():
        match list_or_empty(line.decode(errors="replace")):
            case ["job", str(job_id), str(folder)] if _is_component(folder):
                record.folders[job_id] = folder
            case ["file", str(path), int(size), int(mtime_ns), int(local_ns)]:
                record.add(path, Known(size, mtime_ns, local_ns))
            case _:
                continue
    return record


def job_line(job_id: str, folder: str) -> bytes:
    """Return the line that a job has a folder."""
    return _line(["job", job_id, folder])


def file_line(path: str, known: Known) -> bytes:
    """Return the line that a file is about to be put in place."""
    return _line(["file", path, *known])


def _line(row: Iterable[object]) -> bytes:
    return json.dumps(list(row)).encode("ascii") + b"\n"


def _is_component(name: str) -> bool:
    return name not in ("", ".", "..") and not {"/", "\0"} & set(name)
