"""The Lua operations, as the server gets them.

Each file under lua/ is one operation. The shared code is put in front of each, beginning with the
words of the life cycle, so that no script spells one itself. A script is sent only to a server that
says that it does not know it, and otherwise named by its SHA-1 (EVALSHA): sending ten kilobytes
each time would take several round trips through a tunnel. So its text must be the same in every
process.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mlq.jobs.lifecycle import ENDED, TRANSITIONS, State
from mlq.store.keys import REGISTRIES

try:
    # The module behind hashlib; importing hashlib with OpenSSL takes a tenth of the time of `mlq
    # ls`.
    from _sha1 import sha1 as _sha1  # type: ignore[import-not-found]
except ImportError:
    from hashlib import sha1 as _sha1

# Not importlib.resources, whose import takes longer than the rest of `mlq ls`.
_FOLDER = Path(__file__).with_name("lua")
_SHARED = (
    "_prelude",
    "_templates",
    "_sweeps",
    "_waiting",
    "_into_line",
    "_states",
    "_singletons",
    "_dependents",
    "_signals",
    "_new_jobs",
)


@cache
def source(name: str) -> str:
    """Return the whole text of an operation, for example `claim`."""
    return shared() + _text(name)


@cache
def shared() -> str:
    """Return the code that is put in front of each operation."""
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
    """Return the SHA-1 under which the server keeps the operation."""
    # The protocol's own digest: EVALSHA names a script by it; security does not depend on it.
    digest: str = _sha1(source(name).encode(), usedforsecurity=False).hexdigest()
    return digest
