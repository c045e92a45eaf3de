"""The code of jobs is on the root before the queue hears of them, or one message says why not."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from git_projects import git, repository, write
from installation import private_settings

from mlq.code import memory, storing
from mlq.code.manifest import parse_links, parse_manifest
from mlq.errors import InvalidInputError, StorageError
from mlq.jobs.spec import JobSpec
from mlq.submit.batch import check_all
from mlq.submit.snapshots import with_code
from mlq.submit.submission import Caller, Submission
from mlq.units import utc_iso


class AnsweringClient:
    """The client of a queue with this id and root."""

    def __init__(self, queue_id: str = "", root: str = "") -> None:
        self._reply = [queue_id.encode(), root.encode()]

    def call(self, *words: object) -> Any:
        assert words[0] == "MGET"
        return self._reply


class Desk:
    """Somebody who enqueues jobs of a project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "home").mkdir()
        self.environ = {"HOME": str(folder / "home"), "PATH": os.environ["PATH"]}
        self.settings = private_settings(folder)._replace(snapshot=True)
        self.root = self.settings.root
        self.notes: list[str] = []
        self.client = AnsweringClient()

    def enqueue(self, cwd: Path, *argv: str, **options: Any) -> JobSpec:
        """Return what would be signed of a job."""
        asked = Submission(argv=argv or ("python", "train.py"), cwd=str(cwd), **options)
        caller = Caller({**self.environ, "PWD": str(cwd)})
        checked = check_all([asked], utc_iso(0), 100, caller, typed=True)
        found = with_code(checked, self.settings, self.environ, self.client)  # type: ignore[arg-type]
        self.notes = found.notes
        ((submission, spec),) = found.checked
        assert submission.argv
        return JobSpec(**{**vars(spec), "argv": submission.argv})

    def packs(self) -> set[str]:
        """The names of what is in the folder of packs."""
        folder = self.root / "code"
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {".gitignore": "data/\n", "train.py": "print(1)\n", "sub/b.py": ""}
    folder = repository(tmp_path / "project", files)
    write(folder, {"data/x.bin": "x"})
    return folder


def test_a_job_names_the_code_that_is_on_the_root(desk: Desk, project: Path) -> None:
    spec = desk.enqueue(project / "sub", "python", str(project / "train.py"))
    code = spec.code
    assert code is not None
    assert spec.cwd == str(project / "sub")
    assert spec.argv == ("python", "../train.py")
    assert (code.project, code.subfolder) == (str(project), "sub")
    assert (code.commit, code.branch) == (git(project, "rev-parse", "HEAD"), "main")
    assert not code.dirty
    folder = desk.root / "code"
    manifest = parse_manifest((folder / f"{code.pack}.manifest").read_bytes(), code.pack)
    assert [one.path for one in manifest.files] == [".gitignore", "sub/b.py", "train.py"]
    assert parse_links((folder / f"{code.links}.links").read_bytes(), code.links) == ("data",)
    assert desk.packs() == {f"{code.pack}.tgz", f"{code.pack}.manifest", f"{code.links}.links"}
    assert desk.notes == []


def test_what_was_not_committed_is_beside_it(desk: Desk, project: Path) -> None:
    write(project, {"train.py": "print(2)\n"})
    code = desk.enqueue(project).code
    assert code is not None
    assert code.dirty
    diff = (desk.root / "code" / f"{code.pack}.{code.commit[:12]}.diff").read_text()
    assert "-print(1)\n+print(2)\n" in diff
    again = desk.enqueue(project).code
    assert again == code


def test_a_new_file_makes_it_dirty(desk: Desk, project: Path) -> None:
    write(project, {"new.py": ""})
    code = desk.enqueue(project).code
    assert code is not None
    assert code.dirty


def test_in_place_takes_nothing(desk: Desk, project: Path) -> None:
    assert desk.enqueue(project, in_place=True).code is None
    write(project, {"pyproject.toml": "[tool.mlq]\nsnapshot = false\n"})
    assert desk.enqueue(project / "sub").code is None
    assert desk.packs() == set()
    assert desk.enqueue(project, in_place=False).code is not None


