"""Stand for a long training on a GPU: train like `train.py`, ten times as long.

In the README's day it waits in the queue, for it asks for a GPU. Where there is one it runs, and
shows which it was given; it leaves it idle.
"""

from __future__ import annotations

import os

from train import EPOCHS, train


def main() -> None:
    print(f"GPU: {os.environ.get('CUDA_VISIBLE_DEVICES') or 'none'}", flush=True)
    train(lr=0.3, seed=0, epochs=10 * EPOCHS)


if __name__ == "__main__":
    main()
