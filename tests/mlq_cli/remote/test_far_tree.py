"""Listing and sending the files of jobs, here and by the program that travels."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packs import write_pack

from mlq.files.strict_files import Absent, Refused
from mlq_cli.remote.far_jobs import _MODULES, FarJobs
from mlq_cli.remote.far_python import program_text
from mlq_cli.remote.far_shell import FarShell
from mlq_cli.remote.far_tree import Sending, Want, list_all, send_all
from mlq_cli.remote.far_walk import Listed, Other, files_of

_JOB = "jobs/6/0"
_FILES = {"train.py": b"print(1)\n", "pkg/a.py": b"A = 1\n", "run.sh": b"#!/bin/sh\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / _JOB).mkdir(parents=True)
    (root / "queue.json").write_text("{}")
    return root


def _write(root: Path, files: dict[str, str | bytes]) -> None:
    for path, text in files.items():
        place = root / _JOB / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())


def _copy(root: Path, project: Path, state: str = "whole", path: str = "work") -> None:
    """Unpack a pack for the job, as a launcher does."""
    copied = write_pack(root, _FILES, {"also": "train.py"}, ["data"], project)
    _write(root, {f"{path}/{name}": data for name, data in _FILES.items()})
    work = root / _JOB / path
    (work / "run.sh").chmod(0o755)
    (work / "also").symlink_to("train.py")
    (work / "data").symlink_to(project / "data")
    marker = {"state": state, "copied": copied._asdict(), "kept": [], "boot_id": ""}
    (root / _JOB / f"{path}.json").write_text(json.dumps(marker))


def _paths(root: Path) -> tuple[list[str], list[Other]]:
    found = list(files_of(str(root), _JOB, {}))
    listed = [one.path for one in found if isinstance(one, Listed)]
    return listed, [one for one in found if isinstance(one, Other)]


def test_what_counts_of_a_job(root: Path) -> None:
    wanted = {
        "attempts/1/output.log": "x",
        "attempts/2/result.json": "x",
        "attempts/10/metrics.jsonl": "x",
        "checkpoint/state.pt": "x",
        "output/deep/er/fig.png": "x",
    }
    rest = {"job.json": "x", "attempts/1/holder.json": "x", "attempts/x/output.log": "", "a": ""}
    _write(root, {**wanted, **rest})
    assert _paths(root) == (list(wanted), [])


def test_what_is_as_unpacked_does_not_count(root: Path, tmp_path: Path) -> None:
    _copy(root, tmp_path)
    _copy(root, tmp_path, path="code/1")
    assert _paths(root) == ([], [])
    made = {
        "work/train.py": "print(2)\n",  # as many bytes
        "work/pkg/b.py": "",
        "work/lightning_logs/version_0/metrics.csv": "x",
        "code/1/made": "x",
    }
    compiled = {"work/pkg/__pycache__/a.cpython-311.pyc": "", "work/__pycache__/own.pyc": ""}
    _write(root, {**made, **compiled})
    (root / _JOB / "work/run.sh").chmod(0o644)
    own = ["work/__pycache__/own.pyc", "work/run.sh"]
    assert sorted(_paths(root)[0]) == sorted([*made, *own])


def test_of_a_copy_that_is_being_unpacked_only_other_files_count(
    root: Path, tmp_path: Path
) -> None:
    _copy(root, tmp_path, "unpacking")
    _write(root, {"work/train.py": "pri", "work/own": "x"})
    assert _paths(root) == (["work/own"], [])


@pytest.mark.parametrize("marker", ["", "{", "[]", '{"state": 1}', '{"copied": {"pack": "../x"}}'])
def test_with_a_spoilt_marker_all_counts(root: Path, tmp_path: Path, marker: str) -> None:
    _copy(root, tmp_path)
    (root / _JOB / "work.json").write_text(marker)
    assert sorted(_paths(root)[0]) == sorted(f"work/{one}" for one in _FILES)


def test_what_is_no_file_is_told_and_never_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("s")
    _write(root, {"output/a": "x"})
    output = root / _JOB / "output"
    (output / "out").symlink_to(tmp_path / "secret")
    (output / "dangling").symlink_to("nowhere")
    os.mkfifo(output / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(output / "s"))
    (root / _JOB / "work").symlink_to(tmp_path / "secret")
    listed, others = _paths(root)
    assert listed == ["output/a"]
    assert {one.path: one.why for one in others} == {
        "output/dangling": "is a link",
        "output/out": "is a link",
        "output/pipe": "is a named pipe",
        "output/s": "is a socket",
        "work": "is a link",
    }


def test_a_tree_without_end_is_cut(root: Path) -> None:
    _write(root, {"output/" + "d/" * 100 + "x": "x", "output/y": "x"})
    listed, others = _paths(root)
    assert listed == ["output/y"]
    assert [one.why for one in others] == ["is more than 64 folders deep"]


def test_a_job_without_folder_has_no_files(root: Path) -> None:
    assert list(files_of(str(root), "jobs/9", {})) == []


def _texts(source: Any, wants: list[Want]) -> list[Any]:
    return [
        (one.start, b"".join(one.pieces), one.is_same()) if isinstance(one, Sending) else one
        for one in source(wants)
    ]


def _far(root: Path) -> FarJobs:
    def opened(_: Any) -> FarShell:
        text = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"
        child = subprocess.Popen(
            [sys.executable, "-Ic", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdin and child.stdout

        def close() -> None:
            child.kill()
            child.communicate()

        return FarShell(child.stdin, child.stdout, AssertionError, close)  # type: ignore[arg-type]

    return FarJobs(root, "queue", opened)


def test_both_ways_of_sending_agree(root: Path, tmp_path: Path) -> None:
    odd = "output/" + os.fsdecode(b"a\n\xff\x1b[31m")
    large = bytes(range(256)) * 10_000
    _write(root, {"output/large": large, odd: "odd", "output/empty": ""})
    (root / _JOB / "output/link").symlink_to("large")
    (root / _JOB / "output/folder").mkdir()
    wants = [
        *(Want(f"{_JOB}/{one}") for one in ("output/large", odd, "output/empty", "output/none")),
        *(Want(f"{_JOB}/{one}") for one in ("output/link", "output/folder", "output/large/x")),
    ]
    texts = [(0, large, True), (0, b"odd", True), (0, b"", True), Absent()]
    here = _texts(lambda some: send_all(str(root), some), wants)
    far = _far(root)
    try:
        assert here[:4] == texts
        assert all(isinstance(one, Refused) for one in here[4:])
        assert _texts(far.send_all, wants) == here
        found: dict[str, Any] = {}
        far.list_all([_JOB, "jobs/9"], lambda place, *rest: found.update({place: rest}))
        known: dict[str, Any] = {}
        list_all(str(root), [_JOB, "jobs/9"], lambda place, *rest: known.update({place: rest}))
        assert found == known
        assert odd in [one.path for one in found[_JOB][0]]
    finally:
        far.close()


def test_sending_goes_on_only_behind_the_same_bytes(root: Path) -> None:
    from mlq_cli.remote.far_tree import digest_of

    _write(root, {"output/a": b"hello world"})
    path = root / _JOB / "output/a"
    opened = os.open(path, os.O_RDONLY)
    digest = digest_of(opened, 5)
    os.close(opened)
    want = Want(f"{_JOB}/output/a", 5, digest)
    assert _texts(lambda some: send_all(str(root), some), [want]) == [(5, b" world", True)]
    for other in (want._replace(start=6), want._replace(digest=""), want._replace(start=99)):
        assert _texts(lambda some: send_all(str(root), some), [other]) == [
            (0, b"hello world", True)
        ]


def test_a_file_that_grows_is_sent_as_it_was_opened(root: Path) -> None:
    _write(root, {"output/log": b"one\n"})
    path = root / _JOB / "output/log"
    for sending in send_all(str(root), [Want(f"{_JOB}/output/log")]):
        assert isinstance(sending, Sending)
        with path.open("ab") as file:
            file.write(b"two\n")
        assert (sending.size, b"".join(sending.pieces)) == (4, b"one\n")
        assert sending.is_same()


def test_it_is_told_when_a_file_is_written_anew_while_it_is_sent(root: Path) -> None:
    _write(root, {"output/a": b"one\n"})
    for sending in send_all(str(root), [Want(f"{_JOB}/output/a")]):
        assert isinstance(sending, Sending)
        (root / _JOB / "output/a").write_bytes(b"t")
        assert b"".join(sending.pieces) == b"t"
        assert not sending.is_same()


def test_the_program_needs_nothing_but_its_own_text(root: Path) -> None:
    text = program_text(_MODULES, f"last.serve({str(root)!r}, sys.stdin.buffer, sys.stdout.buffer)")
    done = subprocess.run(
        [sys.executable, "-ISc", text.decode()],
        input=b'{"list": ["jobs/9"]}\n',
        capture_output=True,
        check=True,
    )
    lines = list(map(json.loads, io.BytesIO(done.stdout)))
    assert lines == [{"root": True}, {"place": "jobs/9", "files": [], "others": []}, {"end": True}]
