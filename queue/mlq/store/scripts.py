"""The Lua operations, as the server gets them.

One operation a file under lua/; what they share stands in front of each, first of all the words of
the life cycle, so that no script spells one itself. A script is sent to a server that says that it
does not know it, and otherwise named by its SHA-1 (EVALSHA): ten kilobytes a question would take
several round trips through a tunnel. So its text must be the same in every process.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mlq.jobs.lifecycle import ENDED, TRANSITIONS, State
from mlq.store.keys import REGISTRIES

try:
    # What is behind hashlib where OpenSSL is not; with that it takes a tenth of `mlq ls` to import.
    from _sha1 import sha1 as _sha1  # type: ignore[import-not-found]
except ImportError:
    from hashlib import sha1 as _sha1

# Not importlib.resources, whose import takes longer than all the rest of `mlq ls`.
_FOLDER = Path(__file__).with_name("lua")
_SHARED = (
    "_prelude",
    "_templates",
    "_sweeps",
    "_waiting",
    "_states",
    "_dependents",
    "_new_jobs",
)


@cache
def source(name: str) -> str:
    """Return the whole text of an operation, for example `claim`."""
    return shared() + _text(name)


@cache
def shared() -> str:
    """Return what stands in front of each operation."""
    return vocabulary() + "".join(map(_text, _SHARED))


@cache
def vocabulary() -> str:
    """Return the words of the life cycle as Lua tables.

    `State.QUEUED` is a state, `Target.CLAIM` the one that an event leads to, `ENDED[state]` whether
    a job of that state has ended, `REGISTRY[state]` the key that keeps such jobs, less the class.
    """
    tables: dict[str, Mapping[str, str]] = {
        "State": {state.name: f"'{state}'" for state in State},
        "Target": {event.name: f"'{state}'" for (_, event), state in TRANSITIONS.items()},
        "ENDED": {str(state): "true" for state in State if state in ENDED},
        "REGISTRY": {str(state): f"'{REGISTRIES[state]}'" for state in State},
    }
    lines = (
        f"local {name} = {{ {', '.join(f'{key} = {value}' for key, value in table.items())} }}\n"
        for name, table in tables.items()
    )
    return "".join(lines)


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


@cache
def sha1(name: str) -> str:
    """Return the name under which the server keeps the operation."""
    # The protocol's own digest: EVALSHA names a script by it, it guards nothing.
    digest: str = _sha1(source(name).encode(), usedforsecurity=False).hexdigest()
    return digest