def test_the_setting_can_be_overruled_by_the_project(desk: Desk, project: Path) -> None:
    desk.settings = desk.settings._replace(snapshot=False)
    assert desk.enqueue(project).code is None
    write(project, {"pyproject.toml": "[tool.mlq]\nsnapshot = true\n"})
    assert desk.enqueue(project).code is not None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[tool.mlq]\nsnapshots = false", "did you mean snapshot"),
        ("[tool.mlq]\nsnapshot = 1", "neither true nor false"),
        ("[tool.mlq]\nlive = 'here'", "from / on"),
        ("[tool.mlq\n", "cannot be read"),
        ("[tool]\nmlq = 3", "is no table"),
    ],
)
def test_a_table_that_cannot_be_used_is_said(
    desk: Desk, project: Path, table: str, said: str
) -> None:
    write(project, {"pyproject.toml": table})
    with pytest.raises(InvalidInputError, match=said):
        desk.enqueue(project)


def test_a_folder_outside_git_is_taken_if_it_is_small(desk: Desk, tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    write(scripts, {"a.py": "", "sub/b.py": "", "big.bin": b"\0" * (11 << 20)})
    code = desk.enqueue(scripts).code
    assert code is not None
    assert (code.commit, code.dirty) == ("", True)
    assert "big.bin (11M)" in desk.notes[0]
    write(scripts, {f"out/{number}": "" for number in range(1000)})
    assert desk.enqueue(scripts).code is None
    assert "git init" in desk.notes[0]
    write(scripts, {".mlqignore": "out/\n"})
    assert desk.enqueue(scripts).code is not None


def test_home_is_no_project(desk: Desk, tmp_path: Path) -> None:
    repository(tmp_path / "home", {"x.py": ""})
    assert desk.enqueue(tmp_path / "home").code is None
    assert "live folder" in desk.notes[0]


def test_a_folder_that_git_ignores_is_a_project_of_its_own(desk: Desk, project: Path) -> None:
    code = desk.enqueue(project / "data").code
    assert code is not None
    assert (code.project, code.commit) == (str(project / "data"), "")


def test_a_project_that_is_a_link_keeps_its_name(desk: Desk, project: Path) -> None:
    link = project.parent / "link"
    link.symlink_to(project)
    spec = desk.enqueue(link / "sub", "python", str(project / "train.py"), str(link / "train.py"))
    assert spec.code is not None
    assert (spec.code.project, spec.cwd) == (str(link), str(link / "sub"))
    assert spec.argv == ("python", "../train.py", "../train.py")


def test_an_absolute_link_into_the_project_leads_into_the_copy(desk: Desk, project: Path) -> None:
    (project / "sub" / "a.py").symlink_to(project / "train.py")
    (project / "passwd").symlink_to("/etc/passwd")
    code = desk.enqueue(project).code
    assert code is not None
    text = (desk.root / "code" / f"{code.pack}.manifest").read_bytes()
    links = dict(parse_manifest(text, code.pack).links)
    assert links == {"sub/a.py": "../train.py", "passwd": "/etc/passwd"}


def test_odd_names_are_taken(desk: Desk, project: Path) -> None:
    write(project, {"a\nb.py": "", "\udcff.py": ""})
    code = desk.enqueue(project).code
    assert code is not None
    text = (desk.root / "code" / f"{code.pack}.manifest").read_bytes()
    paths = {one.path for one in parse_manifest(text, code.pack).files}
    assert {"a\nb.py", "\udcff.py"} <= paths


def test_a_program_of_the_project_in_path_is_that_of_the_copy(desk: Desk, project: Path) -> None:
    write(project, {"bin/tool": "#!/bin/sh\n"})
    (project / "bin/tool").chmod(0o755)
    desk.environ["PATH"] = f"{project}/bin:{desk.environ['PATH']}"
    spec = desk.enqueue(project / "sub", "tool", "1")
    assert (spec.argv, spec.program) == (("../bin/tool", "1"), "")


def test_a_file_that_changes_although_its_times_say_not_is_read_again(
    desk: Desk, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "RACY_NS", -(10**15))  # as if all had been left alone for long
    first = desk.enqueue(project).code
    shutil.rmtree(desk.root)
    state = (project / "train.py").stat()
    path = next((desk.settings.runtime_dir / "code").glob("*.json"))
    text = path.read_text()
    known = f"{state.st_size}, {state.st_mtime_ns}, {state.st_ctime_ns}, {state.st_ino}, "
    at = text.index(known) + len(known) + 1
    path.write_text(text[:at] + "0" * 64 + text[at + 64 :])  # another content at these times
    assert desk.enqueue(project).code == first


def test_the_root_of_another_queue_is_refused(desk: Desk, project: Path) -> None:
    write(desk.root, {"queue.json": '{"queue": "other", "format": 1}'})
    desk.root.chmod(0o700)
    desk.client = AnsweringClient("mine", str(desk.root))
    with pytest.raises(StorageError, match="another queue"):
        desk.enqueue(project)
    assert desk.packs() == set()


def test_a_root_that_is_not_mounted_is_refused(desk: Desk, project: Path) -> None:
    desk.client = AnsweringClient("mine", "/vol/mlq")
    with pytest.raises(StorageError, match="is the share mounted"):
        desk.enqueue(project)
    assert not desk.root.exists()


def _full(*_: object) -> bytes:
    raise OSError(28, "No space left on device")


def test_a_full_root_is_one_message_and_nothing_is_left(
    desk: Desk, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "pack", _full)
    with pytest.raises(StorageError, match="No space left") as caught:
        desk.enqueue(project)
    assert "--in-place" in caught.value.fix
    assert not any(name.endswith((".tgz", ".tmp")) for name in desk.packs())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(desk: Desk, project: Path) -> None:
    (project / "train.py").chmod(0)
    with pytest.raises(StorageError, match=r"train.py cannot be read: Permission denied"):
        desk.enqueue(project)


def test_too_much_is_refused(desk: Desk, project: Path) -> None:
    write(project, {f"out/{number}": "" for number in range(10_001)})
    with pytest.raises(InvalidInputError, match=r"the fullest folder: out \(10001 files\)"):
        desk.enqueue(project)
    assert desk.packs() == set()


def test_jobs_of_one_submit_share_a_pack(desk: Desk, project: Path) -> None:
    caller = Caller({**desk.environ, "PWD": str(project)})
    asked = [Submission(argv=("python", word), cwd=str(project)) for word in ("a", "b", "c")]
    checked = check_all(asked, utc_iso(0), 100, caller, typed=True)
    found = with_code(checked, desk.settings, desk.environ, desk.client)  # type: ignore[arg-type]
    assert len({id(spec) for _, spec in found.checked}) == 1


@pytest.fixture
def editable(project: Path) -> Path:
    """The environment of the project, which has another repository installed editable."""
    library = repository(project.parent / "library", {"src/lib/a.py": ""})
    site = ".venv/lib/python3.12/site-packages"
    url = {"url": f"file://{library}", "dir_info": {"editable": True}}
    write(
        project,
        {
            ".venv/pyvenv.cfg": "",
            ".venv/.gitignore": "*",
            f"{site}/lib-1.dist-info/direct_url.json": json.dumps(url),
            f"{site}/own.pth": f"{project}/sub\n",
        },
    )
    return project / ".venv"


def test_other_projects_that_are_installed_editable_go_along(desk: Desk, editable: Path) -> None:
    code = desk.enqueue(editable.parent, python_env=str(editable)).code
    assert code is not None
    (also,) = code.also
    assert also.project == str(editable.parent.parent / "library")
    text = (desk.root / "code" / f"{also.pack}.manifest").read_bytes()
    assert [one.path for one in parse_manifest(text, also.pack).files] == ["src/lib/a.py"]
    assert f"{also.pack}.tgz" in desk.packs()
    assert desk.notes == []


def test_one_that_cannot_be_taken_is_named(desk: Desk, editable: Path) -> None:
    library = editable.parent.parent / "library"
    write(library, {f"out/{number}": "" for number in range(10_001)})
    code = desk.enqueue(editable.parent, ".venv/bin/python", "train.py").code
    assert code is not None
    assert code.also == ()
    assert f"{library} is installed editable, and is used live, not as now: " in desk.notes[0]


def test_a_job_hands_its_code_down(desk: Desk, project: Path) -> None:
    spec = desk.enqueue(project)
    folder = desk.root / "jobs/1"
    write(
        folder, {"job.json": json.dumps({"spec": json.loads(spec.canonical())}), "work/sub/x": ""}
    )
    desk.environ["MLQ_JOB_FILE"] = str(folder / "job.json")
    work = folder / "work"
    below = desk.enqueue(work / "sub", "python", f"{work}/train.py", f"{work}/made.pt")
    assert below.argv == ("python", "../train.py", f"{work}/made.pt")
    assert (below.cwd, below.code) == (
        f"{project}/sub",
        replace(spec.code, subfolder="sub") if spec.code else None,
    )
    for path in (desk.root / "code").glob("*.tgz"):
        path.unlink()
    with pytest.raises(StorageError, match="the code of this job is gone"):
        desk.enqueue(work)
