"""`mlq pull` on a machine that mounts the results root."""

from __future__ import annotations

import csv
import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from disks import small_disk
from people import strangers
from sandbox import Sandbox, new_sandbox
from waiting import wait_for

pytestmark = pytest.mark.one_server


@pytest.fixture
def home() -> Iterator[Sandbox]:
    with new_sandbox() as home:
        home.start_server()
        yield home


def _sweep(home: Sandbox, *params: str, name: str = "lr") -> list[str]:
    """Enqueue a sweep and let its members run; returns their ids."""
    words = [word for one in params for word in ("--param", one)]
    home.ok("enqueue", "--yes", "-n", name, *words, "--", "true", "{args}")
    jobs = json.loads(home.ok("ls", name, "--json"))
    for job in jobs:
        home.claim(job["id"], log=f"log of {job['id']}\n".encode())
    return [job["id"] for job in jobs]


def _write(home: Sandbox, job_id: str, **files: str) -> Path:
    output = home.queue().layout.output_dir(job_id)
    output.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (output / name).write_text(text)
    return output


def _all(folder: Path) -> dict[str, str]:
    return {
        str(one.relative_to(folder)): one.read_text()
        for one in sorted(folder.rglob("*"))
        if one.is_file() and ".mlq-pull" not in one.parts
    }


def test_a_sweep_is_pulled_and_pulled_again(home: Sandbox) -> None:
    first, second = _sweep(home, "lr=0.1,a/../b")
    _write(home, first, acc="0.9")
    output = _write(home, second, acc="0.8")
    said = home.ok("pull", "lr")
    assert said == "2 jobs, 2 folders in lr\nfetched 4 files, 28B\n"
    folder = home.folder / "lr"
    table = (folder / "results.csv").read_text()
    assert _all(folder) == {
        "lr=0.1/attempts/1/output.log": f"log of {first}\n",
        "lr=0.1/output/acc": "0.9",
        "lr=a_.._b/attempts/1/output.log": f"log of {second}\n",
        "lr=a_.._b/output/acc": "0.8",
        "results.csv": table,
    }
    rows = list(csv.DictReader(table.splitlines()))
    assert [(row["id"], row["lr"], row["folder"]) for row in rows] == [
        (first, "0.1", "lr=0.1"),
        (second, "a/../b", "lr=a_.._b"),
    ]
    assert "nothing new; 4 were here already" in home.ok("pull", "lr")
    (output / "acc").write_text("0.85")
    assert "fetched 1 file, 4B; 3 were here already" in home.ok("pull", "lr")
    assert (folder / "lr=a_.._b/output/acc").read_text() == "0.85"


@pytest.mark.slow
def test_what_a_user_made_or_changed_stays_and_is_named(home: Sandbox) -> None:
    (job_id,) = _sweep(home, "lr=1")
    _write(home, job_id, a="a", b="b")
    to = home.folder / "to"
    (to / "lr=1/output").mkdir(parents=True)
    (to / "lr=1/output/a").write_text("mine")
    said = home.ok("pull", "lr", "./to")
    assert "kept here as they are: 1 file (--force replaces files):" in said
    assert "lr=1/output/a  was not put there by pull" in said
    (to / "lr=1/output/b").write_text("mine, too")
    (to / "results.csv").write_text("mine")
    said = home.ok("pull", "lr", "./to")
    assert "lr=1/output/b  was changed here" in said
    assert "results.csv" in said
    assert _all(to)["lr=1/output/a"] == "mine"
    home.ok("pull", "lr", "./to", "--force")
    assert (_all(to)["lr=1/output/a"], _all(to)["lr=1/output/b"]) == ("a", "b")
    assert _all(to)["results.csv"] != "mine"


def test_a_folder_that_no_pull_made_must_be_named(home: Sandbox) -> None:
    _sweep(home, "lr=1", name="train")
    (home.folder / "train").mkdir()
    (home.folder / "train/model.py").write_text("")
    done = home.run("pull", "train")
    assert (done.code, done.out) == (2, "")
    assert "./train is not empty, and no pull has made it" in done.err
    home.ok("pull", "train", "./train")


def test_jobs_and_folder_are_told_apart(home: Sandbox) -> None:
    one, two = home.submit(name="one"), home.submit(name="two")
    for job_id in (one, two):
        home.claim(job_id)
    home.ok("pull", "one", "two")
    assert sorted(p.name for p in (home.folder / "one,two").iterdir() if p.is_dir()) == [
        ".mlq-pull", f"{one}-one", f"{two}-two",
    ]  # fmt: skip
    home.ok("pull", "one", "./two")
    assert (home.folder / f"two/{one}-one").is_dir()
    home.ok("pull", "one", "new")
    assert (home.folder / f"new/{one}-one").is_dir()
    home.ok("pull", "one", "one")
    assert (home.folder / f"one/{one}-one").is_dir()
    assert home.run("pull", "./two").code == 2


def test_what_is_left_out_is_named_with_its_size(home: Sandbox) -> None:
    (job_id,) = _sweep(home, "lr=1")
    output = _write(home, job_id, small="s", large="l" * 5000)
    saved = home.queue().layout.checkpoint_dir(job_id)
    saved.mkdir()
    (saved / "state").write_text("c" * 300)
    os.mkfifo(output / "pipe\x1b[31m\n")
    said = home.ok("pull", "lr", "--max-size", "4K", "--exclude", "output.log")
    assert "fetched 1 file, 1B" in said
    assert "left out as larger than 4K: 1 file, 4.9K:\n  lr=1/output/large  4.9K\n" in said
    assert "left out as checkpoints: 1 file, 300B (--checkpoints)\n" in said
    assert "is a named pipe" in said
    assert "\x1b" not in said
    home.ok("pull", "lr", "--checkpoints", "--include", "checkpoint")
    assert (home.folder / "lr/lr=1/checkpoint/state").stat().st_size == 300


