"""Which of the loops in a log is the job itself: bars that tqdm drew, and printed counts."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from tqdm import tqdm

from mlq_worker.collector.loops import Loops
from mlq_worker.collector.sources.counters import counts_in

LOOKS = 7


def _nested(out: io.StringIO, leave: bool, inner: int = 40) -> None:
    for _ in tqdm(range(6), desc="epochs", file=out, mininterval=0, colour="green"):
        for _ in tqdm(range(inner), desc="batches", file=out, mininterval=0, leave=leave):
            pass


def _unnamed(out: io.StringIO) -> None:
    for _ in tqdm(range(6), file=out, mininterval=0):
        for _ in tqdm(range(6), file=out, mininterval=0):
            pass


def _single(out: io.StringIO) -> None:
    for _ in tqdm(range(60), file=out, mininterval=0, ascii=True, unit="B", unit_scale=True):
        pass


def _repeated(out: io.StringIO) -> None:
    for _ in range(6):
        for _ in tqdm(range(40), desc="train", file=out, mininterval=0):
            pass


def _named_by_epoch(out: io.StringIO) -> None:
    for epoch in range(6):
        for _ in tqdm(range(40), desc=f"Epoch {epoch}", file=out, mininterval=0):
            pass


def _below_a_heading(out: io.StringIO) -> None:
    for epoch in range(6):
        out.write(f"Epoch {epoch + 1}/6\n")
        for _ in tqdm(range(40), file=out, mininterval=0):
            pass


def _looks(
    write: Callable[[io.StringIO], None], state_between: bool = False
) -> list[tuple[float | None, float | None, float | None]]:
    """Return the shares of bar, words and inner loop, at each look at the growing log."""
    out = io.StringIO()
    write(out)
    text, loops, found = out.getvalue(), Loops(0.0), []
    for number in range(1, LOOKS + 1):
        begin, end = (one * len(text) // LOOKS for one in (number - 1, number))
        begin = 1 + max(text.rfind("\r", 0, begin), text.rfind("\n", 0, begin))
        cut = text[begin:end]
        loops.take(counts_in(cut), float(number))
        if state_between:
            loops = Loops(0.0, json.loads(json.dumps(loops.state())))
        both = (loops.outermost(number, bars=one) for one in (True, False))
        bar, words = (None if one is None else one.said.number / one.said.total for one in both)
        found.append((bar, words, loops.inner(0.0)))
    return found


@pytest.mark.parametrize(
    "write", [lambda out: _nested(out, False), lambda out: _nested(out, True), _unnamed]
)
def test_the_outer_one_of_nested_bars_is_the_job(write: Callable[[io.StringIO], None]) -> None:
    *looks, _ = _looks(write, state_between=True)
    shares = [bar for bar, _, _ in looks]
    assert all(one is not None for one in shares)
    assert shares == sorted(shares, key=lambda one: one or 0)
    assert (shares[-1] or 0) >= 4 / 6
    assert all(inner is not None for _, _, inner in looks)


def test_a_single_bar_is_the_job() -> None:
    shares = [bar or 0 for bar, _, inner in _looks(_single)[:-1] if inner is None]
    assert shares == sorted(shares)
    assert len(shares) == LOOKS - 1
    assert shares[-1] > 0.7


@pytest.mark.parametrize("write", [_repeated, _named_by_epoch, _below_a_heading])
def test_a_bar_that_starts_over_is_never_the_job(write: Callable[[io.StringIO], None]) -> None:
    looks = _looks(write, state_between=True)
    assert all(bar is None for bar, _, _ in looks[2:])
    assert all(inner is not None for _, _, inner in looks[2:])


def test_headings_are_the_job_while_bars_start_over() -> None:
    looks = _looks(_below_a_heading)
    assert [bar for bar, _, _ in looks] == [None] * LOOKS
    assert [words for _, words, _ in looks] == sorted(words or 0 for _, words, _ in looks)
    assert looks[-1][1] == 5 / 6


def _told(*lines: str, started_s: float = 0.0) -> Loops:
    loops = Loops(started_s)
    for number, line in enumerate(lines):
        loops.take(counts_in(line), float(number))
    return loops


def test_steps_that_start_over_with_each_epoch_are_the_inner_loop() -> None:
    lines = [f"Epoch [{n}/3], Step [{s}/900], Loss: 0.5" for n in (1, 2) for s in (300, 600)]
    loops = _told(*lines)
    outer = loops.outermost(9, bars=False)
    assert outer is not None
    assert (outer.said.number, outer.said.total, loops.inner(0)) == (1, 3, 2 / 3)


def test_a_bar_of_all_steps_counts_once_epochs_have_gone_by() -> None:
    loops = _told("Epoch 1/60", " 1%|▏| 9/900 [00:10<18:20]")
    assert loops.outermost(9, bars=True) is None
    loops.take(counts_in("Epoch 3/60\n 4%|▍| 36/900 [00:40<16:20]"), 30)
    bar = loops.outermost(30, bars=True)
    assert bar is not None
    assert (bar.said.number, bar.said.total) == (36, 900)


def test_a_bar_that_is_complete_was_a_preparation() -> None:
    loops = _told("Loading shards: 100%|██████| 2/2 [00:05<00:00]")
    assert loops.outermost(8, bars=True) is not None
    assert loops.outermost(60, bars=True) is None
    loops.take(counts_in("  1%|▏| 9/900 [00:10<18:20]"), 70)
    bar = loops.outermost(70, bars=True)
    assert bar is not None
    assert bar.said.total == 900


def test_processes_that_count_side_by_side_are_one_loop() -> None:
    lines = [f" 5%|▍| {n + rank}/900 [00:{n:02}<16:20]" for n in range(1, 40) for rank in (2, 0)]
    assert _told(*lines).outermost(40, bars=True) is not None


def test_the_number_of_loops_is_bounded() -> None:
    loops = _told(*(f"file {'x' * n}: 1%|▏| {n}/1000 [00:10<18:20]" for n in range(1, 90)))
    assert len(loops.state()) == 32
