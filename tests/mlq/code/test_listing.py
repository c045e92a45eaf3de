"""Git itself says which files are a project's, `.mlqignore` and repositories inside included."""

import os
import resource
from pathlib import Path

import pytest
from git_projects import git, repository, write

from mlq.code.git import Git
from mlq.code.listing import (
    NotARepositoryError,
    list_by_rules,
    list_project,
    read_rules,
    rules_inside,
)
from mlq.errors import InvalidInputError


def test_tracked_and_untracked_files_are_taken_and_ignored_ones_named(tmp_path: Path) -> None:
    repository(tmp_path, {".gitignore": "data/\n*.so\n", "train.py": "", "pkg/a.py": ""})
    write(tmp_path, {"new.py": "", "data/raw/x.bin": "", "pkg/b.so": "", "only/c.so": ""})
    found = list_project(Git(), str(tmp_path))
    assert sorted(found.tracked) == [".gitignore", "pkg/a.py", "train.py"]
    assert found.untracked == ["new.py"]
    assert {"data", "pkg/b.so", "only"} <= set(found.ignored)
    assert found.commit == git(tmp_path, "rev-parse", "HEAD")
    assert found.branch == "main"


def test_mlqignore_takes_in_what_git_ignores_and_leaves_out_what_it_tracks(tmp_path: Path) -> None:
    repository(
        tmp_path,
        {
            ".gitignore": "*.so\nlocal.yaml\nbuild/\n",
            ".mlqignore": "# compiled\n\n!*.so\n!local.yaml  \nnotebooks/\n/top.txt\n",
            "pkg/.gitignore": "*.so\n",
            "notebooks/big.ipynb": "",
            "top.txt": "",
            "pkg/top.txt": "",
        },
    )
    write(tmp_path, {"pkg/a.so": "", "local.yaml": "", "build/b.so": ""})
    found = list_project(Git(), str(tmp_path))
    assert {"pkg/a.so", "local.yaml", "pkg/top.txt"} <= set(found.files)
    assert {"notebooks/big.ipynb", "top.txt"} <= set(found.ignored)
    assert {"notebooks/big.ipynb", "top.txt"}.isdisjoint(found.files)
    assert "build" in found.ignored  # as in git: nothing comes back from below an ignored folder


def test_submodules_and_clones_inside_are_listed_by_their_own_rules(tmp_path: Path) -> None:
    library = repository(tmp_path / "library", {"lib.py": "", ".gitignore": "*.log\n"})
    project = repository(tmp_path / "project", {"train.py": "", ".mlqignore": "*.csv\n"})
    allow = ("-c", "protocol.file.allow=always")
    git(project, *allow, "submodule", "add", "-q", str(library), "third/library")
    git(project, "commit", "-q", "-m", "submodule")
    repository(project / "clone", {"c.py": "", "inner/i.py": ""})
    repository(project / "clone/deep", {"d.py": ""}, commit=False)
    write(project, {"third/library/x.log": "", "third/library/new.py": "", "clone/t.csv": ""})
    found = list_project(Git(), str(project))
    assert set(found.files) == {
        *(".gitmodules", ".mlqignore", "train.py", "third/library/lib.py"),
        *("third/library/.gitignore", "third/library/new.py"),
        *("clone/c.py", "clone/inner/i.py", "clone/deep/d.py"),
    }
    assert {"third/library/x.log", "clone/t.csv"} <= set(found.ignored)


def test_a_submodule_that_was_never_fetched_is_live(tmp_path: Path) -> None:
    library = repository(tmp_path / "library", {"lib.py": ""})
    project = repository(tmp_path / "project", {"train.py": ""})
    allow = ("-c", "protocol.file.allow=always")
    git(project, *allow, "submodule", "add", "-q", str(library), "library")
    git(project, "commit", "-q", "-m", "submodule")
    git(project, "submodule", "deinit", "-q", "-f", "library")
    assert "library" in list_project(Git(), str(project)).ignored


def test_odd_names_survive(tmp_path: Path) -> None:
    repository(tmp_path, {"a\nb.py": "", "\udcff.py": "", " -x": ""})
    assert list_project(Git(), str(tmp_path)).tracked == [" -x", "a\nb.py", "\udcff.py"]


