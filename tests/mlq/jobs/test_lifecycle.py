"""The table of the life cycle: closed, live, and drawn as it is."""

from pathlib import Path

import pytest

from mlq.errors import InvalidInputError
from mlq.jobs import lifecycle_diagram
from mlq.jobs.lifecycle import ENDED, TRANSITIONS, WAITING, Event, State, after, sources, target

ARCHITECTURE = Path(__file__).parents[3] / "docs" / "architecture.md"


def reachable(state: State) -> set[State]:
    found, new = {state}, {state}
    while new:
        new = {to for (start, _), to in TRANSITIONS.items() if start in new} - found
        found |= new
    return found


def test_each_state_waits_runs_or_has_ended() -> None:
    assert WAITING | ENDED | {State.STARTED} == set(State)
    assert not WAITING & ENDED


def test_the_words_of_the_states_are_those_of_rq() -> None:
    from rq.job import JobStatus

    assert {state.value for state in State} <= {status.value for status in JobStatus}


@pytest.mark.parametrize("event", Event)
def test_each_event_happens_somewhere_and_leads_to_one_state(event: Event) -> None:
    assert sources(event)
    assert target(event) in State
    for state in sources(event):
        assert after(state, event) is target(event)


@pytest.mark.parametrize("state", sorted(WAITING | {State.STARTED}))
def test_whatever_has_not_ended_can_end_and_can_be_canceled(state: State) -> None:
    assert reachable(state) & ENDED == ENDED
    assert after(state, Event.CANCEL) is State.CANCELED


def test_only_a_claim_starts_a_job_and_only_a_queued_one() -> None:
    into_started = [(start, event) for (start, event), to in TRANSITIONS.items() if to == "started"]
    assert into_started == [(State.QUEUED, Event.CLAIM)]


def test_what_has_ended_only_its_user_runs_again() -> None:
    assert {event for (start, event) in TRANSITIONS if start in ENDED} == {
        Event.RERUN,
        Event.RERUN_LATER,
    }


def test_a_lost_machine_fails_a_job_only_by_giving_up() -> None:
    assert after(State.STARTED, Event.LOSE) is State.QUEUED
    assert after(State.STARTED, Event.RELEASE) is State.QUEUED
    assert after(State.STARTED, Event.GIVE_UP) is State.FAILED


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_pair_is_either_in_the_table_or_refused_in_words(state: State, event: Event) -> None:
    if (state, event) in TRANSITIONS:
        assert after(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(InvalidInputError, match=f"cannot {event} a job that is {state}"):
            after(state, event)


def test_the_diagram_in_the_documentation_is_the_table() -> None:
    page = ARCHITECTURE.read_text(encoding="utf-8")
    assert lifecycle_diagram.redrawn(page) == page, "run `python -m mlq.jobs.lifecycle_diagram`"


def test_the_diagram_has_every_move_of_the_table() -> None:
    lines = lifecycle_diagram.mermaid().splitlines()
    for (start, event), to in TRANSITIONS.items():
        (arrow,) = [line for line in lines if line.startswith(f"    {start} --> {to}: ")]
        assert event.value in arrow.partition(": ")[2].split(", ")


def test_redrawing_changes_the_block_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        f"before\n{lifecycle_diagram.BEGIN}\nold\n{lifecycle_diagram.END}\nafter\n", "utf-8"
    )
    lifecycle_diagram.main(page)
    assert page.read_text("utf-8") == f"before\n{lifecycle_diagram.block()}\nafter\n"


@pytest.mark.parametrize("text", ["", lifecycle_diagram.BEGIN, lifecycle_diagram.block() * 2])
def test_a_page_without_one_place_for_the_diagram_is_left_alone(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, "utf-8")
    with pytest.raises(InvalidInputError, match="marker"):
        lifecycle_diagram.main(page)
    assert page.read_text("utf-8") == text
