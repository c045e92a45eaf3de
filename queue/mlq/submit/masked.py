"""Program, variables and code of a job as they may be shown; what looks like a secret is masked.

Read from the stored description, which only a worker verifies: what is not as it should be is left
out. No value of `--secret` can be in it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mlq.lenient import dict_or_empty
from mlq.submit.secrecy import masked


class Given(NamedTuple):
    """What a job is given of its caller's.

    Args:
        program: the path of its program, "" if each machine has its own or the command says it.
        env: those its user asked for.
        captured_env: those of the shell it was enqueued from.
        secrets: names of those that it reads from files.
        code: what it says of the code that it runs; empty if it runs in the live folder.
    """

    program: str
    env: dict[str, str]
    captured_env: dict[str, str]
    secrets: tuple[str, ...]
    code: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return them as `mlq show --json` prints them."""
        return {
            "program": self.program or None,
            "env": self.env,
            "captured_env": self.captured_env,
            "secrets": list(self.secrets),
            "code": self.code or None,
        }


def given(spec: str) -> Given:
    """Read a stored description."""
    found = dict_or_empty(spec)
    program = found.get("program")
    return Given(
        program if isinstance(program, str) else "",
        masked(_texts(found.get("env"))),
        masked(_texts(found.get("captured_env"))),
        tuple(_texts(found.get("secrets"))),
        _code(found.get("code")),
    )


def _code(found: object) -> dict[str, Any]:
    """Return what is said of code, with all of its fields; empty if it is none."""
    if not isinstance(found, dict):
        return {}
    told: dict[str, Any] = {
        name: value if isinstance(value := found.get(name, ""), str) else ""
        for name in ("pack", "links", "project", "subfolder", "commit", "branch")
    }
    also = found.get("also")
    told["dirty"] = found.get("dirty") is True
    told["also"] = [
        {name: one.get(name, "") for name in ("pack", "links", "project")}
        for one in (also if isinstance(also, list) else ())
        if isinstance(one, dict)
    ]
    return told if told["pack"] else {}


def _texts(found: object) -> dict[str, str]:
    pairs = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, str)}
