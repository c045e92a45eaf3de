"""`queue.sweep(command, grid=..., rows=...)`: what Python code asks for, made into a plan."""

from pathlib import Path
from typing import Any

import pytest

from mlq.api.sweep_arguments import Asked
from mlq.errors import InvalidInputError
from mlq.settings.load import load

SETTINGS = load({"HOME": "/nonexistent", "XDG_RUNTIME_DIR": "/nonexistent"}).settings
COMMAND = ["python", "train.py", "{args}"]


def test_a_grid_and_rows_make_members_and_the_rest_is_of_the_jobs(tmp_path: Path) -> None:
    asked = Asked(
        COMMAND,
        {},
        {
            "grid": {"lr": [1e-3, 0.1], "seed": range(2)},
            "name": "lr",
            "mem": "1G",
            "max_running": 3,
            "cwd": str(tmp_path),
        },
        SETTINGS,
    )
    assert [member.argv[2:] for member in asked.plan.members] == [
        (f"--lr={lr}", f"--seed={seed}") for lr in ("0.001", "0.1") for seed in (0, 1)
    ]
    assert (asked.plan.name, asked.submission.mem) == ("lr", "1G")
    assert asked.how == {"max_running": 3}
    rows = Asked(
        COMMAND, {}, {"rows": [{"a": 1}, {"a": "x"}], "repeat": 2, "again": "all"}, SETTINGS
    )
    assert [member.params for member in rows.plan.members] == [
        {"a": a, "repeat": repeat} for a in ("1", "x") for repeat in ("0", "1")
    ]
    assert (rows.plan.name, rows.how) == ("train", {"again": "all"})


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"seeds": "3"}, "seeds must be a whole number"),
        ({"repeat": True}, "repeat must be a whole number"),
        ({"grid": {"a": [1]}, "zips": ["ab"]}, "must be a list"),
        ({"grid": {"a": [1]}, "env": ["A"]}, "env must be names with values"),
        ({"grid": {"a": []}}, "a has no values"),
        ({"seeds": 10_001}, "10,001 members"),
    ],
)
def test_what_cannot_be_used_is_refused(given: Any, part: str) -> None:
    with pytest.raises(InvalidInputError, match=part):
        Asked(COMMAND, {}, given, SETTINGS)


def test_one_text_is_no_command() -> None:
    with pytest.raises(InvalidInputError, match="the command is one text"):
        Asked("python train.py", {}, {"seeds": 1}, SETTINGS)
