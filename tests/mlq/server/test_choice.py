"""Which program may open which data."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlq.server.choice import Writer, can_read, in_order, note_writer, read_writer
from mlq.server.programs import Program, number_of

REDIS_62 = Program(Path("/a/redis-server"), "Redis", (6, 2, 14))
REDIS_70 = Program(Path("/b/redis-server"), "Redis", (7, 0, 15))
REDIS_80 = Program(Path("/c/redis-server"), "Redis", (8, 0, 0))
VALKEY_90 = Program(Path("/d/valkey-server"), "Valkey", (9, 0, 0))
VALKEY_91 = Program(Path("/e/valkey-server"), "Valkey", (9, 1, 2))


def writer(program: Program) -> Writer:
    return Writer(program.kind, program.number, str(program.path))


@pytest.mark.parametrize(
    ("program", "wrote", "reads"),
    [
        (REDIS_70, REDIS_70, True),
        (REDIS_70, REDIS_62, True),
        (REDIS_62, REDIS_70, False),
        (VALKEY_91, VALKEY_90, True),
        (VALKEY_90, VALKEY_91, False),
        (VALKEY_90, REDIS_70, True),
        (VALKEY_91, REDIS_80, False),
        (REDIS_80, VALKEY_90, False),
        (REDIS_70, VALKEY_90, False),
    ],
)
def test_a_program_reads_what_older_ones_of_its_line_wrote(
    program: Program, wrote: Program, reads: bool
) -> None:
    assert can_read(program, writer(wrote)) == reads


def test_the_program_that_wrote_the_data_is_kept_to() -> None:
    programs = [VALKEY_91, REDIS_70, VALKEY_90]
    assert in_order(programs, None) == programs
    assert in_order(programs, writer(REDIS_70)) == [REDIS_70, VALKEY_91, VALKEY_90]
    moved = Writer("Redis", REDIS_70.number, "/elsewhere/redis-server")
    assert in_order(programs, moved)[0] == REDIS_70
    assert in_order([REDIS_70, REDIS_62], writer(VALKEY_90)) == []


def test_an_upgrade_leaves_a_note_of_who_wrote_before(tmp_path: Path) -> None:
    note = tmp_path / "written-by.json"
    assert read_writer(note) is None
    note_writer(note, VALKEY_90)
    assert read_writer(note) == writer(VALKEY_90)
    note_writer(note, VALKEY_91)
    assert read_writer(note) == writer(VALKEY_91)
    assert read_writer(tmp_path / "written-by.before.json") == writer(VALKEY_90)
    note.write_text("{")
    assert read_writer(note) is None


def test_versions_are_compared_as_numbers() -> None:
    assert number_of("7.0.15") == (7, 0, 15)
    assert number_of("9.1.2.post2") == (9, 1, 2)
    assert number_of("10") == (10, 0, 0)
