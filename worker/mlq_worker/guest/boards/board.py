"""The board on which a user's mlq says what it holds of a machine: its text, written and read.

Pure. Anybody may write a file of such a name, and any text into it. So the reader is strict and
bounded: a board is well formed in all that it says, or it is none. Whether its file and its process
are believed is another question (`boards`). No command, name of a job or path is on a board.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mlq.files.strict_json import parse
from mlq.jobs.attempt import AttemptId
from mlq.jobs.choice_of_machines import TYPE

MOST_BYTES = 1 << 16
_MOST_JOBS = 512
_MOST_ON_A_GPU = 64
_DEPTH = 6
_LARGEST_CORES, _LARGEST_MIB, _LARGEST_S = 10**5, 10**9, 1e10
_NAME = re.compile(r"mlq-(0|[1-9][0-9]{0,9})\.([A-Za-z0-9_-]{1,64})(\.next)?\.board")
_KEY = re.compile(r"[0-9a-z]{1,32}")
_UUID = re.compile(r"[A-Za-z0-9./:_-]{1,96}")

REST = "rest"
"""The key under which a board sums up jobs that it has no room for."""


class Process(NamedTuple):
    """A process: `start` in clock ticks since boot, so that no later one has the same name."""

    pid: int
    start: int


class BoardJob(NamedTuple):
    """What a job holds, or is about to hold.

    Args:
        key: names the job on the boards of its user.
        cores: how many.
        mem_mib: main memory.
        vram_mib: by GPU, its memory; 0: all of it.
        since: boot time, in seconds.
        on: the numbers of its cores; empty if it is not pinned.
        process: its keeper; None while it has none.
        held_mib: how much memory it really holds, as its user measured it; None if not known.
    """

    key: str
    cores: int = 0
    mem_mib: int = 0
    vram_mib: Mapping[str, int] = {}
    since: float = 0.0
    on: tuple[int, ...] = ()
    process: Process | None = None
    held_mib: int | None = None


class Waits(NamedTuple):
    """What the next job waits for; the fields are those of `mlq.jobs.request.Request`.

    `since`: boot time, in seconds.
    """

    key: str
    cores: int
    mem_mib: int
    gpus: int = 0
    vram_mib: int = 0
    gpu_type: str = ""
    since: float = 0.0


class Board(NamedTuple):
    """A board: who wrote it, what it holds, and what its next job waits for."""

    process: Process
    jobs: tuple[BoardJob, ...] = ()
    waits: Waits | None = None


class BoardName(NamedTuple):
    """Whose board a file is. A user's worker has a board of its own, of what comes `next`."""

    uid: int
    queue: str
    is_next: bool = False

    def __str__(self) -> str:
        """Return the file's name."""
        return f"mlq-{self.uid}.{self.queue}{'.next' if self.is_next else ''}.board"


def parse_name(name: str) -> BoardName | None:
    """Return whose board a file of this name is; None if it is nobody's."""
    found = _NAME.fullmatch(name)
    return None if found is None else BoardName(int(found[1]), found[2], bool(found[3]))


def key_of(attempt: AttemptId | tuple[str, int]) -> str:
    """Return the key of an attempt: the same on both boards of its user, and no name."""
    # Not hashlib: it would take more memory than all the rest of a supervisor's guest.
    return f"{zlib.crc32(f'{attempt[0]}.{attempt[1]}'.encode()):08x}"


def key_of_lane(lane: str) -> str:
    """Return the key under which the short jobs of a lane stand together."""
    return key_of((lane, 0))


# --- write ----------------------------------------------------------------------------------------