def test_a_dry_run_writes_nothing(home: Sandbox) -> None:
    (job_id,) = _sweep(home, "lr=1")
    _write(home, job_id, a="a" * 100)
    said = home.ok("pull", "lr", "--dry-run", "--include", "a")
    assert said.splitlines()[0].split() == ["FOLDER", "FILES", "SIZE", "HERE", "ID", "STATE"]
    assert said.splitlines()[-1] == "1 file, 100B would be fetched into lr"
    assert not (home.folder / "lr").exists()
    (told,) = json.loads(home.ok("pull", "lr", "--dry-run", "--json"))
    assert (told["folder"], told["to_fetch"], told["fetched"]) == ("lr=1", 2, 0)
    assert told["directory"] == str(home.folder / "lr/lr=1")


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_and_is_byte_equal(home: Sandbox) -> None:
    (job_id,) = _sweep(home, "lr=1")
    output = home.queue().layout.output_dir(job_id)
    output.mkdir(parents=True)
    large = os.urandom(1 << 20) * 250
    (output / "large").write_bytes(large)
    for n in range(50):
        (output / f"z{n}").write_bytes(os.urandom(1000))
    parts, place = home.folder / "lr/.mlq-pull/parts", home.folder / "lr/lr=1/output"

    def begun() -> int:
        with suppress(FileNotFoundError):  # the table is a part, too, and then is none any more
            found = max((one.stat().st_size for one in parts.iterdir()), default=0)
            return found if found > 1 << 20 else 0
        return 0

    with home.started("pull", "lr") as process:
        wait_for(begun, what="the first bytes")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 0 < begun() < len(large)
    assert not (place / "large").exists()
    home.ok("pull", "lr")
    assert (place / "large").read_bytes() == large
    assert {one.name: one.read_bytes() for one in place.iterdir()} == {
        one.name: one.read_bytes() for one in output.iterdir()
    }
    assert not list(parts.iterdir())


@pytest.mark.slow
def test_ctrl_c_says_that_it_goes_on_and_a_terminal_shows_how_far_it_is(home: Sandbox) -> None:
    (job_id,) = _sweep(home, "lr=1")
    output = home.queue().layout.output_dir(job_id)
    output.mkdir(parents=True)
    with (output / "huge").open("wb") as file:
        file.truncate(3 << 30)
    parts = home.folder / "lr/.mlq-pull/parts"
    with home.started("pull", "lr") as process:
        wait_for(lambda: parts.is_dir() and any(parts.iterdir()), what="the first bytes")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert err == b"mlq: stopped; what was fetched is whole; the same command goes on from there\n"
    with (output / "huge").open("wb") as file:
        file.truncate(1 << 29)
    shown = home.on_terminal("pull", "lr", "--exclude", "output.log", columns=100)
    assert shown.code == 0
    assert "of 512M  0 of 1 file" in shown.out
    assert "fetched 1 file, 512M" in shown.out


@pytest.mark.slow
@pytest.mark.root
def test_a_full_disk_is_one_message_and_the_next_pull_goes_on(home: Sandbox) -> None:
    (job_id,) = _sweep(home, "lr=1")
    _write(home, job_id, **{f"f{n}": "x" * 10 for n in range(50)})
    disk = home.folder / "disk"
    disk.mkdir()
    with small_disk(disk, "nr_inodes=30"):
        done = home.run("pull", "lr", "./disk/to")
        assert done.code == 1
        assert done.err.startswith("mlq: the disk of ") and done.err.count("\n") == 2
        there = {p: t for p, t in _all(disk / "to").items() if "/output/" in p}
        assert 10 < len(there) < 50
        assert set(there.values()) == {"x" * 10}
        subprocess.run(["mount", "-o", "remount,nr_inodes=1000", disk], check=True)
        assert f"{len(there) + 1} were here already" in home.ok("pull", "lr", "./disk/to")
        assert len(_all(disk / "to")) == 52
    with small_disk(disk, "size=64k"):
        _write(home, job_id, large="x" * 100_000)
        done = home.run("pull", "lr", "./disk/to")
        assert done.code == 1
        assert "has too little room" in done.err and " are missing" in done.err
        assert "the largest is lr=1/output/large with 98K" in done.err
        home.ok("pull", "lr", "./disk/to", "--max-size", "10K", "--include", "f1")


@pytest.mark.root
def test_another_user_reads_nothing_of_it(home: Sandbox) -> None:
    (job_id,) = _sweep(home, "lr=1")
    output = _write(home, job_id, a="secret")
    (output / "a").chmod(0o6755)
    os.umask(0)
    try:
        home.ok("pull", "lr", "./shared")
    finally:
        os.umask(0o022)
    place = home.folder / "shared/lr=1/output/a"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    home.folder.chmod(0o755)
    _, eve = strangers()
    for path in (place, home.folder / "shared/.mlq-pull", home.folder / "shared/results.csv"):
        assert eve.run(["ls", path]).returncode != 0


def test_what_waits_has_no_folder_and_the_table_is_of_all_that_lies_there(home: Sandbox) -> None:
    ids = _sweep(home, "lr=1,2")
    waits = home.submit(name="waits")
    said = home.ok("pull", ids[0], waits, "./to")
    assert said.startswith("2 jobs, 1 folder (1 job without files) in to\n")
    home.ok("pull", ids[1], "./to")
    rows = list(csv.DictReader((home.folder / "to/results.csv").read_text().splitlines()))
    assert [(row["id"], row["folder"]) for row in rows] == [(ids[0], "lr=1"), (ids[1], "lr=2")]
