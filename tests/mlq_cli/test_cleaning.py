"""`mlq clean`: what of ended jobs would go, how much, and that nothing else does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from packs import write_pack
from sandbox import Sandbox
from typed_shell import typed_shell

from mlq.api.cleaning import clean
from mlq.files.layout import Layout
from mlq.files.root import claim_root
from mlq.jobs.lifecycle import Event

pytestmark = pytest.mark.slow


@pytest.fixture
def rooted(installation: Sandbox) -> Sandbox:
    """An installation whose root is its queue's, with jobs 1 and 2 ended, 3 running, 4 waiting."""
    queue = installation.queue()
    queue.store.client.call("SET", "mlq:queue_id", "q1")
    claim_root(queue.layout, "q1")
    for number in ("1", "2", "3"):
        installation.claim(installation.submit(name=f"n{number}"), log=b"x" * 100_000)
    for number in ("1", "2"):
        installation.move(number, Event.FAIL, mlq_exit_code=1, mlq_reason="exit 1")
    installation.submit(name="waits")
    return installation


def folder(of: Sandbox, job_id: str) -> Path:
    return of.folder / "root" / "jobs" / job_id


def test_it_says_what_would_go_and_deletes_nothing(rooted: Sandbox) -> None:
    assert rooted.ok("clean").startswith("nothing would go: no job ended over 30d ago,")
    said = rooted.ok("clean", "--state", "failed")
    assert [line.split()[1] for line in said.splitlines()[1:3]] == ["failed", "failed"]
    assert "2 folders with " in said
    assert "nothing is deleted yet (--delete)" in said
    (one,) = json.loads(rooted.ok("clean", "n1", "--json"))
    assert (one["id"], one["deleted"]) == ("1", False)
    assert 100_000 <= one["size_bytes"] < 1_000_000
    assert folder(rooted, "1").is_dir()


def test_what_is_deleted_is_told_by_show_and_logs(rooted: Sandbox) -> None:
    refused = rooted.run("clean", "--state", "failed", "--delete")
    assert (refused.code, "no terminal to ask on" in refused.err) == (2, True)
    done = rooted.run("clean", "1-4", "--delete", "--yes")
    assert done.code == 0, done
    assert done.out.endswith("deleted: 2 folders\n")
    assert "2 jobs of these not ended" in done.err
    assert [one.name for one in folder(rooted, "").iterdir()] == ["3"]
    assert "(deleted " in rooted.ok("show", "1")
    assert "its log is gone" in rooted.run("logs", "1").err
    assert json.loads(rooted.ok("show", "3", "--json"))[0]["cleaned_at"] is None
    rooted.ok("retry", "1")
    rooted.claim("1", log=None)
    assert "(deleted " not in rooted.ok("show", "1")


@pytest.mark.parametrize(("answer", "stays"), [("", True), ("n", True), ("y", False)])
def test_on_a_terminal_it_is_asked_for(rooted: Sandbox, answer: str, stays: bool) -> None:
    words = [str(rooted.program), "clean", "1", "--delete"]
    with typed_shell(words, rooted.environ, rooted.folder) as terminal:
        terminal.until_shown(r"Delete 1 folder with .*\? \[y/N\]: ")
        terminal.type(f"{answer}\n")
        terminal.until_shown("nothing is deleted" if stays else "deleted: 1 folder")
    assert folder(rooted, "1").is_dir() is stays


@pytest.mark.parametrize("spoil", ["link", "nested", "last"])
def test_what_stays_is_named_with_its_reason(rooted: Sandbox, spoil: str) -> None:
    one = folder(rooted, "1")
    if spoil == "link":
        one.rename(one.with_name("kept"))
        one.symlink_to("kept")
    elif spoil == "nested":
        (one / "7").mkdir()
    else:
        rooted.move("3", Event.SUCCEED, mlq_exit_code=0)
    done = rooted.run("clean", "3" if spoil == "last" else "1", "--delete", "--yes")
    assert done.code == 1
    assert "stays: it " in done.err
    assert list(one.parent.rglob("output.log"))


def test_a_job_started_again_gets_its_folder_back(rooted: Sandbox) -> None:
    """Also after an interruption between putting aside and deleting."""
    layout = Layout(rooted.queue().layout.root)
    for number in ("1", "2"):
        folder(rooted, number).rename(folder(rooted, f".{number}.cleaned-0123abcd"))
    store = rooted.queue().store
    store.client.call("HSET", "rq:job:2", "mlq_cleaned", "2026-11-26T10:00:00Z")
    clean(store, layout, [], "2026-11-26T10:00:00Z", lambda _done, _of: None)
    assert folder(rooted, "1").is_dir()
    assert sorted(one.name for one in layout.jobs_dir.iterdir()) == ["1", "3"]


def test_where_the_root_is_not_it_says_so(rooted: Sandbox) -> None:
    (rooted.folder / "root" / "queue.json").unlink()
    done = rooted.run("clean", "1", "--delete", "--yes")
    assert (done.code, folder(rooted, "1").is_dir()) == (1, True), done
    assert done.err.startswith("mlq: the results root is not here")


def test_code_that_no_listed_job_needs_goes_too(rooted: Sandbox) -> None:
    project = rooted.folder / "project"
    project.mkdir()
    (project / "train.py").write_text("1")
    rooted.environ["MLQ_SNAPSHOT"] = "true"
    rooted.ok("enqueue", "--cwd", str(project), "--", "python3", "train.py")
    code = rooted.folder / "root" / "code"
    kept = {one.name for one in code.iterdir()}
    assert kept
    write_pack(code.parent, {"gone.py": b"x"})
    for one in code.iterdir():
        os.utime(one, (1e9, 1e9))
    assert "1 pack of code that no listed job needs with" in rooted.ok("clean")
    assert rooted.ok("clean", "--delete", "--yes") == (
        "deleted: 1 pack of code that no listed job needs\n"
    )
    assert {one.name for one in code.iterdir()} == kept
