"""What `signatures` declares is what the headers of the scripts say and what the scripts use.

`conftest` checks the calls and replies of all other store tests against the headers.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import script_headers
from script_headers import CheckedReply, check_call

from mlq.store.operations import Operation
from mlq.store.signatures import SIGNATURES

OPERATIONS = script_headers.operations()
# Sent by `Operation.command`, and read in front of every script.
_WITH_EVERY_CALL = {"queue_id", "held_by"}


def test_each_script_is_declared() -> None:
    assert sorted(SIGNATURES) == OPERATIONS


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_header_says_what_is_declared(name: str) -> None:
    said, declared = script_headers.header(name), SIGNATURES[name]
    assert said.name == name
    assert set(said.args) == declared.required | {f"{one}?" for one in declared.optional}
    assert sorted(map(sorted, said.replies)) == sorted(map(sorted, declared.replies))


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_script_uses_each_of_its_arguments_and_no_other(name: str) -> None:
    code = _code(name)
    used = set(re.findall(r"\bargs\.(\w+)", code))
    if re.search(r"\bargs,", code):  # as the one who claims
        used |= set(re.findall(r"\bwho\.(\w+)", _code("_states")))
    declared = SIGNATURES[name].required | SIGNATURES[name].optional
    in_front = set(re.findall(r"\bargs\.(\w+)", _code("_prelude"))) - _WITH_EVERY_CALL
    assert used <= declared
    assert declared <= used | in_front


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_request_id_is_sent_to_scripts_that_know_it_again(name: str) -> None:
    assert SIGNATURES[name].once == ("cached_reply()" in _code(name))


def test_a_call_with_other_arguments_is_refused() -> None:
    Operation("hold_name", {"record": {}})
    Operation("hold_name", {"record": {}, "expected": {}})
    with pytest.raises(TypeError, match="does not take"):
        Operation("hold_name", {"expected": {}})
    with pytest.raises(TypeError, match="does not take"):
        Operation("hold_name", {"record": {}, "states": {}})


_WORKER = dict.fromkeys(
    ("machine", "worker", "host_id", "boot_id", "host", "pid", "pid_start", "pid_ns"), ""
)


@pytest.mark.parametrize(
    "call",
    [
        Operation("note_starts", {"machine": "a", "starts": [["1", "good", "twice"]]}),
        Operation("hold_name", {"record": {**_WORKER, "age": 1}}),
        Operation("hold_name", {"record": _WORKER, "expected": {"worker": ""}}),
    ],
    ids=["list too long", "field too many", "field missing"],
)
def test_the_check_finds_what_no_header_says(call: Operation) -> None:
    with pytest.raises(AssertionError):
        check_call(call)


@pytest.mark.parametrize(
    "reply", [{}, {"alive": []}, {"first": 1, "last": 2}], ids=["none", "other", "both"]
)
def test_the_check_finds_replies_that_no_header_says(reply: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        CheckedReply("reserve_numbers", reply)
    with pytest.raises(AssertionError):
        CheckedReply("reserve_numbers", {"first": 1}).get("alive")


def _code(name: str) -> str:
    return re.sub(r"--.*", "", script_headers.text(name))
