"""A job's copy of its code: made whole or not at all, kept, and taken away at the job's end."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from disks import small_disk
from packs import tar_of, write_pack

from mlq.files.layout import Layout
from mlq.files.strict_files import Unreadable
from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.causes import Kind
from mlq_worker.ipc.values import CodeOrder, Copied, Order
from mlq_worker.launcher import unpacking, workspace
from mlq_worker.launcher.holder import Holder
from mlq_worker.launcher.lookup import Failure
from mlq_worker.launcher.prepare import Preparation, Ready

FILES = {
    "train.py": b"print('hello')\n",
    "run.sh": b"#!/bin/sh\necho run\n",
    "pkg/__init__.py": b"",
    "pkg/deep/model.py": b"LAYERS = 3\n",
    "odd \n\xff".encode("latin-1").decode("utf-8", "surrogateescape"): b"odd",
}


class Machine:
    """One machine that prepares jobs on a results root; `power_cut` gives it another boot."""

    def __init__(self, folder: Path) -> None:
        self.root, self.project, self.cache = folder / "root", folder / "live", folder / "cache"
        for one in (self.root, self.project):
            one.mkdir()
        (self.root / "queue.json").write_text('{"queue": "q1", "format": 1}')
        self.notes: list[str] = []
        self.boots = 0
        self.power_cut()

    def power_cut(self) -> None:
        self.boots += 1
        holder = Holder("m1", f"boot{self.boots}", "s1")
        layout = Layout(self.root, "q1")
        self.preparation = Preparation(layout, holder, note=self.notes.append)

    def pack(self, files: dict[str, bytes] = FILES, **more: Any) -> Copied:
        return write_pack(self.root, files, project=self.project, **more)

    def prepare(self, *projects: Copied, attempt: int = 1, subfolder: str = "") -> Ready | Failure:
        """Prepare an attempt of job 7."""
        job = self.root / "jobs" / "7"
        made = self.preparation.prepare(
            Order(
                AttemptId("7", attempt),
                mark="",
                argv=("/bin/true",),
                env={},
                cwd=f"{job}/work/{subfolder}".rstrip("/"),
                job_dir=str(job),
                job_json="{}",
                time_limit_s=None,
                stop_grace_s=1,
                lane=None,
                width=1,
                code=CodeOrder(projects, subfolder, str(self.cache)),
            )
        )
        if isinstance(made, Ready):
            os.close(made.logs[0])
        return made

    def started(self, *projects: Copied, **more: Any) -> Path:
        """Prepare an attempt that can start; returns its copy."""
        made = self.prepare(*projects, **more)
        assert isinstance(made, Ready), made.reason
        return self.root / "jobs" / "7" / "work"

    def failed(self, *projects: Copied, **more: Any) -> Failure:
        made = self.prepare(*projects, **more)
        assert isinstance(made, Failure)
        return made

    def tidy(self, attempt: int = 1) -> str:
        return self.preparation.tidy(AttemptId("7", attempt))

    def marker(self) -> Any:
        return json.loads((self.root / "jobs" / "7" / "work.json").read_text())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    old = os.umask(0o077)  # as the launcher
    yield Machine(tmp_path)
    os.umask(old)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def test_a_job_gets_real_files_links_and_what_git_ignores(machine: Machine) -> None:
    (machine.project / "data").mkdir()
    (machine.project / "data" / "x").write_text("live")
    work = machine.started(machine.pack(links={"latest": "pkg/deep"}, live=["data", "a/.env"]))
    assert contents(work) == FILES
    assert os.access(work / "run.sh", os.X_OK)
    assert not os.access(work / "train.py", os.X_OK)
    assert (work / "latest").readlink() == Path("pkg/deep")
    assert (work / "data" / "x").read_text() == "live"
    assert (work / "a" / ".env").readlink() == machine.project / "a" / ".env"
    assert stat.S_IMODE(work.stat().st_mode) == 0o700
    assert machine.marker()["state"] == "whole"


def test_the_folder_where_one_typed_is_there_though_it_holds_nothing(machine: Machine) -> None:
    assert (machine.started(machine.pack(), subfolder="runs/today") / "runs" / "today").is_dir()


def test_other_projects_lie_beside(machine: Machine) -> None:
    work = machine.started(machine.pack(), machine.pack({"other.py": b"1"}))
    assert contents(work.parent / "code" / "1") == {"other.py": b"1"}
    assert machine.tidy() == ""
    assert {one.name for one in work.parent.iterdir()} >= {"attempts", "checkpoint", "output"}
    assert not work.exists()
    assert not (work.parent / "code").exists()


def test_a_later_attempt_finds_what_the_job_left(machine: Machine) -> None:
    pack = machine.pack()
    work = machine.started(pack)
    (work / "last.ckpt").write_text("epoch 3")
    (work / "train.py").write_text("changed")
    (work / "run.sh").unlink()
    assert machine.started(pack, attempt=2) == work
    machine.power_cut()
    machine.started(pack, attempt=3)
    assert (work / "last.ckpt").read_text() == "epoch 3"
    assert (work / "train.py").read_text() == "changed"
    assert not (work / "run.sh").exists()


def test_what_a_power_cut_has_torn_is_mended(machine: Machine) -> None:
    pack = machine.pack()
    work = machine.started(pack)
    (work / "train.py").write_bytes(b"")
    marker = work.parent / "work.json"
    os.utime(marker)  # it was written after the file was torn
    machine.started(pack, attempt=2)
    assert (work / "train.py").read_bytes() == b""  # same boot: the job's own
    machine.power_cut()
    machine.started(pack, attempt=3)
    assert contents(work) == FILES


@pytest.mark.parametrize("at", range(5))
def test_an_interrupted_unpacking_begins_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    pack = machine.pack()
    with monkeypatch.context() as patch:
        left, write = [at], unpacking._write

        def write_some(path: str, data: bytes, mode: int) -> None:
            left[0] -= 1
            write(path, data[:1] if left[0] < 0 else data, mode)
            if left[0] < 0:
                raise KeyboardInterrupt  # as if it was killed: nothing is cleared up

        patch.setattr(unpacking, "_write", write_some)
        with pytest.raises(KeyboardInterrupt):
            machine.prepare(pack)
    assert machine.marker()["state"] == "unpacking"
    assert contents(machine.started(pack, attempt=2)) == FILES


def test_what_the_job_made_and_changed_stays_at_its_end(machine: Machine) -> None:
    (machine.project / "data").mkdir()
    pack = machine.pack(live=["data"], links={"latest": "pkg"})
    work = machine.started(pack)
    (work / "lightning_logs").mkdir()
    (work / "lightning_logs" / "a").write_text("made")
    (work / "pkg" / "deep" / "model.py").write_text("LAYERS = 4\n")
    cache = work / "pkg" / "__pycache__"
    cache.mkdir()
    (cache / "__init__.cpython-311.pyc").write_text("compiled")
    assert machine.tidy() == ""
    assert contents(work) == {"lightning_logs/a": b"made", "pkg/deep/model.py": b"LAYERS = 4\n"}
    assert sorted(one.name for one in work.iterdir()) == ["lightning_logs", "pkg"]
    assert (machine.project / "data").is_dir()


def test_a_job_that_is_run_again_gets_its_code_and_keeps_its_own(machine: Machine) -> None:
    pack = machine.pack()
    work = machine.started(pack)
    (work / "train.py").write_text("changed")
    machine.tidy()
    machine.started(pack, attempt=2)
    assert contents(work) == {**FILES, "train.py": b"changed"}


def test_nothing_is_removed_under_a_later_attempt(machine: Machine) -> None:
    pack = machine.pack()
    machine.started(pack)
    work = machine.started(pack, attempt=2)
    machine.tidy(attempt=1)
    assert contents(work) == FILES
    assert contents(machine.started(pack, attempt=3)) == FILES


def test_an_interrupted_removal_goes_on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = machine.pack()
    work = machine.started(pack)
    (work / "train.py").write_text("changed")
    with monkeypatch.context() as patch:
        patch.setattr("mlq_worker.launcher.workspace.remove_unchanged", _killed)
        with pytest.raises(KeyboardInterrupt):
            machine.tidy()
    assert machine.marker()["state"] == "removing"
    machine.started(pack, attempt=2)
    assert contents(work) == {**FILES, "train.py": b"changed"}


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_job_cannot_lead_the_writer_or_the_remover_elsewhere(
    machine: Machine, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep" / "model.py").write_bytes(FILES["pkg/deep/model.py"])
    pack = machine.pack()
    work = machine.started(pack)
    for path in ("pkg/deep/model.py", "pkg/deep", "pkg/__init__.py", "pkg"):
        (work / path).unlink() if "." in path else (work / path).rmdir()
    (work / "pkg").symlink_to(elsewhere)
    machine.tidy()
    assert contents(elsewhere) == {"deep/model.py": FILES["pkg/deep/model.py"]}
    machine.started(pack, attempt=2)
    assert contents(elsewhere) == {"deep/model.py": FILES["pkg/deep/model.py"]}


@pytest.mark.parametrize("what", ["work", "code"])
def test_the_live_project_is_safe_from_a_job_that_links_to_it(machine: Machine, what: str) -> None:
    pack = machine.pack()
    work = machine.started(pack, pack)
    live = machine.project / "1"
    for folder in (machine.project, live):
        for path, data in FILES.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
    before = contents(machine.project)
    place = work.parent / what
    place.rename(work.parent / "moved")
    if what == "code":
        (work.parent / "moved" / "1.json").rename(machine.project / "1.json")
        before = contents(machine.project)
    place.symlink_to(machine.project)
    machine.tidy()
    machine.started(pack, pack, attempt=2)
    after = contents(machine.project)
    assert after | {"1.json": b""} == before | {"1.json": b""}
    assert contents(work) == FILES


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({**FILES, "train.py": b"print('HELLO')\n"}, "'train.py' has another content"),
        ({**FILES, "train.py": b"longer than it was"}, "'train.py' is another file"),
        ({**FILES, "more.py": b""}, "it holds 'more.py'"),
        ({one: FILES[one] for one in FILES if one != "run.sh"}, "'run.sh' is missing"),
        ({}, "is missing"),
    ],
)
def test_another_content_is_refused(machine: Machine, files: dict[str, bytes], why: str) -> None:
    pack = machine.pack()
    (machine.root / "code" / f"{pack.pack}.tgz").write_bytes(tar_of(files, {}))
    failure = machine.failed(pack)
    assert (failure.outcome, failure.exit_code) == ("unstartable", 126)
    assert "the job's code cannot be used" in failure.reason
    assert why in failure.reason


def test_a_pack_that_was_cut_short_is_refused(machine: Machine) -> None:
    pack = machine.pack()
    path = machine.root / "code" / f"{pack.pack}.tgz"
    for length in (0, 20, path.stat().st_size // 2):
        path.write_bytes(path.read_bytes()[:length])
        assert "cut short" in machine.failed(pack).reason
        machine.preparation.expect(AttemptId("7", 1))


def test_another_manifest_is_refused(machine: Machine) -> None:
    pack, other = machine.pack(), machine.pack({"x": b""})
    code = machine.root / "code"
    (code / f"{pack.pack}.manifest").write_bytes((code / f"{other.pack}.manifest").read_bytes())
    assert "is the name of another content" in machine.failed(pack).reason


@pytest.mark.parametrize("link", [{"pkg": "/etc"}, {"train.py": "/etc/passwd"}])
def test_no_path_leads_through_a_link(machine: Machine, link: dict[str, str]) -> None:
    failure = machine.failed(machine.pack(links=link))
    assert failure.outcome == "unstartable"


def test_a_pack_that_is_gone_is_no_fault_of_the_machine(machine: Machine) -> None:
    pack = machine.pack()
    (machine.root / "code" / f"{pack.pack}.tgz").unlink()
    failure = machine.failed(pack)
    assert (failure.outcome, failure.cause and failure.cause.kind) == ("storage", Kind.JOB_FOLDER)
    assert "is missing in the results root" in failure.reason


def test_a_machine_without_the_live_project_does_not_run_it(machine: Machine) -> None:
    pack = machine.pack(live=["data"])._replace(project="/nowhere/at/all")
    failure = machine.failed(pack)
    assert failure.cause is not None
    assert (failure.cause.kind, failure.cause.what) == (Kind.FOLDER, "/nowhere/at/all")


def test_a_machine_reads_a_pack_once(machine: Machine) -> None:
    pack = machine.pack()
    machine.started(pack)
    (machine.root / "code" / f"{pack.pack}.tgz").unlink()
    machine.tidy()
    assert contents(machine.started(pack, attempt=2)) == FILES
    assert stat.S_IMODE(machine.cache.stat().st_mode) == 0o700


def test_a_spoilt_cache_costs_nothing_but_time(machine: Machine) -> None:
    pack = machine.pack()
    machine.started(pack)
    machine.tidy()
    (machine.cache / "packs" / f"{pack.pack}.tgz").write_bytes(b"spoilt")
    assert contents(machine.started(pack, attempt=2)) == FILES


@pytest.mark.parametrize("what", ["a file", "open", "a link"])
def test_a_cache_that_is_not_ours_alone_is_left_alone(
    machine: Machine, tmp_path: Path, what: str
) -> None:
    if what == "a file":
        machine.cache.write_text("")
    elif what == "open":
        machine.cache.mkdir()
        machine.cache.chmod(0o777)
    else:
        (tmp_path / "target").mkdir()
        machine.cache.symlink_to(tmp_path / "target")
    assert contents(machine.started(machine.pack())) == FILES
    assert "packs are not kept in" in machine.notes[0]
    machine.started(machine.pack({"x": b""}), attempt=2)
    assert len(machine.notes) == 1


def test_a_full_disk_is_the_storages_fault_and_the_next_attempt_goes_on(
    machine: Machine,
) -> None:
    files = {f"{number}.bin": os.urandom(100_000) for number in range(20)}
    pack = machine.pack(files)
    (machine.root / "jobs").mkdir()
    with small_disk(machine.root / "jobs", "size=1m,mode=700"):
        failure = machine.failed(pack)
        assert (failure.outcome, failure.cause) == ("storage", None)
        assert "No space left" in failure.reason
        assert not any((machine.root / "jobs").rglob("*.bin"))
    assert contents(machine.started(pack, attempt=2)) == files


def test_a_full_disk_takes_nothing_of_the_jobs_own(machine: Machine) -> None:
    files = {f"{number}.bin": os.urandom(100_000) for number in range(20)}
    pack = machine.pack(files)
    (machine.root / "jobs").mkdir()
    with small_disk(machine.root / "jobs", "size=3m,mode=700"):
        work = machine.started(pack)
        (work / "0.bin").write_text("changed")
        machine.tidy()
        (work / "1.bin").write_bytes(files["1.bin"])
        (machine.root / "jobs" / "else").write_bytes(bytes(2 << 20))
        assert "No space left" in machine.failed(pack, attempt=2).reason
        assert contents(work) == {"0.bin": b"changed", "1.bin": files["1.bin"]}
        (machine.root / "jobs" / "else").unlink()
        assert contents(machine.started(pack, attempt=3)) == {**files, "0.bin": b"changed"}


def test_a_failing_disk_does_not_make_the_job_s_own_files_anew(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = machine.pack()
    work = machine.started(pack)
    (work / "train.py").write_text("changed by the job")
    with monkeypatch.context() as patch:
        patch.setattr(workspace, "read_file", lambda *_: Unreadable("Input/output error"))
        assert "Input/output error" in machine.failed(pack, attempt=2).reason
    machine.started(pack, attempt=3)
    assert (work / "train.py").read_text() == "changed by the job"


@pytest.mark.parametrize("what", ["file", "pipe"])
def test_a_job_that_puts_something_else_in_its_copy_s_place(machine: Machine, what: str) -> None:
    pack = machine.pack()
    work = machine.started(pack)
    shutil.rmtree(work)
    if what == "file":
        work.write_text("mine")
    else:
        os.mkfifo(work)
    machine.started(pack, attempt=2)
    assert (work / "train.py").read_bytes() == FILES["train.py"]
    assert os.path.lexists(f"{work}.before")


@pytest.mark.parametrize("what", ["pipe", "link", "folder", "loop"])
def test_the_removal_meets_what_a_job_left_in_place_of_files(machine: Machine, what: str) -> None:
    pack = machine.pack()
    work = machine.started(pack)
    passwd = Path("/etc/passwd").read_bytes()
    for path in (work / "train.py", work / "pkg" / "__init__.py"):
        path.unlink()
        {
            "pipe": os.mkfifo,
            "link": lambda one: one.symlink_to("/etc/passwd"),
            "folder": Path.mkdir,
            "loop": lambda one: one.symlink_to(one),
        }[what](path)
    assert machine.tidy() == ""
    assert os.path.lexists(work / "train.py")
    assert not (work / "run.sh").exists()
    assert Path("/etc/passwd").read_bytes() == passwd
