"""The Lua operations have the words of the life cycle from one table, and spell none themselves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import redis

from mlq.jobs.lifecycle import ENDED, Event, State, target
from mlq.store import scripts
from mlq.store.keys import REGISTRIES

_FILES = sorted(Path(scripts.__file__).with_name("lua").glob("*.lua"))


@pytest.mark.one_server
def test_lua_knows_the_words_of_the_life_cycle(admin: redis.Redis) -> None:
    known = admin.eval(
        f"{scripts.vocabulary()}"
        "return { cjson.encode(State), cjson.encode(Target), cjson.encode(ENDED),"
        " cjson.encode(REGISTRY) }",
        0,
    )
    states, targets, ended, registries = (json.loads(one) for one in known)
    assert states == {state.name: state for state in State}
    assert targets == {event.name: target(event) for event in Event}
    assert ended == dict.fromkeys(ENDED, True)
    assert registries == REGISTRIES


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_no_script_spells_a_state_or_its_registry(path: Path) -> None:
    code = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
    spelled = re.findall(rf"\b(?:{'|'.join(State)})\b", code)
    spelled += [key for key in REGISTRIES.values() if key in code]
    assert not spelled


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_a_script_names_only_words_that_there_are(path: Path) -> None:
    """Lua would take a misspelled one for nil."""
    code = path.read_text(encoding="utf-8")
    assert set(re.findall(r"\bState\.(\w+)", code)) <= {state.name for state in State}
    assert set(re.findall(r"\bTarget\.(\w+)", code)) <= {event.name for event in Event}
