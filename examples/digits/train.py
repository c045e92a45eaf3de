"""Train a classifier of handwritten digits; the smallest experiment that survives a power cut.

Three habits make it one, and they are all that mlq asks of an experiment:

1. after each epoch it writes a checkpoint to $MLQ_CHECKPOINT_DIR, and begins by looking for one;
2. it tells how far it is (`mlq.report`), for `mlq ls`;
3. it writes what it found out to $MLQ_OUTPUT_DIR.

    mlq enqueue --name digits -- python examples/digits/train.py --lr 0.01

It runs without mlq just as well, and then writes to ./digits-lr0.01/.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

try:
    from mlq import report
except ImportError:  # outside of a job, in an environment without mlq

    def report(**values: float) -> None:
        """Tell nobody."""


CLASSES = np.arange(10)


def main() -> None:
    args = parse_arguments()
    alone = Path(f"digits-lr{args.lr:g}")
    checkpoint = folder("MLQ_CHECKPOINT_DIR", alone / "checkpoint") / "weights.npz"
    metrics = folder("MLQ_OUTPUT_DIR", alone / "output") / "metrics.json"

    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data / 16.0, digits.target, test_size=0.25, random_state=0
    )
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=args.lr)
    first = restore(model, checkpoint) + 1
    if first > 1:
        print(f"resuming after epoch {first - 1}, from {checkpoint}", flush=True)

    for epoch in range(first, args.epochs + 1):
        started_s = time.monotonic()
        # Drawn from the epoch's number: a resumed run shuffles as the undisturbed one would have.
        model.random_state = epoch
        model.partial_fit(train_x, train_y, classes=CLASSES)
        accuracy = float(model.score(test_x, test_y))
        save(model, epoch, checkpoint)
        report(step=epoch, total=args.epochs, accuracy=accuracy)
        print(f"epoch {epoch}/{args.epochs}: accuracy {accuracy:.3f}", flush=True)
        time.sleep(max(0.0, args.pace - (time.monotonic() - started_s)))

    result = {"lr": args.lr, "epochs": args.epochs, "accuracy": float(model.score(test_x, test_y))}
    metrics.write_text(json.dumps(result) + "\n")
    print(f"wrote {metrics}", flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a classifier of handwritten digits.")
    parser.add_argument("--lr", type=float, default=0.01, help="learning rate (0.01)")
    parser.add_argument("--epochs", type=int, default=20, help="how often to see the data (20)")
    parser.add_argument(
        "--pace", type=float, default=0.0, metavar="S", help="take S seconds an epoch, at least"
    )
    return parser.parse_args()


def folder(variable: str, otherwise: Path) -> Path:
    path = Path(os.environ.get(variable) or otherwise)
    path.mkdir(parents=True, exist_ok=True)
    return path


def save(model: SGDClassifier, epoch: int, checkpoint: Path) -> None:
    """Write beside, flush, rename: a checkpoint is whole or not there, whenever power is cut."""
    beside = checkpoint.with_suffix(".tmp")
    with beside.open("wb") as file:
        np.savez(file, epoch=epoch, coef=model.coef_, intercept=model.intercept_, steps=model.t_)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(checkpoint)


def restore(model: SGDClassifier, checkpoint: Path) -> int:
    """Put the weights of a checkpoint into the model; return its epoch, 0 if there is none."""
    if not checkpoint.exists():
        return 0
    with np.load(checkpoint, allow_pickle=False) as saved:
        model.coef_, model.intercept_ = saved["coef"], saved["intercept"]
        model.t_ = float(saved["steps"])
        return int(saved["epoch"])


if __name__ == "__main__":
    main()
