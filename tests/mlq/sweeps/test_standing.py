"""Which members of a sweep run when it is enqueued again."""

import pytest

from mlq.jobs.lifecycle import FAILING
from mlq.sweeps.standing import Again, Seen, Standing


@pytest.mark.parametrize(
    ("state", "held", "other_code", "again", "was_held", "is_run"),
    [
        ("failed", "", False, "", False, True),
        ("canceled", "", False, "", False, True),
        ("", "", False, "", False, True),
        ("finished", "", True, "", False, False),
        ("finished", "", True, "code", False, True),
        ("finished", "", False, "code", False, False),
        ("finished", "", False, "all", False, True),
        ("started", "", True, "all", True, False),
        ("queued", "", True, "", False, False),
        ("queued", "", True, "code", False, True),
        ("queued", "", True, "", True, True),
        ("queued", "", False, "", True, False),
        ("deferred", "held by its user", False, "", False, False),
        ("deferred", f"{FAILING}5 jobs of this command failed", False, "", False, True),
    ],
)
def test_what_runs_again(
    state: str, held: str, other_code: bool, again: Again, was_held: bool, is_run: bool
) -> None:
    standing = Standing(Seen(3, state, held), other_code)
    assert standing.is_run(again, was_held=was_held) is is_run
