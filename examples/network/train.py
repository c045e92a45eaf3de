"""Train a small neural network on handwritten digits; no line of it knows of mlq.

It is what a training script usually looks like: a progress bar of tqdm for the epochs, another for
the batches, and a line for each epoch that says what was measured. mlq reads all of that as it is:

    mlq enqueue -n net --param lr=0.05,0.2 --param width=16,64 --seeds 3 -- \
        python examples/network/train.py {args}
    mlq results net

scikit-learn ships the data (1797 pictures of 8x8 pixels), so that nothing is downloaded.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm


def main() -> None:
    args = parse_arguments()
    chance = np.random.default_rng(args.seed)
    digits = load_digits()
    train_x, val_x, train_y, val_y = train_test_split(
        digits.data / 16.0, digits.target, test_size=0.25, random_state=0
    )
    network = Network(train_x.shape[1], args.width, 10, chance)
    for epoch in tqdm(range(1, args.epochs + 1), desc="epochs"):
        order = chance.permutation(len(train_x))
        batches = np.array_split(order, max(1, len(order) // args.batch))
        losses = [
            network.learn(train_x[rows], train_y[rows], args.lr)
            for rows in tqdm(batches, desc=f"epoch {epoch}", leave=False)
        ]
        val_loss, val_acc = network.score(val_x, val_y)
        measured = {
            "epoch": epoch,
            "train_loss": round(float(np.mean(losses)), 4),
            "val_loss": round(val_loss, 4),
            "val_acc": round(val_acc, 4),
        }
        with tqdm.external_write_mode():  # between the bars, not behind one
            print(measured, flush=True)


class Network:
    """One hidden layer of rectified units, and a softmax; plain gradient descent.

    Args:
        inputs, width, classes: how many units each layer has.
        chance: where the first weights come from.
    """

    def __init__(self, inputs: int, width: int, classes: int, chance: np.random.Generator) -> None:
        self.hidden = chance.normal(0, (2 / inputs) ** 0.5, (inputs, width))
        self.hidden_bias = np.zeros(width)
        self.out = chance.normal(0, (2 / width) ** 0.5, (width, classes))
        self.out_bias = np.zeros(classes)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the hidden units (n, width) and the probabilities (n, classes)."""
        hidden = np.maximum(x @ self.hidden + self.hidden_bias, 0)
        logits = hidden @ self.out + self.out_bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return hidden, odds / odds.sum(axis=1, keepdims=True)

    def learn(self, x: np.ndarray, y: np.ndarray, lr: float) -> float:
        """Take one step on a batch; return its cross-entropy before the step."""
        hidden, probabilities = self.forward(x)
        right = np.arange(len(y)), y
        loss = float(-np.log(probabilities[right] + 1e-12).mean())
        back = probabilities.copy()
        back[right] -= 1
        back /= len(y)
        back_hidden = (back @ self.out.T) * (hidden > 0)
        self.out -= lr * hidden.T @ back
        self.out_bias -= lr * back.sum(axis=0)
        self.hidden -= lr * x.T @ back_hidden
        self.hidden_bias -= lr * back_hidden.sum(axis=0)
        return loss

    def score(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """Return cross-entropy and accuracy."""
        _, probabilities = self.forward(x)
        loss = -np.log(probabilities[np.arange(len(y)), y] + 1e-12).mean()
        return float(loss), float((probabilities.argmax(axis=1) == y).mean())


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small network on handwritten digits.")
    parser.add_argument("--lr", type=float, default=0.1, help="learning rate (0.1)")
    parser.add_argument("--width", type=int, default=32, help="hidden units (32)")
    parser.add_argument("--seed", type=int, default=0, help="where chance begins (0)")
    parser.add_argument("--epochs", type=int, default=20, help="how often to see the data (20)")
    parser.add_argument("--batch", type=int, default=32, help="pictures in a batch (32)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
