"""What a laptop's folders are called in the lab: `[tool.mlq] live` and `env` of a project.

A laptop that does not mount the results root has folders that no machine has. The code of a job
goes along; its data and its Python environment are in the lab, and the project says where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mlq.code.options import ProjectOptions, options_of
from mlq.code.project import Project, project_of
from mlq.errors import InvalidInputError
from mlq.settings.people import home
from mlq.submit.inherited import inherited_code
from mlq.submit.programs import present_folder
from mlq.submit.python_env import python_env_of

if TYPE_CHECKING:
    from mlq.settings.settings import Settings
    from mlq.submit.submission import Submission


class LabPaths(NamedTuple):
    """The places of a project and its Python environment in the lab.

    Args:
        project: the project here.
        options: what its `[tool.mlq]` says.
    """

    project: Project
    options: ProjectOptions

    @classmethod
    def of(cls, folder: str, home_folder: str) -> LabPaths:
        """Return where the project of a folder is in the lab."""
        project = project_of(folder, home_folder)
        return cls(project, options_of(project))

    @property
    def live(self) -> str:
        """The project's folder there."""
        return self.options.live.rstrip("/") or self.project.folder

    def folder(self, path: str) -> str:
        """Return the path there of a folder here: the same path, if it is not in the project."""
        inside = f"{path.rstrip('/')}/".removeprefix(f"{self.project.folder}/")
        if f"{path.rstrip('/')}/" == inside:
            return path
        return f"{self.live}/{inside}".rstrip("/")

    def env(self, prefix: str) -> str:
        """Return the Python environment there that stands for the one active here; "" for none."""
        return self.options.env.rstrip("/") or (prefix and self.folder(prefix))

    def check_there(self, missing: Sequence[str], host: str) -> None:
        """Make sure that the lab has its folders.

        Args:
            missing: the folders that the lab lacks.
            host: the host that reported them.

        Raises:
            InvalidInputError: the lab lacks a folder; the message says what to write.
        """
        if not missing:
            return
        name, what = "env", "the Python environment of the job"
        if self.live in missing:
            name, what = "live", "the folder of the project, with its data,"
        raise InvalidInputError(
            f"{host} has no folder {missing[0]}",
            why="no machine of the lab can run the job without it",
            fix=f"say where {what} is in the lab, in {self.project.folder}/pyproject.toml, under"
            f' [tool.mlq]: {name} = "/vol/...", as the machines see it',
        )


def is_elsewhere(settings: Settings) -> bool:
    """Return whether the results root is not mounted here, and the queue's host may have it."""
    return settings.is_remote and not (settings.root / "queue.json").is_file()


def folder_there(folder: str, settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the path in the lab of a folder here; members of sweeps are recognized by it.

    If a job enqueues from its copy, that is the path of the live folder.
    """
    if inherited := inherited_code(environ, folder):
        return f"{inherited.code.project}/{inherited.code.subfolder}".rstrip("/")
    if not is_elsewhere(settings):
        return folder
    return LabPaths.of(folder, str(home(environ))).folder(folder)


def with_lab_env(
    submissions: Sequence[Submission], settings: Settings, environ: Mapping[str, str]
) -> list[Submission]:
    """Return submissions with the lab's Python environment in the place of the one active here."""
    found: dict[str, str | None] = {}
    changed = []
    for submission in submissions:
        folder = submission.cwd or present_folder(environ)
        if submission.in_place or submission.python_env is not None:
            changed.append(submission)
            continue
        if folder not in found:
            paths = LabPaths.of(folder, str(home(environ)))
            active = python_env_of(None, environ).prefix
            env = paths.env(active)
            wanted = settings.snapshot if paths.options.snapshot is None else paths.options.snapshot
            found[folder] = env if env != active and wanted else None
        changed.append(replace(submission, python_env=found[folder]))
    return changed
