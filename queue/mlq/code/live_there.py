"""Which files a job sees live if the project's data are in the lab and not where it is enqueued.

A laptop has the code and git's rules, and seldom the data. So the lab lists the entries of the
project's folders there, and the laptop's git says which of them it ignores.

Invariant: every link leads to something that exists in the lab; through any other link the job
could neither read nor create a file.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlq.code.git import Git
from mlq.code.run_folders import is_of_runs
from mlq.code.snapshot import Snapshot

_NEVER = frozenset({".git", "__pycache__"})
_AT_ONCE = 500


def folders_of(snapshot: Snapshot) -> list[str]:
    """Return the folders that hold code, each with a final /; "" is the project itself."""
    found = {""}
    for path in _paths(snapshot):
        parts = path.split("/")[:-1]
        found.update("/".join(parts[: at + 1]) + "/" for at in range(len(parts)))
    return sorted(found)


def _paths(snapshot: Snapshot) -> list[str]:
    manifest = snapshot.manifest
    return [one.path for one in manifest.files] + [one.path for one in manifest.links]


def with_live_there(git: Git, snapshot: Snapshot, there: Sequence[str]) -> Snapshot:
    """Return a snapshot whose links lead to files in the lab.

    Args:
        git: runs git.
        snapshot: of the project here.
        there: the lab's paths in the folders that hold code; the paths of folders end in /.
    """
    own = {*_paths(snapshot)}
    own |= {one.rstrip("/") for one in folders_of(snapshot)}
    asked = [
        one
        for one in there
        if one.rstrip("/") not in own and _NEVER.isdisjoint(one.rstrip("/").split("/")[-1:])
    ]
    ignored = set(asked)
    if snapshot.project.has_git:
        ignored = _ignored(git, snapshot.project.folder, asked)
    links = {one.rstrip("/") for one in ignored if not is_of_runs(one.rstrip("/"))}
    known = {one.rstrip("/") for one in there}
    # A path that git does not ignore may be a link all the same: .mlqignore, environments, large
    # files.
    links |= {one for one in snapshot.links if one in known}
    return snapshot._replace(links=tuple(sorted(links)))


def _ignored(git: Git, folder: str, paths: Sequence[str]) -> set[str]:
    parts = [paths[at : at + _AT_ONCE] for at in range(0, len(paths), _AT_ONCE)]
    # Without --stdin git writes lines, with unusual names in quotes: those do not become links.
    words = ("-c", "core.quotePath=false", "check-ignore", "--")
    ran = git.run(folder, *([*words, *part] for part in parts))
    told = {line for one in ran for line in one.out.decode(errors="surrogateescape").split("\n")}
    return told & set(paths)
