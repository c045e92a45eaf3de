"""What a worker may ask of a supervisor of an older mlq."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from mlq.jobs.needs import COPIES_CODE, RUNS_SCRIPTS
from mlq_worker.agent.supervisor_session import OLD_SUPERVISOR, SupervisorSession
from mlq_worker.guest.rules import GuestRules
from mlq_worker.ipc.messages import FEATURES


class Link:
    """The line to a supervisor; remembers what was sent."""

    def __init__(self, **hello: Any) -> None:
        self.hello = {"supervisor_id": "s1", **hello}
        self.sent: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


def session(link: Link, *held: Any) -> SupervisorSession:
    context = Mock()
    context.rules = GuestRules()
    context.link_trouble.return_value = ""
    context.settings.lease_s = 45
    made = SupervisorSession(context)
    made.adopt(link, held)  # type: ignore[arg-type]
    return made


def test_a_supervisor_of_today_takes_all_jobs() -> None:
    made = session(Link(features=list(FEATURES)))
    assert made.unable == frozenset()
    assert made.obstacle(0.0) == ""


def test_an_older_one_that_copies_code_takes_no_scripts() -> None:
    assert session(Link(features=["code"])).unable == {RUNS_SCRIPTS}


@pytest.mark.parametrize("holds", [True, False])
def test_an_older_one_takes_none_with_code_and_is_replaced_once_it_holds_nothing(
    holds: bool,
) -> None:
    link = Link()
    made = session(link, *([Mock(attempt=("7", 1), class_name="c")] if holds else []))
    assert made.unable == {COPIES_CODE, RUNS_SCRIPTS}
    assert made.obstacle(0.0) == ("" if holds else OLD_SUPERVISOR)
    made.confirm(Mock(alive=[], lost=[], holder=None), 0.0)
    assert ({"op": "shutdown"} in link.sent) is not holds
