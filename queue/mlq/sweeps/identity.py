"""How a sweep recognizes a member when it is enqueued again.

It compares the working folder, the command as typed, the parameters and `--env`. It ignores code,
resources, priority, Python environment and captured variables: adding a print or asking for more
memory must not cost a week of GPU time. It ignores the project's folder, too: the working folder,
an absolute path, is enough, and `git init` would otherwise make a new project of the same files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

from mlq.sweeps.decimals import comparable


class Identity:
    """The part of the identity that all members of one sweep share.

    Args:
        folder: the folder that they run in.
        command: as typed, with the names of parameters in it.
        env: the variables that their user set for them.
    """

    def __init__(self, folder: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        shared = json.dumps([folder, list(command), sorted(env.items())])
        self._begun = hashlib.blake2b(shared.encode(), digest_size=16)

    def keys(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
        """Return the key of each member: 32 hexadecimal digits.

        Args:
            names: of the parameters.
            rows: for each member a value for each name.
        """
        order = sorted(range(len(names)), key=names.__getitem__)
        columns = [(at, json.dumps(names[at])) for at in order]
        found = []
        for row in rows:
            digest = self._begun.copy()
            digest.update("".join([_pair(name, row[at]) for at, name in columns]).encode())
            found.append(digest.hexdigest())
        return found


@lru_cache(maxsize=65536)
def _pair(name: str, value: str) -> str:
    return f"{name}:{json.dumps(comparable(value))},"
