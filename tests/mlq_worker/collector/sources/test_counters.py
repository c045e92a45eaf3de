"""Counts in a log: tqdm's own bars, and what training scripts print."""

from __future__ import annotations

import pytest

from mlq_worker.collector.sources.counters import Count, counts_in

BAR = "Training:  37%|\x1b[32m███▋      \x1b[0m| 22/60 [00:10<00:18,  2.06it/s, loss=0.3]\x1b[0m"


def _all(text: str) -> list[Count]:
    return list(counts_in(text))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (BAR, Count("bar", "Training", 22, 60, 0, 10, 18)),
        (f"\n\r{BAR}\x1b[A", Count("bar", "Training", 22, 60, 1, 10, 18)),
        ("  0%|          | 0/60 [00:00<?, ?it/s]", Count("bar", "", 0, 60, 0, 0, None)),
        (
            " 50%|##5  | 1.50k/3.00k [1:00:00<1:00:00, 1B/s]",
            Count("bar", "", 1500, 3000, 0, 3600, 3600),
        ),
        ("x:  5%|5    | 12.5MB/250MB [00:01<00:19]", Count("bar", "x", 12.5e6, 250e6, 0, 1, 19)),
        ("Epoch 4:  40%|█▌| 15/38 [00:04<00:06]", Count("bar", "Epoch #", 15, 38, 1, 4, 6)),
        ("375/938 [=========>......] - ETA: 5s - loss: 0.3", Count("bar", "", 375, 938, 1)),
        ("\b\b\b375/938 \x1b[32m━━━━\x1b[0m 5s", Count("bar", "", 375, 938, 1)),
        ("Epoch 3/60", Count("epoch", "epoch", 2, 60)),
        ("epoch 3/60: loss 0.505", Count("epoch", "epoch", 3, 60)),
        ("Epoch: [3/60]", Count("epoch", "epoch", 2, 60)),
        ("epoch 3 of 60", Count("epoch", "epoch", 2, 60)),
        ("[3/60] loss=0.5", Count("bracket", "", 3, 60)),
        (
            "Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.3",
            Count("bracket", "Train Epoch: #", 640, 60000, 1),
        ),
        ("Fold 2/5", Count("word", "fold", 1, 5)),
        ("epoch: 3, step 20/90", Count("word", "step", 20, 90, 1)),
        ("Train: 3 [ 100/1251 (  8%)]  Loss: 6", Count("bracket", "Train: #", 100, 1251, 1)),
        ("Iteration 30/1000", Count("word", "iteration", 30, 1000)),
    ],
)
def test_a_count_is_read_as_it_is_printed(text: str, count: Count) -> None:
    assert _all(text) == [count]


def test_the_outer_loop_of_a_line_comes_first() -> None:
    outer, inner = _all("Epoch [3/60], Step [100/938], Loss: 0.3")
    assert (outer.number, outer.total, outer.level) == (2, 60, 0)
    assert (inner.number, inner.total, inner.level) == (100, 938, 1)
    outer, inner = _all("Epoch 3/60:  40%|█▌  | 15/38 [00:04<00:06]")
    assert (outer.kind, outer.number, inner.kind, inner.level) == ("epoch", 2, "bar", 1)
    outer, inner = _all("      3/100   0.5G   1.2:  37%|###  | 22/60 [00:10<00:18,  2.06it/s]")
    assert (outer.number, outer.total, inner.number, inner.level) == (2, 100, 22, 1)


@pytest.mark.parametrize(
    "text",
    [
        "2026/11/27 10:00",
        "[11/27/2026 10:00:00]",
        "http://host/3/60",
        "read 3/60 files",
        "epoch 3",
        "37%|███",
        " 37%|███| 22 [00:10, 2it/s]",
        "step 3/60/9",
        "|" * 5000,
        "%|" * 5000,
        "1%" * 50_000,
        "[" * 50_000 + "/",
        "epoch " * 10_000 + "/",
    ],
)
def test_other_texts_count_nothing(text: str) -> None:
    assert _all(text) == []
