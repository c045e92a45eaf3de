"""Takes a project as it is now: looks, decides what is code, and reads it.

Only the local memory of what was read is written here. `mlq.code.storing` stores the result where
the machines find it.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from mlq.code.git import Git
from mlq.code.limits import check_size, shown
from mlq.code.listing import RULES, Listing, NotARepositoryError, list_by_rules, list_project
from mlq.code.manifest import Manifest, PackedLink, links_text
from mlq.code.memory import Memory
from mlq.code.project import Project, is_too_much
from mlq.code.reading import look_at, read_files
from mlq.code.run_folders import with_runs
from mlq.code.taking import Choice, Seen, choose
from mlq.code.walking import MOST_BYTES, MOST_FILES, list_folder
from mlq.units import format_bytes


class Snapshot(NamedTuple):
    """A project as it was.

    Args:
        project: which, and where in it the job starts.
        manifest: what the pack holds.
        links: what the job sees live.
        contents: of the files that were read now; the others can be read again.
        commit, branch: of git.
        has_untracked: whether it has files that git does not track.
        note: what its user should know; "" if nothing.
        memory: of the project.
    """

    project: Project
    manifest: Manifest
    links: tuple[str, ...]
    contents: dict[str, bytes]
    commit: str
    branch: str
    has_untracked: bool
    note: str
    memory: Memory

    @property
    def links_text(self) -> bytes:
        """The list of links as it is stored; empty if there are none."""
        return links_text(self.links) if self.links else b""


class InPlace(NamedTuple):
    """A folder that is not a project: the job runs in the live folder; `why` tells the user."""

    why: str


class Taker:
    """Takes projects.

    Args:
        home: the user's home folder, which is never taken.
        runtime_dir: the setting of that name; the memory of what was read is kept there.
        git: runs git.
        now_ns: unix time.
    """

    def __init__(
        self,
        home: str,
        runtime_dir: Path,
        git: Git | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._home, self._runtime_dir, self._now_ns = home, runtime_dir, now_ns
        self.git = git or Git()

    def take(self, project: Project) -> Snapshot | InPlace:
        """Return a project as it is now.

        Raises:
            InvalidInputError: it holds too much, or git does not list it.
            StorageError: a file cannot be read.
        """
        if project.has_git:
            try:
                listing = list_project(self.git, project.folder)
            except NotARepositoryError:
                return self.take(project.alone())
            if _is_left_out(project.subfolder, listing):
                return self.take(project.alone())
            taken = self._read(project, listing)
            if taken is not None:
                return taken
        return self._take_folder(project)

    def _take_folder(self, project: Project) -> Snapshot | InPlace:
        folder = project.folder
        where = f"note: the job runs in the live folder {shown(folder)}"
        if is_too_much(folder, self._home):
            return InPlace(f"{where}, for that is no project; changes there change the job")
        try:
            found = Path(folder).stat()
        except OSError:
            return InPlace("")  # another check asks whether the machines have it
        if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
            return InPlace(f"{where}, for that is not yours; changes there change the job")
        if os.path.lexists(f"{folder}/{RULES}"):
            listing: Listing | None = list_by_rules(self.git, folder, self._scratch())
        else:
            listing = list_folder(folder)
        if listing is not None and (taken := self._read(project, listing)) is not None:
            return taken
        return InPlace(
            f"{where}, for it is in no git repository and holds more than {MOST_FILES} files or"
            f" {format_bytes(MOST_BYTES)}; changes there change the job (git init, or a {RULES}"
            " that names what is no code, mends that)"
        )

    def _scratch(self) -> Path:
        return self._runtime_dir / "code" / "empty.git"

    def _read(self, project: Project, listing: Listing) -> Snapshot | None:
        """Return the listing; None if a folder outside git holds too much."""
        folder = project.folder
        memory = Memory.of(folder, self._runtime_dir)
        stats = look_at(folder, listing.files)
        choice = choose(listing, _seen(folder, stats), project.subfolder)
        wanted = {path: stats[path] for path in choice.files}
        sizes = {path: found.st_size for path, found in wanted.items()}
        if project.has_git:
            check_size(folder, sizes)
        elif len(sizes) > MOST_FILES or sum(sizes.values()) > MOST_BYTES:
            return None
        read = read_files(folder, wanted, memory.files, self._now_ns)
        memory.files = read.known
        manifest = Manifest(tuple(read.files), tuple(PackedLink(*one) for one in choice.kept))
        untracked = frozenset(listing.untracked)
        return Snapshot(
            project,
            manifest,
            with_runs(folder, choice.links),
            read.contents,
            listing.commit,
            listing.branch,
            not untracked.isdisjoint((*choice.files, *(path for path, _ in choice.kept))),
            _note(choice, stats),
            memory,
        )


def _seen(folder: str, stats: Mapping[str, os.stat_result]) -> dict[str, Seen]:
    return {
        path: Seen(
            found.st_mode,
            found.st_size,
            _inner_target(folder, path) if stat.S_ISLNK(found.st_mode) else "",
        )
        for path, found in stats.items()
    }


def _inner_target(folder: str, path: str) -> str:
    """Return a link's target; an absolute target inside its own project is made relative.

    Otherwise the job's copy of it would lead to the live file.
    """
    target = _target(f"{folder}/{path}")
    for live in (folder, os.path.realpath(folder)):
        if target == live or target.startswith(f"{live}/"):
            return os.path.relpath(target, f"{live}/{os.path.dirname(path)}")  # noqa: PTH120 - text
    return target


def _target(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - pathlib would normalize it
    except OSError:
        return ""  # it was replaced just now; the next listing will be right


def _is_left_out(subfolder: str, listing: Listing) -> bool:
    """Return whether git ignores the folder where the job starts, or keeps its own files there."""
    if not subfolder:
        return False
    inside = f"{subfolder}/"
    return inside.startswith(".git/") or any(
        inside.startswith(f"{one}/") for one in listing.ignored
    )


def _note(choice: Choice, stats: Mapping[str, os.stat_result]) -> str:
    if not choice.large:
        return ""
    named = ", ".join(
        f"{shown(path)} ({format_bytes(stats[path].st_size)})" for path in choice.large[:5]
    )
    more = f" and {len(choice.large) - 5} more" if len(choice.large) > 5 else ""
    return (
        f"note: used live, not as now, for git does not track a file so large: {named}{more}"
        " (git add takes it along, .gitignore ends this note)"
    )
