"""The code of jobs: taken when they are enqueued, and on the results root before the queue hears.

Jobs that are enqueued together from one folder share one pack. Invariant: a job whose signed text
names a pack finds it whole on the root, and its command names no live file of the project.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mlq.code.editable import editable_folders, prefixes_of
from mlq.code.keeping import Keeper, Looker
from mlq.code.options import options_of
from mlq.code.project import Project, project_of
from mlq.code.rewrite import Rewriter
from mlq.code.snapshot import InPlace, Snapshot, Taker
from mlq.errors import InvalidInputError, StorageError
from mlq.files.layout import Layout
from mlq.files.paths import check_ours_alone, make_private_dirs
from mlq.files.root import WrongRootError, pinned, read_owner
from mlq.jobs.spec import Code, Pack
from mlq.settings.people import home
from mlq.store import identity

if TYPE_CHECKING:
    from mlq.jobs.spec import JobSpec
    from mlq.settings.settings import Settings
    from mlq.store.client import Client
    from mlq.submit.batch import Checked
    from mlq.submit.submission import Submission

_IN_PLACE = "or run the job in the live folder: --in-place"


class Kept(NamedTuple):
    """Code that is on the results root.

    Args:
        code: what a job's signed text says of it; None if the job runs in place.
        cwd: the live folder of the job.
        rewriter: makes its command name the copy.
    """

    code: Code | None
    cwd: str
    rewriter: Rewriter | None


class WithCode(NamedTuple):
    """Checked submissions with their code, and what their user should know."""

    checked: list[Checked]
    notes: list[str]


def with_code(
    checked: Sequence[Checked],
    settings: Settings,
    environ: Mapping[str, str],
    client: Client,
    *,
    dry: bool = False,
) -> WithCode:
    """Take the code of submissions and put it on the results root.

    Args:
        checked: the submissions.
        settings: of this installation.
        environ: of who enqueues.
        client: of the queue, whose root it must be.
        dry: whether nothing is to be written, and nothing will run.

    Raises:
        InvalidInputError: a project holds too much, or git does not list it.
        StorageError: a file cannot be read, or the root cannot be written from here.
        UnsafePathError: the folder of packs is open to others.
    """
    taker = Taker(str(home(environ)), settings.runtime_dir)
    keeper = Looker(taker) if dry else Keeper(taker, lambda: _root(settings, client))
    projects = _Projects(settings, str(home(environ)), keeper)
    found: list[Checked] = []
    like: dict[tuple[int, str], Checked] = {}
    for submission, template in checked:
        kept = projects.kept(submission, template)
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
    return WithCode(found, [note for note in projects.notes if note])


class _Projects:
    """Takes the project of each folder once."""

    def __init__(self, settings: Settings, home: str, keeper: Keeper | Looker) -> None:
        self._settings, self._home, self._keeper = settings, home, keeper
        self._of_template: dict[tuple[int, str], Kept] = {}
        self._found: dict[tuple[str, bool | None, tuple[str, ...]], Kept] = {}
        self.notes: list[str] = []

    def kept(self, submission: Submission, template: JobSpec) -> Kept:
        """Return the code of a job; `template` is like it, and lives as long as this."""
        program = submission.argv[0] if submission.argv else ""
        like = id(template), program
        if like not in self._of_template:
            programs = (template.program, program)
            prefixes = prefixes_of(template.python_env, programs, template.cwd, self._home)
            asked = template.cwd, submission.in_place, prefixes
            if asked not in self._found:
                self._found[asked] = self._kept(*asked)
            self._of_template[like] = self._found[asked]
        return self._of_template[like]

    def _kept(self, cwd: str, in_place: bool | None, prefixes: tuple[str, ...]) -> Kept:
        project = project_of(cwd, self._home)
        if in_place or (in_place is None and not self._is_wanted(project)):
            return Kept(None, cwd, None)
        if self._settings.is_remote and not (self._settings.root / "queue.json").is_file():
            return Kept(None, cwd, None)
        kept = self._keeper.keep(project)
        if isinstance(kept, InPlace):
            self.notes.append(kept.why)
            return Kept(None, cwd, None)
        snapshot, project = kept.snapshot, kept.snapshot.project
        self.notes.append(snapshot.note)
        code = Code(
            pack=kept.pack,
            links=kept.links,
            project=project.folder,
            subfolder=project.subfolder,
            also=tuple(self._also(snapshot, prefixes)),
            commit=snapshot.commit,
            branch=snapshot.branch,
            dirty=kept.dirty,
        )
        names = {project.folder, os.path.realpath(project.folder)}
        files = frozenset(one.path for one in snapshot.manifest.files)
        return Kept(code, project.start, Rewriter(names, project.subfolder, files))

    def _is_wanted(self, project: Project) -> bool:
        said = options_of(project).snapshot
        return self._settings.snapshot if said is None else said

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
    """Return whether a folder is packed with the project, or is it."""
    top, real = os.path.realpath(main.project.folder), os.path.realpath(folder)
    inside = real.removeprefix(f"{top}/")
    if real in (top, inside):
        return real == top
    return not any(f"{inside}/".startswith(f"{one}/") for one in main.links)


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
