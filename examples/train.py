"""Train a small classifier with one learning rate: the experiment of the README's day.

It needs Python only, and half a minute. Set TRAIN_PACE_S=0 to be done at once. The habits that let
it survive a power cut are those of `digits/train.py`; here they stand as short as they can be.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
from pathlib import Path

EPOCHS = 60
PACE_S = float(os.environ.get("TRAIN_PACE_S", "0.5"))

Point = tuple[float, float, int]


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small classifier.")
    parser.add_argument("--lr", type=float, required=True, help="learning rate")
    parser.add_argument("--seed", type=int, default=0, help="of the data (0)")
    args = parser.parse_args()
    train(args.lr, args.seed, EPOCHS)


def train(lr: float, seed: int, epochs: int) -> None:
    """Train for so many epochs, those before the last checkpoint included; write the loss."""
    saved = folder("MLQ_CHECKPOINT_DIR") / "state.json"
    state = json.loads(saved.read_text()) if saved.exists() else {"epoch": 0, "weights": [0, 0, 0]}
    if state["epoch"]:
        print(f"resuming after epoch {state['epoch']}", flush=True)
    data = points(seed)
    for epoch in range(state["epoch"] + 1, epochs + 1):
        weights = improved(state["weights"], data, lr)
        state = {"epoch": epoch, "weights": weights, "loss": loss(weights, data)}
        saved.with_suffix(".new").write_text(json.dumps(state))
        saved.with_suffix(".new").replace(saved)  # whole or not at all
        report(epoch / epochs, loss=state["loss"])
        print(f"epoch {epoch}/{epochs}: loss {state['loss']:.3f}", flush=True)
        time.sleep(PACE_S)
    result = {"lr": lr, "loss": state["loss"]}
    (folder("MLQ_OUTPUT_DIR") / "result.json").write_text(json.dumps(result) + "\n")


def folder(variable: str) -> Path:
    """Return the folder that mlq gives; without mlq, the present one."""
    return Path(os.environ.get(variable, "."))


def report(progress: float, **values: float) -> None:
    """Tell mlq how far this is."""
    if path := os.environ.get("MLQ_PROGRESS_FILE"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"progress": progress, **values}) + "\n")


def points(seed: int) -> list[Point]:
    """Return points of the plane, and on which side of a line each lies."""
    drawn = random.Random(seed + 1)  # noqa: S311 - no secret
    pairs = [(drawn.uniform(-2, 2), drawn.uniform(-2, 2)) for _ in range(200)]
    return [(x, y, int(x + 2 * y > 1)) for x, y in pairs]


def chance(weights: list[float], x: float, y: float) -> float:
    """Return how probably a point lies on the far side."""
    return 1 / (1 + math.exp(-(weights[0] * x + weights[1] * y + weights[2])))


def improved(weights: list[float], data: list[Point], lr: float) -> list[float]:
    """Go one step down the slope of the loss."""
    errors = [(chance(weights, x, y) - side, x, y) for x, y, side in data]
    slopes = (
        sum(error * x for error, x, _ in errors),
        sum(error * y for error, _, y in errors),
        sum(error for error, _, _ in errors),
    )
    return [w - lr * slope / len(data) for w, slope in zip(weights, slopes, strict=True)]


def loss(weights: list[float], data: list[Point]) -> float:
    """Return the mean logarithmic loss."""
    right = (chance(weights, x, y) if side else 1 - chance(weights, x, y) for x, y, side in data)
    return -sum(math.log(max(one, 1e-12)) for one in right) / len(data)


if __name__ == "__main__":
    main()
