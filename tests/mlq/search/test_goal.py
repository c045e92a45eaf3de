"""What a search makes small or large, and which value of a member counts."""

import pytest

from mlq.errors import InvalidInputError
from mlq.metrics.extent import Extent
from mlq.search.goal import Goal, goal_of

LOSS = {"loss": Extent(0.5, 9, 0.2, 4, 0.9, 1)}


@pytest.mark.parametrize(
    ("minimize", "maximize", "value", "text"),
    [
        ("loss", None, 0.5, "minimize loss"),
        ("min:loss", None, 0.2, "minimize min:loss"),
        ("best:loss", None, 0.2, "minimize min:loss"),
        (None, "best:loss", 0.9, "maximize max:loss"),
        (None, "last:loss", 0.5, "maximize loss"),
    ],
)
def test_the_last_value_counts_unless_told_otherwise(
    minimize: str | None, maximize: str | None, value: float, text: str
) -> None:
    goal = goal_of(minimize, maximize)
    assert (goal.value(LOSS), goal.text) == (value, text)
    assert goal.value({}) is None


def test_a_metric_may_have_a_colon_in_its_name() -> None:
    assert goal_of("val:loss", None) == Goal("val:loss", True)


@pytest.mark.parametrize(
    "typed", [(None, None), ("a", "b"), ("", None), ("min:", None), ("\n", None)]
)
def test_one_goal_is_needed(typed: tuple[str | None, str | None]) -> None:
    with pytest.raises(InvalidInputError):
        goal_of(*typed)
