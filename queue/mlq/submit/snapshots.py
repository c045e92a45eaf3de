"""The code of jobs: taken at enqueueing, and on the results root before the queue knows the jobs.

Jobs that are enqueued together from one folder share one pack. Invariant: a job whose signed text
names a pack finds that pack whole on the root, and its command names no live file of the project.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mlq.code.editable import editable_folders, prefixes_of
from mlq.code.keeping import Elsewhere, Keeper, KeptPack, Live, Looker, as_here
from mlq.code.live_there import folders_of, with_live_there
from mlq.code.memory import Memory
from mlq.code.project import is_too_much, project_of
from mlq.code.rewrite import Rewriter
from mlq.code.snapshot import InPlace, Snapshot, Taker
from mlq.code.storing import Shelf, opened_root
from mlq.errors import InvalidInputError, StorageError
from mlq.jobs.spec import Code, Pack
from mlq.settings.people import home
from mlq.store import identity
from mlq.submit.in_lab import LabPaths, is_elsewhere
from mlq.submit.inherited import Inherited, inherited_code

if TYPE_CHECKING:
    from mlq.jobs.spec import JobSpec
    from mlq.settings.settings import Settings
    from mlq.store.client import Client
    from mlq.submit.batch import Checked
    from mlq.submit.submission import Submission


class Kept(NamedTuple):
    """Code that is on the results root.

    Args:
        code: what a job's signed text says of it; None if the job runs in place.
        cwd: the live folder of the job.
        rewriter: makes its command name the copy.
        has_programs: whether the machines have the programs that are found here.
    """

    code: Code | None
    cwd: str
    rewriter: Rewriter | None
    has_programs: bool = True


class _Asked(NamedTuple):
    """The key by which jobs share code: jobs with equal keys have the same code."""

    cwd: str
    in_place: bool | None
    python_env: str
    prefixes: tuple[str, ...]


class WithCode(NamedTuple):
    """Checked submissions with their code, and what their user should know."""

    checked: list[Checked]
    notes: list[str]


def with_code(
    checked: Sequence[Checked],
    settings: Settings,
    environ: Mapping[str, str],
    client: Client,
    elsewhere: Callable[[], Elsewhere] | None = None,
    *,
    dry: bool = False,
) -> WithCode:
    """Take the code of submissions and put it on the results root.

    Args:
        checked: the submissions.
        settings: of this installation.
        environ: the caller's variables.
        client: of the queue that the root must belong to.
        elsewhere: returns the root as the queue's host has it.
        dry: whether nothing is to be written, and nothing will run.

    Raises:
        InvalidInputError: the lab lacks a folder that a job needs; or a project holds too much, or
            git does not list it.
        StorageError: a file cannot be read, or the root cannot be written from here.
        UnsafePathError: the folder of packs is open to others.
    """
    taker = Taker(str(home(environ)), settings.runtime_dir)
    far = elsewhere() if elsewhere and is_elsewhere(settings) and not dry else None
    here = partial(_shelf_here, settings, client)
    keeper = Looker(taker) if dry else Keeper(taker, far.opened if far else here)
    projects = _Projects(settings, environ, keeper, here, far)
    try:
        found = list(_each(checked, projects))
    finally:
        if far:
            far.close()
    return WithCode(found, [note for note in projects.notes if note])


def _each(checked: Sequence[Checked], projects: _Projects) -> Iterator[Checked]:
    like: dict[tuple[int, str], JobSpec] = {}
    for submission, template in checked:
        kept = projects.kept(submission, template)
        if kept.code is None or kept.rewriter is None:
            yield submission, template
            continue
        argv = kept.rewriter.argv(submission.argv)
        program = kept.rewriter.program(template.program) if template.program else ""
        if program:
            argv = (program, *argv[1:])
        known = (id(template), program)
        if known not in like:
            called = "" if program or not kept.has_programs else template.program
            like[known] = replace(template, code=kept.code, cwd=kept.cwd, program=called)
        asked = submission if argv == submission.argv else submission.with_argv(argv)
        yield asked, like[known]


class _Projects:
    """Takes the project of each folder once."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        keeper: Keeper | Looker,
        open_here: Callable[[dict[str, list[Any]]], AbstractContextManager[Shelf]],
        far: Elsewhere | None,
    ) -> None:
        self._settings, self._environ, self._keeper = settings, environ, keeper
        self._open_here = open_here
        self._home = str(home(environ))
        self._is_here, self._far = not is_elsewhere(settings), far
        self._of_template: dict[tuple[int, str], Kept] = {}
        self._found: dict[_Asked, Kept] = {}
        self.notes: list[str] = []

    def kept(self, submission: Submission, template: JobSpec) -> Kept:
        """Return the code of a job; `template` is like it, and lives as long as this object."""
        program = submission.argv[0] if submission.argv else ""
        like = id(template), program
        if like not in self._of_template:
            programs = (template.program, program)
            prefixes = prefixes_of(template.python_env, programs, template.cwd, self._home)
            asked = _Asked(template.cwd, submission.in_place, template.python_env, prefixes)
            if asked not in self._found:
                self._found[asked] = self._kept(asked)
            self._of_template[like] = self._found[asked]
        return self._of_template[like]

    def _kept(self, asked: _Asked) -> Kept:
        live = Kept(None, asked.cwd, None)
        if not asked.in_place and (inherited := inherited_code(self._environ, asked.cwd)):
            return self._handed_down(inherited)
        paths = LabPaths.of(asked.cwd, self._home)
        said = paths.options.snapshot
        wanted = self._settings.snapshot if said is None else said
        if asked.in_place or (asked.in_place is None and not wanted):
            return live
        if not self._is_here and isinstance(self._keeper, Keeper) and self._far is None:
            self.notes.append(
                "note: the job runs in the live folder, for the results root is not mounted here;"
                " `mlq enqueue` sends the code over ssh"
            )
            return live
        is_project = not is_too_much(paths.project.folder, self._home)
        if self._far and is_project and os.path.lexists(asked.cwd):
            self._check_there(self._far, paths, asked.python_env)
        kept = self._keeper.keep(paths.project, self._live(paths.live))
        if isinstance(kept, InPlace):
            self.notes.append(kept.why)
            return live
        self.notes.append(kept.snapshot.note)
        return self._coded(kept, paths, asked.prefixes)

    def _live(self, place: str) -> Live:
        """Return what makes a snapshot link to the lab's live files, if the root is remote."""
        far = self._far
        if far is None:
            return as_here
        return lambda git, taken: with_live_there(git, taken, far.listed(place, folders_of(taken)))

    def _handed_down(self, inherited: Inherited) -> Kept:
        """Return the job's code if its pack is on the root because the enqueueing job runs it."""
        code = inherited.code
        with self._open_here({}) as shelf:
            manifest = shelf.manifest(code.pack)
            if manifest is None or not shelf.has(code.pack, code.links):
                raise StorageError(
                    "the code of this job is gone from the results root",
                    why=f"{self._settings.root}/code/{code.pack}.tgz is not there, or damaged",
                )
        files = frozenset(one.path for one in manifest.files)
        names = {inherited.work, os.path.realpath(inherited.work), code.project}
        cwd = f"{code.project}/{code.subfolder}" if code.subfolder else code.project
        return Kept(code, cwd, Rewriter(names, code.subfolder, files))

    def _check_there(self, far: Elsewhere, paths: LabPaths, python_env: str) -> None:
        """Make sure that the lab has the folders that the job needs besides its code."""
        memory = Memory.of(paths.project.folder, self._settings.runtime_dir)
        needed = [one for one in (paths.live, python_env) if one]
        missing = far.missing_folders(memory.packs, needed)
        memory.keep()
        paths.check_there(missing, self._settings.queue_host)

    def _coded(self, kept: KeptPack, paths: LabPaths, prefixes: Sequence[str]) -> Kept:
        snapshot, project = kept.snapshot, kept.snapshot.project
        # The lab's environment may have editable installs, but they cannot be seen from here.
        also = tuple(self._also(snapshot, prefixes)) if self._is_here else ()
        code = Code(
            pack=kept.pack,
            links=kept.links,
            project=project.folder if self._is_here else paths.folder(project.folder),
            subfolder=project.subfolder,
            also=also,
            commit=snapshot.commit,
            branch=snapshot.branch,
            dirty=kept.dirty,
        )
        names = {project.folder, os.path.realpath(project.folder), code.project}
        files = frozenset(one.path for one in snapshot.manifest.files)
        cwd = f"{code.project}/{code.subfolder}" if code.subfolder else code.project
        rewriter = Rewriter(names, project.subfolder, files)
        return Kept(code, cwd, rewriter, has_programs=self._is_here)

    def _also(self, main: Snapshot, prefixes: Sequence[str]) -> Iterator[Pack]:
        """Take the other projects that these environments import live."""
        folders = {
            folder
            for prefix in prefixes
            for folder in editable_folders(prefix, self._settings.runtime_dir)
        }
        others = {project_of(one, self._home).whole() for one in folders}
        for other in sorted(others):
            if _is_of(main, other.folder):
                continue
            why = ""
            try:
                kept = self._keeper.keep(other)
                if not isinstance(kept, InPlace):
                    yield Pack(pack=kept.pack, links=kept.links, project=other.folder)
                    continue
            except (InvalidInputError, StorageError) as error:
                why = f": {error.why or error.what}"
            self.notes.append(
                f"note: {other.folder} is installed editable, and is used live, not as now{why}"
            )


def _is_of(main: Snapshot, folder: str) -> bool:
    """Return whether a folder is the project itself or is packed with it."""
    top, real = os.path.realpath(main.project.folder), os.path.realpath(folder)
    inside = real.removeprefix(f"{top}/")
    if real in (top, inside):
        return real == top
    return not any(f"{inside}/".startswith(f"{one}/") for one in main.links)


@contextmanager
def _shelf_here(settings: Settings, client: Client, known: dict[str, list[Any]]) -> Iterator[Shelf]:
    queue_id, known_root = identity.queue_and_root(client)
    with opened_root(settings.root, queue_id, known_root) as root:
        yield Shelf(root, known, time.time)
