"""What a worker may ask of a supervisor of an older mlq."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest

from mlq.jobs.attempt import AttemptId
from mlq.jobs.needs import COPIES_CODE, RUNS_SCRIPTS
from mlq.jobs.restraint import parse_restraint
from mlq.store.replies import SentSignal
from mlq_worker.agent.supervisor_session import OLD_SUPERVISOR, SupervisorSession
from mlq_worker.guest.rules import GuestRules
from mlq_worker.ipc.messages import FEATURES, SIGNALS, GuestNews, Restraint


class Link:
    """The line to a supervisor; remembers what was sent."""

    def __init__(self, **hello: Any) -> None:
        self.hello = {"supervisor_id": "s1", **hello}
        self.sent: list[dict[str, Any]] = []
        self.inbox: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def receive(self) -> list[dict[str, Any]]:
        received, self.inbox = self.inbox, []
        return received


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


def test_how_jobs_are_held_back_is_told_once() -> None:
    link, held = Link(features=list(FEATURES)), Mock(attempt=("7", 1), class_name="c", restraint="")
    made = session(link, held)
    assert [one["op"] for one in link.sent] == ["manners"]
    desk = Restraint(AttemptId("7", 1), ("desk",), "somebody is at the desk of m1", None)
    news = GuestNews((desk,), ("desk in use",), "somebody is at the desk of m1")
    link.inbox.append(news.to_json())
    made.hear()
    assert parse_restraint(held.restraint).paused_by == ("desk",)
    assert made.has_news
    assert made.obstacle(0.0) == "somebody is at the desk of m1"
    made.has_news = False
    link.inbox.append(replace(news, notes=("desk free for 4m",)).to_json())
    made.hear()
    assert not made.has_news
    link.inbox.append(GuestNews().to_json())
    made.hear()
    assert (held.restraint, made.has_news, made.obstacle(0.0)) == ("", True, "")


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


USR1 = SentSignal("7", 1, 5, 10, "program")


def test_a_signal_is_passed_on_and_what_was_obeyed_is_remembered() -> None:
    link, held = Link(features=list(FEATURES)), Mock(attempt=("7", 1), class_name="c", signaled=0)
    made = session(link, held)
    made.signal([USR1])
    assert [one for one in link.sent if one["op"] == "signal"] == [
        {"op": "signal", "id": "7", "attempt": 1, "sequence": 5, "number": 10, "whom": "program"}
    ]
    answers = [[["7", 1, 5], ["9", 1, 8]], [["7", 1, 4]]]
    link.inbox = [{"event": "signaled", "signals": one} for one in answers]
    made.hear()
    assert held.signaled == 5


def test_an_older_supervisor_gets_no_signal_which_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It would take the message for nonsense and hang up; it goes when it holds nothing."""
    link = Link(features=[one for one in FEATURES if one != SIGNALS])
    made = session(link, held := Mock(attempt=("7", 1), class_name="c"))
    made.signal([USR1])
    made.signal([USR1])
    assert [one for one in link.sent if one["op"] == "signal"] == []
    assert caplog.text.count("job 7 gets no signal 10") == 1
    made.confirm(Mock(alive=[], lost=[], holder=None), 0.0)
    assert {"op": "shutdown"} not in link.sent
    del made.attempts.by_key[held.attempt]
    made.confirm(Mock(alive=[], lost=[], holder=None), 0.0)
    assert {"op": "shutdown"} in link.sent
