"""What git says of a snapshot besides its files: the commit, the branch, the uncommitted changes.

It is recorded for people to read, perhaps years later; nothing is ever rebuilt from it.
"""

from __future__ import annotations

from mlq.code.git import Git
from mlq.code.snapshot import Snapshot

_MOST_BYTES = 4 << 20
_CUT = b"\n... cut here: the pack holds the files themselves\n"
_COMMIT_DIGITS = 12


def diff_name(digest: str, commit: str) -> str:
    """Return the name of the file, beside a pack, that holds the uncommitted changes."""
    return f"{digest}.{commit[:_COMMIT_DIGITS]}.diff"


def uncommitted(git: Git, snapshot: Snapshot) -> bytes:
    """Return the diff of tracked files against the commit; empty if there is none."""
    if not snapshot.commit:
        return b""
    words = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", snapshot.commit, "--")
    (ran,) = git.run(snapshot.project.folder, words)
    text = ran.out
    return text if len(text) <= _MOST_BYTES else text[:_MOST_BYTES] + _CUT
