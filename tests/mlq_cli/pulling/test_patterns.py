"""--include and --exclude."""

from __future__ import annotations

import pytest

from mlq.errors import InvalidInputError
from mlq_cli.pulling.patterns import chosen_by

_PATHS = (
    "output/fig.png",
    "output/run/fig.png",
    "output/run/[1].txt",
    "work/wandb/run.log",
    "attempts/1/result.json",
)


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("*.png", (0, 1)),
        ("output/*.png", (0,)),
        ("output/**", (0, 1, 2)),
        ("output/**/*.png", (0, 1)),
        ("**/fig.png", (0, 1)),
        ("output", (0, 1, 2)),
        ("./output/run/", (1, 2)),
        ("wandb", (3,)),
        ("/work", (3,)),
        ("[!a-z]1*", (2,)),
        ("fig.???", (0, 1)),
        ("attempts/[0-9]", (4,)),
        ("png", ()),
        ("*.PNG", ()),
    ],
)
def test_a_pattern_means(glob: str, found: tuple[int, ...]) -> None:
    is_chosen = chosen_by([glob], [])
    assert tuple(n for n, one in enumerate(_PATHS) if is_chosen(one)) == found


def test_exclude_wins_over_include() -> None:
    is_chosen = chosen_by(["output", "result.json"], ["run"])
    assert list(filter(is_chosen, _PATHS)) == ["output/fig.png", "attempts/1/result.json"]
    assert all(map(chosen_by([], []), _PATHS))


def test_line_ends_in_names_match_like_any_character() -> None:
    assert chosen_by(["output/**"], [])("output/a\nb/c")
    assert chosen_by(["a?b"], [])("output/a\nb/c")


@pytest.mark.parametrize("glob", ["", "/", "./", "[z-a]"])
def test_what_is_no_pattern_is_refused(glob: str) -> None:
    with pytest.raises(InvalidInputError, match="is no pattern of files"):
        chosen_by([glob], [])
