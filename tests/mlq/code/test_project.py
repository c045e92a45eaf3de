"""Which project a folder is of, also behind links."""

from pathlib import Path

import pytest
from git_projects import write

from mlq.code.project import Project, is_too_much, project_of


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path, {"home/x": "", "project/.git/HEAD": "", "project/a/b/c.py": "", "else/d": ""})
    return tmp_path / "project"


def found(folder: Path, home: str = "home") -> Project:
    top = next(one for one in (folder, *folder.parents) if (one / "else").is_dir())
    return project_of(str(folder), str(top / home))


def test_the_root_of_the_repository_and_where_in_it(project: Path) -> None:
    assert found(project) == Project(str(project), "", has_git=True)
    assert found(project / "a/b") == Project(str(project), "a/b", has_git=True)
    assert found(project / "a/../a") == Project(str(project), "a", has_git=True)
    assert found(project / "a/b").start == str(project / "a/b")


def test_outside_git_the_folder_itself(project: Path) -> None:
    other = project.parent / "else"
    assert found(other) == Project(str(other), "", has_git=False)


def test_a_project_that_is_a_link_keeps_its_typed_name(project: Path) -> None:
    link = project.parent / "link"
    link.symlink_to(project)
    assert found(link / "a") == Project(str(link), "a", has_git=True)


def test_a_link_into_a_project_means_the_real_one(project: Path) -> None:
    link = project.parent / "else/exp"
    link.symlink_to(project / "a")
    assert project_of(str(link / "b"), "/root/x") == Project(str(project), "a/b", has_git=True)


def test_a_link_out_of_a_project_is_not_of_it(project: Path) -> None:
    link = project / "out"
    link.symlink_to(project.parent / "else")
    assert project_of(str(link), "/root/x") == Project(str(link), "", has_git=False)


def test_a_home_folder_in_git_is_no_project(project: Path) -> None:
    assert found(project / "a", "project") == Project(str(project / "a"), "", has_git=False)


def test_never_home_or_above(tmp_path: Path) -> None:
    home = str(tmp_path / "me")
    assert is_too_much("/", home)
    assert is_too_much(home, home)
    assert is_too_much(str(tmp_path), home)
    assert not is_too_much(f"{home}/project", home)
    assert not is_too_much(f"{home}2", home)
