"""Short names of metrics, and what may stand before them."""

import pytest

from mlq.errors import InvalidInputError
from mlq.metrics.naming import Asked, asked, less_is_better, meant

KNOWN = ["train/acc", "val/acc", "val/loss", "eval_f1", "Loss/test", "lr"]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("val/acc", "val/acc"),
        ("f1", "eval_f1"),
        ("loss", "val/loss"),
        ("test", "Loss/test"),
        ("LR", "lr"),
        ("eval", "eval_f1"),
    ],
)
def test_a_short_name_is_enough_if_it_means_one(word: str, name: str) -> None:
    assert meant(word, KNOWN) == name


def test_of_several_it_says_which() -> None:
    with pytest.raises(InvalidInputError, match="acc could be train/acc or val/acc"):
        meant("acc", KNOWN)


def test_of_none_it_says_which_there_are() -> None:
    with pytest.raises(InvalidInputError, match="no metric bleu") as error:
        meant("bleu", KNOWN)
    assert all(name in error.value.why for name in KNOWN)
    with pytest.raises(InvalidInputError) as error:
        meant("bleu", [])
    assert "no metrics yet" in error.value.why


def test_a_form_may_stand_before_it() -> None:
    assert asked("min:val/loss") == Asked("min", "val/loss")
    assert asked("best:acc") == asked("max:acc") == Asked("max", "acc")
    assert asked("last:a:b") == Asked("last", "a:b")
    assert asked("val:acc") == Asked("", "val:acc")


@pytest.mark.parametrize(
    "name", ["loss", "val_loss", "train/loss", "trainloss", "top5_error", "WER"]
)
def test_the_best_of_a_loss_is_refused(name: str) -> None:
    assert less_is_better(name)
    with pytest.raises(InvalidInputError, match="largest") as error:
        asked(f"best:{name}")
    assert f"min:{name}" in error.value.fix


@pytest.mark.parametrize(
    "name", ["acc", "accuracy", "val/auc", "lossless", "reward", "terror", "map"]
)
def test_others_are_better_if_larger(name: str) -> None:
    assert not less_is_better(name)
