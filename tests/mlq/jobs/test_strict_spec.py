"""The strict reader against the jobs that commands make without it: one text, one meaning."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.jobs.request import LARGEST, Request
from mlq.jobs.spec import Code, FunctionCall, JobSpec, Member, Pack
from mlq.jobs.stop_signal import LONGEST_GRACE_S
from mlq.jobs.strict_spec import STRICT, NotStrictError, check_spec, parse_spec
from mlq.submit.batch import check_all, sign_all
from mlq.submit.submission import Caller, Submission

AT = "2026-11-23T22:15:01.123456Z"
KEY = b"k" * 32
SMALL = JobSpec(id="7", cwd="/", request=Request(), submitted_at=AT)

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)
NAMES = WORDS.filter(lambda one: one and "=" not in one)
VALUES = st.dictionaries(NAMES, WORDS, max_size=3)
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
NUMBERS = st.integers(0, LARGEST)
SIZES = st.none() | st.integers(1, 10**6).map(lambda mib: f"{mib}M")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
PACKS = st.builds(Pack, pack=HASHES, links=st.just("") | HASHES, project=WORDS)

SPECS = st.builds(
    JobSpec,
    id=NAMES,
    name=WORDS,
    argv=st.lists(WORDS, max_size=3).map(tuple),
    function=st.none()
    | st.builds(
        FunctionCall,
        name=WORDS,
        args=st.lists(JSON, max_size=2).map(tuple),
        kwargs=st.dictionaries(WORDS, JSON, max_size=2),
    ),
    cwd=WORDS,
    captured_env=VALUES,
    env=VALUES,
    secrets=st.dictionaries(NAMES, st.just("KEY-" + "0a" * 16), max_size=1),
    python_env=WORDS,
    program=WORDS,
    request=st.builds(
        Request,
        cores=st.integers(1, LARGEST),
        mem_mib=st.integers(1, LARGEST),
        gpus=NUMBERS,
        vram_mib=NUMBERS,
        machine=WORDS,
        gpu_type=st.sampled_from(["", "a100", "rtx-3090"]),
    ),
    priority=st.integers(-LARGEST, LARGEST),
    time_limit_s=st.none() | st.floats(0, 1e9, exclude_min=True),
    retries=NUMBERS,
    after=st.lists(WORDS, max_size=2).map(tuple),
    after_any=st.booleans(),
    conditions=st.dictionaries(WORDS, st.sampled_from(["finished", "ended", "failed"]), max_size=2),
    singleton=st.booleans(),
    requeue=st.booleans(),
    grace_s=st.none() | st.floats(0, LONGEST_GRACE_S),
    signal=st.none() | st.just("B:USR1@60"),
    code=st.none()
    | st.builds(
        Code,
        pack=HASHES,
        project=WORDS,
        subfolder=WORDS,
        also=st.lists(PACKS, max_size=2).map(tuple),
        commit=WORDS,
        dirty=st.booleans(),
    ),
    member=st.none() | st.builds(Member, name=WORDS, key=WORDS, params=VALUES),
    metrics=st.dictionaries(NAMES, WORDS.filter(bool), max_size=3),
    submitted_at=WORDS,
)


@given(SPECS)
def test_a_job_is_written_as_pydantic_would_write_it_and_read_as_it_was(spec: JobSpec) -> None:
    text = spec.canonical()
    dumped = STRICT.dump_python(spec, exclude_defaults=True) | {"version": 1}
    assert text == json.dumps(dumped, sort_keys=True, separators=(",", ":"))
    assert parse_spec(text) == check_spec(spec) == spec
    assert parse_spec(text).canonical() == text


SUBMISSIONS = st.builds(
    Submission,
    argv=st.lists(WORDS, min_size=1, max_size=3).map(tuple),
    name=WORDS,
    cores=st.integers(1, LARGEST),
    mem=SIZES,
    time=st.none() | st.sampled_from(["90m", "2h", "1.5h"]) | st.integers(1, 10**6),
    priority=st.integers(-LARGEST, LARGEST),
    after=st.lists(WORDS, max_size=2).map(tuple),
    after_any=st.booleans(),
    retries=NUMBERS,
    grace=st.none() | st.sampled_from(["0", "5m", "30"]) | st.integers(0, 1000),
    machine=WORDS.map(lambda one: one.replace(",", "").replace("!", "")),
    exclude=st.sampled_from(["", "gpu03,lab*"]),
    singleton=st.just(False),
    hold=st.booleans(),
    requeue=st.booleans(),
    env=VALUES,
    metrics=st.just({}) | st.just({"acc": "accuracy ([0-9.]+)"}),
    capture_env=st.none() | st.booleans(),
    cwd=st.just("/"),
    python_env=st.just(""),
)


@given(SUBMISSIONS, VALUES)
def test_what_a_command_enqueues_the_strict_reader_takes_and_the_python_api_signs_alike(
    submission: Submission, captured: dict[str, str]
) -> None:
    caller = Caller({}, captured, True, KEY)
    (quick,), (strict,) = (
        sign_all(check_all([submission], AT, 2048, caller, typed=typed), 7, KEY)
        for typed in (True, False)
    )
    assert quick.text == strict.text == quick.spec.canonical()
    assert parse_spec(quick.text) == quick.spec == strict.spec


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"version": 2}, "version"),
        ({"cwd": None}, "cwd"),
        ({"retries": "1"}, "retries"),
        ({"retries": -1}, "retries"),
        ({"priority": LARGEST + 1}, "priority"),
        ({"time_limit_s": 0}, "time_limit_s"),
        ({"grace_s": LONGEST_GRACE_S + 1}, "grace_s"),
        ({"after_any": 1}, "after_any"),
        ({"metrics": {"a": 7}}, "metrics.a"),
        ({"metrics": {"a": "x" * 501}}, "metrics.a"),
        ({"metrics": {f"m{n}": "(.)" for n in range(21)}}, "metrics"),
        ({"argv": "true"}, "argv"),
        ({"env": {"A": 1}}, "env.A"),
        ({"secrets": {"A": "../../key"}}, "secrets.A"),
        ({"signal": "USR1; reboot"}, "signal"),
        ({"request": {"cores": "1"}}, "request.cores"),
        ({"request": {"cores": 0}}, "request"),
        ({"request": {"coers": 1}}, "request.coers"),
        ({"request": [1]}, "request"),
        ({"code": {"pack": "a" * 63, "project": "/"}}, "code.pack"),
        ({"code": {"pack": "a" * 64}}, "code.project"),
        ({"code": {"pack": "a" * 64, "project": "/", "also": [{"pack": ""}]}}, "code.also.0.pack"),
        ({"member": {"name": "lr", "key": "k", "params": {"lr": 0.1}}}, "member.params.lr"),
        ({"nmae": "lr"}, "nmae"),
    ],
)
def test_nothing_is_converted_and_nothing_passed_over(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(NotStrictError) as caught:
        parse_spec(json.dumps(json.loads(SMALL.canonical()) | changes))
    assert caught.value.where == where


def test_each_field_that_is_needed_is_missed() -> None:
    needed = {one.name for one in fields(JobSpec) if one.default is one.default_factory is MISSING}
    assert needed == {"id", "cwd", "request", "submitted_at"}
    whole = json.loads(SMALL.canonical())
    for name in needed:
        with pytest.raises(NotStrictError) as caught:
            parse_spec(json.dumps({key: one for key, one in whole.items() if key != name}))
        assert caught.value.where == name


@pytest.mark.parametrize("text", ["", "[]", "null", "7", "{", '["7", "/"]'])
def test_a_text_that_is_no_job_is_refused(text: str) -> None:
    with pytest.raises(NotStrictError):
        parse_spec(text)


def test_records_within_a_job_of_pythons_are_checked_too() -> None:
    spec = replace(SMALL, request=Request(machine=3))  # type: ignore[arg-type]
    with pytest.raises(NotStrictError, match=r"request\.machine: .*string"):
        check_spec(spec)
    spec = replace(SMALL, function=FunctionCall(name=3))  # type: ignore[arg-type]
    with pytest.raises(NotStrictError, match=r"function\.name: .*string"):
        check_spec(spec)
