"""The code of jobs: taken when they are enqueued, and on the results root before the queue hears.

Jobs that are enqueued together from one folder share one pack. Invariant: a job whose signed text
names a pack finds it whole on the root, and its command names no live file of the project.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mlq.code.options import options_of
from mlq.code.project import Project, project_of
from mlq.code.provenance import diff_name, uncommitted
from mlq.code.reading import changes, read_whole
from mlq.code.rewrite import Rewriter
from mlq.code.snapshot import InPlace, Snapshot, Taker
from mlq.code.storing import Shelf
from mlq.errors import StorageError
from mlq.files.layout import Layout
from mlq.files.paths import check_ours_alone, make_private_dirs
from mlq.files.root import WrongRootError, pinned, read_owner
from mlq.jobs.spec import Code
from mlq.settings.people import home
from mlq.store import identity

if TYPE_CHECKING:
    from mlq.settings.settings import Settings
    from mlq.store.client import Client
    from mlq.submit.batch import Checked

_TRIES = 3
_IN_PLACE = "or run the job in the live folder: --in-place"


class Kept(NamedTuple):
    """Code that is on the results root, or why it is not taken.

    Args:
        code: what a job's signed text says of it; None if the job runs in place.
        cwd: the live folder of the job.
        rewriter: makes its command name the copy.
        note: what its user should know; "" if nothing.
    """

    code: Code | None
    cwd: str
    rewriter: Rewriter | None
    note: str


class WithCode(NamedTuple):
    """Checked submissions with their code, and what their user should know."""

    checked: list[Checked]
    notes: list[str]


def with_code(
    checked: Sequence[Checked], settings: Settings, environ: Mapping[str, str], client: Client
) -> WithCode:
    """Take the code of submissions and put it on the results root.

    Args:
        checked: the submissions.
        settings: of this installation.
        environ: of who enqueues.
        client: of the queue, whose root it must be.

    Raises:
        InvalidInputError: a project holds too much, or git does not list it.
        StorageError: a file cannot be read, or the root cannot be written from here.
        UnsafePathError: the folder of packs is open to others.
    """
    keeper = _Keeper(settings, environ, client)
    found: list[Checked] = []
    like: dict[tuple[int, str], Checked] = {}
    for submission, template in checked:
        kept = keeper.kept(template.cwd, submission.in_place)
        if kept.code is None or kept.rewriter is None:
            found.append((submission, template))
            continue
        argv = kept.rewriter.argv(submission.argv)
        program = kept.rewriter.program(template.program) if template.program else ""
        if program:
            argv = (program, *argv[1:])
        known = (id(template), program)
        if known not in like:
            called = "" if program else template.program
            spec = replace(template, code=kept.code, cwd=kept.cwd, program=called)
            like[known] = submission, spec
        asked = submission if argv == submission.argv else submission.with_argv(argv)
        found.append((asked, like[known][1]))
    return WithCode(found, keeper.notes)


class _Keeper:
    """Takes each project once."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], client: Client) -> None:
        self._settings, self._client = settings, client
        self._home = str(home(environ))
        self._taker = Taker(self._home, settings.runtime_dir)
        self._found: dict[tuple[str, bool | None], Kept] = {}
        self.notes: list[str] = []

    def kept(self, cwd: str, in_place: bool | None) -> Kept:
        """Return the code of jobs that run in a folder."""
        asked = cwd, in_place
        if asked not in self._found:
            found = self._keep(cwd, in_place)
            self._found[asked] = found
            if found.note:
                self.notes.append(found.note)
        return self._found[asked]

    def _keep(self, cwd: str, in_place: bool | None) -> Kept:
        project = project_of(cwd, self._home)
        if in_place or (in_place is None and not self._is_wanted(project)):
            return Kept(None, cwd, None, "")
        if self._settings.is_remote and not (self._settings.root / "queue.json").is_file():
            return Kept(None, cwd, None, "")
        changed = ""
        for _ in range(_TRIES):
            snapshot = self._taker.take(project)
            if isinstance(snapshot, InPlace):
                return Kept(None, cwd, None, snapshot.why)
            try:
                return self._stored(snapshot)
            except _ChangedError as error:
                changed = error.path
                snapshot.memory.files.pop(changed, None)
            finally:
                snapshot.memory.keep()
        raise changes(project.folder, changed, _TRIES)

    def _is_wanted(self, project: Project) -> bool:
        said = options_of(project).snapshot
        return self._settings.snapshot if said is None else said

    def _stored(self, snapshot: Snapshot) -> Kept:
        memory, project = snapshot.memory, snapshot.project
        with _root(self._settings, self._client) as root:
            shelf = Shelf(root, memory.packs, time.time)
            digest, links = shelf.keep(
                snapshot.manifest, snapshot.links_text, _contents_of(snapshot)
            )
            commit = snapshot.commit
            name = diff_name(digest, commit)
            if commit and name not in memory.dirty:
                if text := uncommitted(self._taker.git, snapshot):
                    shelf.keep_text(name, text)
                memory.dirty[name] = bool(text)
        code = Code(
            pack=digest,
            links=links,
            project=project.folder,
            subfolder=project.subfolder,
            commit=commit,
            branch=snapshot.branch,
            dirty=snapshot.has_untracked or memory.dirty.get(name, False),
        )
        names = {project.folder, os.path.realpath(project.folder)}
        files = frozenset(one.path for one in snapshot.manifest.files)
        rewriter = Rewriter(names, project.subfolder, files)
        return Kept(code, project.start, rewriter, snapshot.note)


class _ChangedError(Exception):
    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(path)


def _contents_of(snapshot: Snapshot) -> Callable[[str], bytes]:
    """Return what gives the content of a file; what was not read then is read now."""
    digests = {one.path: one.sha256 for one in snapshot.manifest.files}

    def content_of(path: str) -> bytes:
        content = snapshot.contents.get(path)
        if content is None:
            content, _ = read_whole(snapshot.project.folder, path)
            if hashlib.sha256(content).hexdigest() != digests[path]:
                raise _ChangedError(path)
        return content

    return content_of


@contextmanager
def _root(settings: Settings, client: Client) -> Iterator[Layout]:
    """Open the results root that this queue's workers use, or will use."""
    root = settings.root
    try:
        queue_id, known_root = identity.queue_and_root(client)
        if not known_root and read_owner(root) is None:
            # No worker has started yet: the first will make this folder the queue's root.
            make_private_dirs(root)
            check_ours_alone(root)
            queue_id = ""
        with pinned(Layout(root, queue_id)) as opened:
            yield opened
    except WrongRootError as error:
        raise StorageError(
            f"the code of the job cannot be put on the results root {root}",
            why=str(error.strerror),
            fix=f"enqueue where the root is mounted; if root is wrong, set it (`mlq config`); "
            f"{_IN_PLACE}",
        ) from None
    except OSError as error:
        raise StorageError(
            f"the code of the job cannot be written to {root}",
            why=error.strerror or str(error),
            fix=f"make room there; {_IN_PLACE}",
        ) from None
