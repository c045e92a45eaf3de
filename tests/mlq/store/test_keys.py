"""No module spells a key of the queue: `mlq.store.keys` and the scripts do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlq.store import keys

_PACKAGES = [
    Path(keys.__file__).parents[3] / folder
    for folder in ("queue/mlq", "worker/mlq_worker", "cli/mlq_cli")
]
_SPELLED = re.compile(r"""["'](?:rq|mlq):[a-z]""")
# What begins like a key and is none of a queue's: what a tunnel says, and a key of the servers that
# are only tried.
_OTHERS = ('"mlq:connected"', '"mlq:trial"')


@pytest.mark.parametrize("package", _PACKAGES, ids=lambda path: path.name)
def test_keys_are_spelled_in_one_module(package: Path) -> None:
    modules = list(package.rglob("*.py"))
    assert modules
    spelled = [
        f"{path}:{number}: {line.strip()}"
        for path in modules
        if path != Path(keys.__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if _SPELLED.search(line) and not any(one in line for one in _OTHERS)
    ]
    assert not spelled
