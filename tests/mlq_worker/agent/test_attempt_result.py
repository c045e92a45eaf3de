"""What a job may write as its result: a record, or a refusal, and never anything else."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlq.files.strict_json import parse
from mlq.jobs.lifecycle import Event
from mlq.metrics.advance import Advance
from mlq_worker.agent.attempt_result import (
    AttemptResult,
    heard_result,
    no_result,
    parse_result,
    with_figures,
)
from mlq_worker.agent.history import History, Patience
from mlq_worker.agent.outcomes import ending
from mlq_worker.collector.protocol import Figures
from mlq_worker.ipc.values import Outcome

AT = "2026-11-23T22:15:01.123456Z"
GOOD: dict[str, Any] = {
    "id": "7",
    "attempt": 2,
    "machine": "lab01",
    "boot_id": "b",
    "outcome": "exited",
    "exit_code": 0,
    "signal": None,
    "reason": "",
    "started_at": AT,
    "ended_at": AT,
    "cpu_s": 0.1,
    "max_rss_mib": 9,
}


def test_what_the_launcher_writes_is_a_result() -> None:
    used: dict[str, Any] = {"cpu_s": 0.1, "max_rss_mib": 9}
    assert parse_result(GOOD) == AttemptResult("7", 2, "lab01", "exited", 0, "", AT, AT, **used)
    unstarted = {**GOOD, "outcome": "lost", "exit_code": None, "started_at": None}
    assert parse_result(unstarted).started_at == ""


@pytest.mark.parametrize("name", ["cpu_s", "max_rss_mib"])
@pytest.mark.parametrize("value", [None, "9", -1, 1e30, float("nan"), [], {}])
def test_what_it_used_is_not_known_if_it_is_no_number(name: str, value: object) -> None:
    found = parse_result({**GOOD, name: value})
    assert (found.outcome, found.cpu_s, found.max_rss_mib) == ("exited", None, None)


def test_what_the_collector_added_is_part_of_it() -> None:
    metrics = '{"loss":[1.0,3.0,0.5,2.0,2.0,1.0]}'
    added = {
        "metrics": metrics,
        "used": {"samples": 2, "seconds": 20, "cores": 1.5, "mem_mib": 100},
        "advance": {"share": 0.5, "step": 3, "total": 6},
    }
    found = parse_result({**GOOD, **added})
    assert found.metrics == metrics
    assert json.loads(found.used)["mem_mib"] == 100
    assert found.advance == Advance(0.5, 3.0, 6.0)
    move = ending(found, History(), Patience(5, 5))
    assert move.fields["mlq_metrics"] == metrics
    assert move.fields["mlq_used"] == found.used
    assert (move.fields["mlq_progress"], move.fields["mlq_advance"]) == (
        "0.5",
        '{"step":3.0,"total":6.0}',
    )
    figures = Figures('{"acc":[1,1,1,1,1,1]}', notes=("a note",))
    heard = with_figures(found, figures)
    assert (heard.metrics, heard.used, heard.notes) == (figures.metrics, found.used, ("a note",))


@pytest.mark.parametrize("name", ["metrics", "used", "advance"])
@pytest.mark.parametrize(
    "value",
    [None, 7, "", "[", "\x1b", [], {}, [[]], {"samples": {}}, {"share": "x"}, '{"a": [1]}', True],
)
def test_rubbish_in_its_place_counts_as_nothing(name: str, value: object) -> None:
    assert parse_result({**GOOD, name: value}) == parse_result(GOOD)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("outcome", one) for one in ([], {}, None, "won", "unusable", 3, True)),
        *(("exit_code", one) for one in ({}, [], "0", 1.0, True, -1, 256, 10**30, None)),
        *(("attempt", one) for one in (0, -2, "2", 2.0, True, None, 10**10, [])),
        *(("id", one) for one in ("", "..", "a/b", 7, None, [], "x" * 300)),
        *(("signal", one) for one in ("9", 0, 99, [], 1.5)),
        *(("machine", one) for one in (None, 5, [], {})),
        *(("reason", one) for one in (None, 5, ["x"], {})),
        *(
            ("ended_at", one)
            for one in (None, "", "yesterday", -5, 0, "1969-12-31T23:59:59.000000Z")
        ),
        *(
            ("ended_at", one)
            for one in ("9999-12-31T23:59:59.000000Z", AT + "\n", AT[:-1], AT[:19])
        ),
        *(("started_at", one) for one in ("", "x", 5, "2026-13-23T22:15:01.123456Z")),
    ],
)
def test_a_field_of_another_kind_or_range_makes_it_none(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^(has|lacks|names) "):
        parse_result({**GOOD, name: value})


@pytest.mark.parametrize("name", ["id", "attempt", "machine", "outcome", "reason", "ended_at"])
def test_a_field_that_is_missing_makes_it_none(name: str) -> None:
    with pytest.raises(ValueError, match=f"lacks its {name}"):
        parse_result({key: one for key, one in GOOD.items() if key != name})


def test_texts_are_one_line_that_can_be_stored_and_shown() -> None:
    result = parse_result({**GOOD, "reason": "a\x1b[2J\nb\ud800" + "x" * 9000})
    assert result.reason.startswith("a [2J b?xxx")
    assert len(result.reason) == 2000


def test_a_cause_counts_only_for_what_did_not_start() -> None:
    cause = {"kind": "folder", "what": "/x"}
    assert not parse_result({**GOOD, "exit_code": 1, "cause": cause}).cause.kind
    unstarted = {**GOOD, "outcome": "unstartable", "exit_code": 127}
    assert parse_result({**unstarted, "cause": cause}).cause.what == "/x"
    for strange in ([], {"kind": {}}, {"kind": "folder", "what": 5}, {"kind": "new"}, "folder"):
        assert not parse_result({**unstarted, "cause": strange}).cause.kind


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(AT),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=8,
)
_OUTCOMES = st.sampled_from(get_args(Outcome))
_RESULTS = st.builds(
    lambda changes, outcome: {**GOOD, "outcome": outcome, **changes},
    st.dictionaries(st.sampled_from([*GOOD, "cause", "found"]), _JSON),
    _OUTCOMES,
)


@given(_JSON | _RESULTS)
@example({**GOOD, "outcome": "reused", "found": {"attempt": 3, "machine": 5}})
def test_any_value_is_a_record_that_can_be_committed_or_is_refused(value: Any) -> None:
    try:
        result = parse_result(value)
    except ValueError:
        return
    move = ending(result, History(retries=1), Patience(5, 5.0), nowhere="")
    assert isinstance(move.event, Event)
    stored = [*move.fields.values(), *move.result]
    assert all(isinstance(one, str | int | float) for one in stored)
    json.dumps(move.as_args()).encode("ascii")
    assert "\ud800" not in "".join(map(str, stored))
    for one in stored:
        str(one).encode()  # no surrogates: Redis takes none


@given(st.binary() | _RESULTS.map(lambda one: json.dumps(one).encode()))
def test_any_bytes_are_a_record_or_are_refused(data: bytes) -> None:
    try:
        result = parse_result(parse(data))
    except ValueError:
        return
    assert 1 <= result.attempt <= 10**9
    assert result.exit_code is None or 0 <= result.exit_code <= 255


def test_what_a_supervisor_says_that_is_no_result_ends_its_attempt_with_the_reason() -> None:
    heard = heard_result({**GOOD, "outcome": []}, "lab01", 1.8e9)
    assert heard == no_result(("7", 2), "lab01", "has no text as outcome", heard.ended_at)
    assert ending(heard, History(), Patience(5, 5.0)).event is Event.FAIL
    assert ending(heard, History(stop="canceled"), Patience(5, 5.0)).event is Event.CANCEL