def render(board: Board, words: str) -> bytes:
    """Return a board as text; jobs for which it has no room are summed up.

    Args:
        board: the board.
        words: whose guest this is, for people: a line that begins with `guest of`.
    """
    jobs = board.jobs[: _MOST_JOBS - 1] if len(board.jobs) > _MOST_JOBS else board.jobs
    while True:
        left = board.jobs[len(jobs) :]
        shown = board._replace(jobs=(*jobs, summed(REST, left)) if left else jobs)
        text = f"{words}\n{json.dumps(_raw(shown), separators=(',', ':'))}\n".encode()
        if len(text) <= MOST_BYTES or not jobs:
            return text
        jobs = jobs[: len(jobs) // 2]


def summed(key: str, jobs: Iterable[BoardJob]) -> BoardJob:
    """Return several jobs as one."""
    cores = mem_mib = 0
    vram_mib: dict[str, int] = {}
    since = 0.0
    for job in jobs:
        cores, mem_mib, since = cores + job.cores, mem_mib + job.mem_mib, max(since, job.since)
        for uuid, mib in job.vram_mib.items():
            whole = mib == 0 or vram_mib.get(uuid) == 0
            vram_mib[uuid] = 0 if whole else vram_mib.get(uuid, 0) + mib
    return BoardJob(key, cores, mem_mib, vram_mib, since)


def _raw(board: Board) -> dict[str, Any]:
    raw = {"format": 1, "process": board.process, "jobs": [_raw_job(one) for one in board.jobs]}
    return raw if board.waits is None else {**raw, "waits": board.waits._asdict()}


def _raw_job(job: BoardJob) -> dict[str, Any]:
    raw = {**job._asdict(), "vram_mib": dict(job.vram_mib), "since": round(job.since, 3)}
    return {name: item for name, item in raw.items() if item not in ((), {}, None)}


# --- read -----------------------------------------------------------------------------------------


def parse_board(data: bytes) -> Board:
    """Return the board that a text is.

    Raises:
        ValueError: it is none; the error's text follows "it".
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES} bytes")
    first, _, rest = data.partition(b"\n")
    if not first.startswith(b"guest of "):
        raise ValueError("does not begin as a board does")
    raw = _mapping(parse(rest, _DEPTH), "board")
    if raw.get("format") != 1 or type(raw["format"]) is not int:
        raise ValueError("is of a format that this mlq does not know")
    jobs = raw.get("jobs", [])
    if not isinstance(jobs, list) or len(jobs) > _MOST_JOBS:
        raise ValueError("has no list of jobs, or too long a one")
    waits = raw.get("waits")
    return Board(
        _process(raw.get("process")),
        tuple(_job(_mapping(one, "job")) for one in jobs),
        None if waits is None else _waits(_mapping(waits, "waiting job")),
    )


def _job(raw: Mapping[str, Any]) -> BoardJob:
    vram_mib = _mapping(raw.get("vram_mib", {}), "vram_mib")
    if len(vram_mib) > _MOST_ON_A_GPU or not all(map(_UUID.fullmatch, vram_mib)):
        raise ValueError("names no GPUs, or too many")
    on = raw.get("on", [])
    if not isinstance(on, list) or len(on) > _LARGEST_CORES:
        raise ValueError("has no list of cores")
    process, held_mib = raw.get("process"), raw.get("held_mib")
    return BoardJob(
        _text(raw.get("key"), _KEY, "key"),
        _whole(raw.get("cores", 0), _LARGEST_CORES),
        _whole(raw.get("mem_mib", 0), _LARGEST_MIB),
        {uuid: _whole(mib, _LARGEST_MIB) for uuid, mib in vram_mib.items()},
        _seconds(raw.get("since", 0.0)),
        tuple(_whole(one, _LARGEST_CORES) for one in on),
        None if process is None else _process(process),
        None if held_mib is None else _whole(held_mib, _LARGEST_MIB),
    )


def _waits(raw: Mapping[str, Any]) -> Waits:
    return Waits(
        _text(raw.get("key"), _KEY, "key"),
        _whole(raw.get("cores"), _LARGEST_CORES, least=1),
        _whole(raw.get("mem_mib"), _LARGEST_MIB, least=1),
        _whole(raw.get("gpus", 0), _MOST_ON_A_GPU),
        _whole(raw.get("vram_mib", 0), _LARGEST_MIB),
        _text(raw["gpu_type"], TYPE, "type of GPU") if raw.get("gpu_type") else "",
        _seconds(raw.get("since", 0.0)),
    )


def _process(raw: object) -> Process:
    if not isinstance(raw, list) or len(raw) != 2:
        raise ValueError("names no process")
    return Process(_whole(raw[0], 1 << 22, least=1), _whole(raw[1], 1 << 62))


def _mapping(raw: object, what: str) -> Mapping[str, Any]:
    if isinstance(raw, dict):
        return raw
    raise ValueError(f"has a {what} that is no object")


def _text(raw: object, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(raw, str) or not pattern.fullmatch(raw):
        raise ValueError(f"has a {what} that is none")
    return raw


def _whole(raw: object, largest: int, least: int = 0) -> int:
    if type(raw) is not int or not least <= raw <= largest:
        raise ValueError("holds a number that cannot be")
    return raw


def _seconds(raw: object) -> float:
    if type(raw) not in (int, float) or not 0 <= raw <= _LARGEST_S:  # type: ignore[operator]
        raise ValueError("holds a time that cannot be")
    return float(raw)  # type: ignore[arg-type]
