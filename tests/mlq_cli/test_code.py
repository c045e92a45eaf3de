"""`mlq enqueue` takes the code along; `mlq show`, `diff` and `code` show it."""

import json
from pathlib import Path

import pytest
from git_projects import repository, write
from sandbox import Sandbox

pytestmark = pytest.mark.slow

WANTED = {"MLQ_SNAPSHOT": "true"}


@pytest.fixture
def project(installation: Sandbox) -> Path:
    """A project of which job 1 has a snapshot; then it was changed."""
    folder = repository(
        installation.folder / "project",
        {".gitignore": "data/\n", "train.py": "print(1)\n", "old.py": "", "run.sh": "true\n"},
    )
    write(folder, {"data/x": "1"})
    installation.start_server()
    words = ("enqueue", "--cwd", str(folder), "--", "python", str(folder / "train.py"))
    assert installation.ok(*words, environ=WANTED) == "1\n"
    write(folder, {"train.py": "print(2)\n", "new\n.py": "a\n"})
    (folder / "old.py").unlink()
    return folder


def test_code_of_a_job(installation: Sandbox, project: Path) -> None:
    shown = installation.ok("show", "1")
    (job,) = json.loads(installation.ok("show", "1", "--json"))
    assert job["command"] == "python train.py"
    assert job["code"]["commit"][:12] in shown
    assert f"{job['code']['pack'][:12]} of {project}: commit" in shown
    assert "of main" in shown

    diff = installation.ok("diff", "1")
    assert "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-print(1)\n+print(2)\n" in diff
    assert '+++ "b/new\\n.py"' in diff
    assert "\x1b[32m+print(2)" in installation.on_terminal("diff", "1").out
    assert installation.ok("diff", "1", "--stat").splitlines()[1:] == [
        " old.py   | 0",
        " train.py | 2 +-",
        " 3 files changed, 2 lines added, 1 deleted",
    ]

    installation.ok("enqueue", "--cwd", str(project), "true", environ=WANTED)
    assert installation.ok("diff", "1", "2") == diff
    same = installation.run("diff", "2")
    assert (same.code, same.out, same.err) == (0, "", "mlq: the code is the same\n")

    sweep = ("enqueue", "-n", "s", "--seeds", "2", "--cwd", str(project), "--", "true", "{seed}")
    installation.ok(*sweep, environ=WANTED)
    assert installation.run("diff", "s").err == same.err
    assert installation.ok("diff", "1", "s") == installation.ok("diff", "1", "3_1") == diff

    written = installation.run("code", "1", "old")
    assert written.err == "mlq: old holds the code of 1: 4 files, and 1 link to what is live\n"
    old = installation.folder / "old"
    assert (old / "train.py").read_text() == "print(1)\n"
    assert (old / "data").readlink() == project / "data"
    refused = installation.run("code", "2", "old")
    assert refused.code == 2
    assert "old is not empty, and nothing was written" in refused.err
    assert (old / "train.py").read_text() == "print(1)\n"
    assert installation.run("code", "2", "old", "--yes").code == 0
    assert (old / "train.py").read_text() == "print(2)\n"


def test_what_cannot_be_shown_is_said(installation: Sandbox, project: Path) -> None:
    words = ("enqueue", "--in-place", "--cwd", str(project), "true")
    installation.ok(*words, environ=WANTED)
    live = installation.run("diff", "2")
    assert (live.code, live.err.splitlines()[0]) == (
        2,
        "mlq: job 2 has no code of its own: it was enqueued to run in the live folder",
    )
    assert installation.run("diff", "1", "2", "1-2").code == 2
    pack = installation.spec_of("1")["code"]["pack"]
    packed = installation.folder / "root" / "code" / f"{pack}.tgz"
    packed.write_bytes(packed.read_bytes()[:-20])
    short = installation.run("code", "1", "out")
    assert short.code == 1
    assert "is damaged: it was cut short, or changed" in short.err
    assert not list((installation.folder / "out").glob("*"))
    packed.unlink()
    gone = installation.run("diff", "1")
    assert "it is not there; `mlq clean` deletes code" in gone.err


def test_nothing_is_enqueued_if_the_code_cannot_be_taken(
    installation: Sandbox, project: Path
) -> None:
    (installation.folder / "root" / "code").chmod(0o755)
    refused = installation.run("enqueue", "--cwd", str(project), "true", environ=WANTED)
    assert refused.code == 1
    assert "is open to others" in refused.err
    assert [job["id"] for job in json.loads(installation.ok("ls", "--json"))] == ["1"]
