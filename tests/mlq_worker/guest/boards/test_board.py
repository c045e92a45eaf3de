"""The text of a board: what is written is read again, and anything else is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq_worker.guest.boards.board import (
    MOST_BYTES,
    REST,
    Board,
    BoardJob,
    BoardName,
    Process,
    Waits,
    key_of,
    parse_board,
    parse_name,
    render,
    summed,
)

JOB = BoardJob("1a2b", 2, 8192, {"GPU-1": 8192}, 12.5, (0, 4), Process(77, 900), 4000)
BOARD = Board(Process(5, 600), (JOB, BoardJob("ff")), Waits("9", 4, 100, 1, 0, "a100", 3.25))
START = b"guest of kt42\n"


def text_of(**changes: object) -> bytes:
    raw = json.loads(render(BOARD, "guest of kt42").partition(b"\n")[2])
    return START + json.dumps({**raw, **changes}).encode()


def test_there_and_back() -> None:
    text = render(BOARD, "guest of kt42")
    assert text.startswith(START)
    assert parse_board(text) == BOARD


def test_no_room_for_all_jobs() -> None:
    jobs = tuple(
        BoardJob(f"{n:x}", 1, 10, {"GPU-" + "f" * 60: 1}, float(n), tuple(range(40)))
        for n in range(3000)
    )
    text = render(Board(Process(5, 6), jobs), "guest of kt42")
    assert len(text) <= MOST_BYTES
    read = parse_board(text)
    assert read.jobs[-1].key == REST
    assert sum(job.cores for job in read.jobs) == 3000
    assert sum(job.vram_mib["GPU-" + "f" * 60] for job in read.jobs) == 3000


def test_sum_of_a_whole_gpu_is_whole() -> None:
    both = summed("x", [BoardJob("a", vram_mib={"G": 5}), BoardJob("b", vram_mib={"G": 0})])
    assert both.vram_mib == {"G": 0}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        START,
        render(BOARD, "guest of kt42")[:-20],
        START + b"[" * 60000,
        START + b'{"a":' * 6000 + b"1" + b"}" * 6000,
        START + b" " * MOST_BYTES + b"{}",
        START + b"\xff\xfe{}",
        b"hello\n" + text_of().partition(b"\n")[2],
        text_of(format=2),
        text_of(format=True),
        text_of(process=None),
        text_of(process=[5]),
        text_of(process=[0, 5]),
        text_of(process=[5, -1]),
        text_of(process=[5, 1.0]),
        text_of(jobs={}),
        text_of(jobs=[[]]),
        text_of(jobs=[{"key": "a"}] * 600),
        text_of(jobs=[{"key": "a", "cores": -1}]),
        text_of(jobs=[{"key": "a", "cores": True}]),
        text_of(jobs=[{"key": "a", "mem_mib": 10**12}]),
        text_of(jobs=[{"key": "a", "vram_mib": {"GPU-1": -8}}]),
        text_of(jobs=[{"key": "a", "vram_mib": {"\x1b[2J": 8}}]),
        text_of(jobs=[{"key": "a", "since": float("nan")}]),
        text_of(jobs=[{"key": "a", "since": -1}]),
        text_of(jobs=[{"key": "a", "since": "1"}]),
        text_of(jobs=[{"key": "../a"}]),
        text_of(jobs=[{"key": "a", "on": [0, "1"]}]),
        text_of(waits={"key": "a", "cores": 0, "mem_mib": 1}),
        text_of(waits={"key": "a", "cores": 1, "mem_mib": 1, "gpu_type": "A 100"}),
        text_of(waits=[]),
        START + b'{"format":1,"process":[5,' + b"9" * 5000 + b"]}",
        START + b'{"format":1,"process":[5,6],"process":[7,8]}',
    ],
)
def test_no_board(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(is|does|has|holds|names) "):
        parse_board(text)


@given(st.binary(max_size=300))
def test_any_bytes(rest: bytes) -> None:
    try:
        parse_board(START + rest)
    except ValueError:
        return


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*BoardJob._fields, *Board._fields]), inner, max_size=5
            )
        ),
    )
)
def test_any_json(value: object) -> None:
    for text in (json.dumps(value), json.dumps({"format": 1, "process": [1, 2], "jobs": [value]})):
        try:
            board = parse_board(START + text.encode())
        except ValueError:
            continue
        assert all(job.cores >= 0 and job.mem_mib >= 0 for job in board.jobs)


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert parse_board(text_of(mood="good")) == BOARD


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("mlq-1000.ab12.board", BoardName(1000, "ab12")),
        ("mlq-0.q_1-x.next.board", BoardName(0, "q_1-x", is_next=True)),
        ("mlq-01.ab.board", None),
        ("mlq-1000.a/b.board", None),
        ("mlq-1000..board", None),
        ("mlq-1000.ab.board~", None),
        ("mlq-1000.ab.board\n", None),
        ("mlq-99999999999.ab.board", None),
        ("mlq-\u0661.ab.board", None),
    ],
)
def test_names(name: str, owner: BoardName | None) -> None:
    assert parse_name(name) == owner
    if owner is not None:
        assert str(owner) == name


def test_a_key_is_that_of_its_attempt_alone() -> None:
    assert key_of(("1042", 1)) == key_of(("1042", 1))
    assert len({key_of((str(n), m)) for n in range(1000) for m in (1, 2)}) == 2000