def test_a_repository_without_a_commit_is_one(tmp_path: Path) -> None:
    repository(tmp_path, {"a.py": ""}, commit=False)
    found = list_project(Git(), str(tmp_path))
    assert (found.files, found.commit, found.branch) == (["a.py"], "", "")


def test_a_folder_that_only_looks_like_a_repository_is_none(tmp_path: Path) -> None:
    write(tmp_path, {".git/nothing": ""})
    with pytest.raises(NotARepositoryError):
        list_project(Git(), str(tmp_path))


def test_what_a_hook_tells_git_is_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repository(tmp_path / "other", {"o.py": ""})
    mine = repository(tmp_path / "mine", {"m.py": ""})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert list_project(Git(), str(mine)).files == ["m.py"]


def test_without_git_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidInputError, match="git cannot be started") as caught:
        Git().run(str(tmp_path), ("status",))
    assert "--in-place" in caught.value.fix


def test_a_folder_without_a_repository_follows_its_mlqignore(tmp_path: Path) -> None:
    folder = tmp_path / "scripts"
    write(folder, {".mlqignore": "out/\n", "a.py": "", "out/x": "", "sub/b.py": ""})
    found = list_by_rules(Git(), str(folder), tmp_path / "empty.git")
    assert found.files == [".mlqignore", "a.py", "sub/b.py"]
    assert found.ignored == ["out"]


def test_rules_are_read_as_git_reads_them(tmp_path: Path) -> None:
    write(tmp_path, {".mlqignore": b"\xef\xbb\xbf# no\r\n*.a \r\nb\\ \n\n\\#c\n"})
    assert read_rules(str(tmp_path)) == ("*.a", "b\\ ", "\\#c")


def test_rules_reach_into_repositories_inside() -> None:
    rules = ("*.csv", "data/", "/third/lib/out/", "!third/lib/keep", "/third/lib/", "docs/x")
    assert rules_inside(rules, "third/lib/") == ("*.csv", "data/", "/out/", "!/keep")


def test_a_worktree_and_a_folder_with_an_odd_name_are_repositories(tmp_path: Path) -> None:
    project = repository(tmp_path / "odd\nname \udcff", {"a.py": ""})
    git(project, "worktree", "add", "-q", "-b", "side", "wt")
    worktree = list_project(Git(), f"{project}/wt")
    assert (worktree.files, worktree.branch) == (["a.py"], "side")
    assert set(list_project(Git(), str(project)).files) == {"a.py", "wt/a.py"}


def test_a_repository_above_a_false_one_is_not_taken_for_it(tmp_path: Path) -> None:
    repository(tmp_path, {"a.py": ""})
    write(tmp_path, {"inside/.git/nothing": ""})
    with pytest.raises(NotARepositoryError):
        list_project(Git(), str(tmp_path / "inside"))


def test_a_git_that_hangs_is_ended_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"bin/git": "#!/bin/sh\nexec sleep 600\n"})
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with pytest.raises(InvalidInputError, match="said nothing") as refused:
        list_project(Git(patience_s=0.1), str(tmp_path))
    assert "--in-place" in refused.value.fix


def test_what_watches_a_repository_is_not_asked(tmp_path: Path) -> None:
    repository(tmp_path, {"train.py": ""})
    git(tmp_path, "config", "core.fsmonitor", "sleep 600;")
    write(tmp_path, {"train.py": "changed"})
    taken = Git(patience_s=5).run(str(tmp_path), ("diff", "HEAD"))
    assert b"+changed" in taken[0].out


def test_more_repositories_than_a_process_may_have_files_open(tmp_path: Path) -> None:
    repository(tmp_path, {"train.py": ""})
    few = 40
    for number in range(few):
        clone = tmp_path / f"clone{number}"
        clone.mkdir()
        git(clone, "init", "-q", "--template=")
        write(clone, {"a.py": ""})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 3 * few, hard))
    try:
        found = list_project(Git(), str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(found.files) == 1 + few


def test_a_pipe_in_the_place_of_the_rules_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".mlqignore")
    assert read_rules(str(tmp_path)) == ()
