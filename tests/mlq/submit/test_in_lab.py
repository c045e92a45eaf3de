"""What a laptop's folders are called in the lab."""

import os
from pathlib import Path
from typing import Any

import pytest
from git_projects import write
from installation import private_settings

from mlq.errors import InvalidInputError
from mlq.submit.in_lab import LabPaths, folder_there, is_elsewhere, with_lab_env
from mlq.submit.submission import Submission

LIVE = '[tool.mlq]\nlive = "/vol/me/p/"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path / "project", {".git/HEAD": "", "sub/a.py": "", ".venv/bin/python": ""})
    return tmp_path / "project"


def paths(project: Path, table: str) -> LabPaths:
    write(project, {"pyproject.toml": table})
    return LabPaths.of(str(project / "sub"), "/home/me")


def test_what_is_in_the_project_is_where_it_lives_in_the_lab(project: Path) -> None:
    found = paths(project, LIVE)
    assert found.live == "/vol/me/p"
    assert found.folder(str(project)) == "/vol/me/p"
    assert found.folder(f"{project}/sub/") == "/vol/me/p/sub"
    assert found.folder(f"{project}2/sub") == f"{project}2/sub"
    assert found.env(f"{project}/.venv") == "/vol/me/p/.venv"
    assert found.env("/opt/conda") == "/opt/conda"
    assert found.env("") == ""


def test_env_names_the_environment_of_the_lab(project: Path) -> None:
    assert paths(project, LIVE + 'env = "/vol/me/env"\n').env("/opt/conda") == "/vol/me/env"


def test_without_a_word_all_is_where_it_is_here(project: Path) -> None:
    found = paths(project, "")
    assert (found.live, found.folder(f"{project}/sub")) == (str(project), f"{project}/sub")


def test_a_missing_folder_says_what_to_write(project: Path) -> None:
    found = paths(project, LIVE)
    found.check_there([], "far")
    with pytest.raises(InvalidInputError, match="far has no folder /vol/me/p") as caught:
        found.check_there(["/vol/me/p"], "far")
    assert f"in {project}/pyproject.toml, under [tool.mlq]" in caught.value.fix
    assert 'live = "/vol/' in caught.value.fix
    with pytest.raises(InvalidInputError) as caught:
        found.check_there(["/opt/conda"], "far")
    assert 'env = "/vol/' in caught.value.fix


def located(project: Path, **options: Any) -> str | None:
    environ = {
        "PWD": str(project),
        "HOME": "/home/me",
        "PATH": f"{project}/.venv/bin:/usr/bin",
        "VIRTUAL_ENV": f"{project}/.venv",
    }
    asked = Submission(argv=("python",), cwd=str(project), **options)
    settings = private_settings(project.parent)._replace(snapshot=True)
    (found,) = with_lab_env([asked], settings, environ)
    return found.python_env


def test_the_active_environment_is_that_of_the_lab(project: Path) -> None:
    assert located(project) is None
    write(project, {"pyproject.toml": LIVE})
    assert located(project) == "/vol/me/p/.venv"
    assert located(project, in_place=True) is None
    assert located(project, python_env="/vol/other") == "/vol/other"
    write(project, {"pyproject.toml": LIVE + "snapshot = false\n"})
    assert located(project) is None


def test_a_root_that_is_mounted_is_here(tmp_path: Path) -> None:
    settings = private_settings(tmp_path)
    far = settings._replace(queue_host="me@far")
    assert not is_elsewhere(settings)
    assert is_elsewhere(far)
    assert not is_elsewhere(far._replace(queue_host=os.uname().nodename))
    write(settings.root, {"queue.json": "{}"})
    assert not is_elsewhere(far)


def test_members_of_sweeps_are_known_by_the_folder_in_the_lab(project: Path) -> None:
    write(project, {"pyproject.toml": LIVE})
    settings, folder = private_settings(project.parent), f"{project}/sub"
    environ = {"HOME": "/home/me"}
    assert folder_there(folder, settings, environ) == folder
    far = settings._replace(queue_host="me@far")
    assert folder_there(folder, far, environ) == "/vol/me/p/sub"
