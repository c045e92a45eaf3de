"""Secrets of jobs: which can be asked for, what their files are called and how they are written."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from mlq.errors import InvalidInputError, StorageError, UnsafePathError
from mlq.files.layout import Layout
from mlq.submit.batch import check_all, sign_all
from mlq.submit.secrets import MOST_BYTES, chosen, file_name, keep
from mlq.submit.submission import Caller, Submission

KEY = b"k" * 32
VALUE = "hunter2-hunter2"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "queue.json").write_text('{"queue": "q1", "format": 1}')
    return Layout(tmp_path)


def test_a_file_is_named_by_variable_value_and_key_and_tells_none_of_them_apart() -> None:
    name = file_name(KEY, "HF_TOKEN", VALUE)
    assert re.fullmatch(r"HF_TOKEN-[0-9a-f]{32}", name)
    assert name == file_name(KEY, "HF_TOKEN", VALUE)
    others = {
        file_name(b"z" * 32, "HF_TOKEN", VALUE),
        file_name(KEY, "HF_TOKEN", VALUE + "x"),
        file_name(KEY, "HF_TOKEM", VALUE).replace("TOKEM", "TOKEN"),
    }
    assert len(others | {name}) == 4


def test_values_come_from_the_environment_or_are_given() -> None:
    assert chosen(["A", "B"], {"A": "1", "B": "2", "C": "3"}) == {"A": "1", "B": "2"}
    assert chosen({"A": "x"}, {"A": "1"}) == {"A": "x"}
    assert chosen([], {"A": "1"}) == {}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["GONE"], "--secret GONE has no value: GONE is not set here"),
        (["EMPTY"], "--secret EMPTY has no value"),
        (["A=hunter2-hunter2"], "everybody on this machine can read command lines"),
        (["A b"], "names no variable"),
        (["../x"], "names no variable"),
        ([""], "names no variable"),
        (["MLQ_MARK"], "mlq sets it"),
        (["BYTES"], "not UTF-8"),
        ({"A": "1\0"}, "without NUL"),
        ({"A": 3}, "it is not text"),
        ({"A": "x" * (MOST_BYTES + 1)}, "longer than 64 KiB"),
        ("A", "secrets is one text"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_and_no_value_is_shown(asked: Any, said: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        chosen(asked, {"EMPTY": "", "BYTES": "\udcff" + VALUE, "A": VALUE})
    assert said in str(caught.value)
    assert VALUE not in str(caught.value)


def test_it_is_written_once_and_closed_to_others(layout: Layout) -> None:
    names = keep(layout, KEY, {"A": VALUE}, "q1")
    path = layout.secrets_dir / names["A"]
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (VALUE, 0o600)
    os.utime(path, (1, 1))
    inode = path.stat().st_ino
    assert keep(layout, KEY, {"A": VALUE}, "q1") == names
    assert path.stat().st_ino == inode
    assert path.stat().st_mtime > 1  # used again
    assert list(layout.secrets_dir.iterdir()) == [path]


def test_a_damaged_file_is_replaced_and_one_open_to_others_is_not_used(layout: Layout) -> None:
    path = layout.secrets_dir / keep(layout, KEY, {"A": VALUE}, "q1")["A"]
    path.write_text("half")
    keep(layout, KEY, {"A": VALUE}, "q1")
    assert path.read_text() == VALUE
    path.chmod(0o640)
    with pytest.raises(UnsafePathError, match="open to others"):
        keep(layout, KEY, {"A": VALUE}, "q1")
    layout.secrets_dir.chmod(0o755)
    with pytest.raises(UnsafePathError, match="open to others"):
        keep(layout, KEY, {"A": "new"}, "q1")


@pytest.mark.parametrize(
    ("queue_file", "queue_id", "said"),
    [
        (None, "q1", "is none"),
        ('{"queue": "q2", "format": 1}', "q1", "another's"),
        ('{"queue": "q1", "format": 1}', "", "without workers yet"),
        ("{", "q1", "damaged"),
        ("[]", "q1", "damaged"),
    ],
)
def test_only_this_queues_own_root_will_do(
    layout: Layout, queue_file: str | None, queue_id: str, said: str
) -> None:
    layout.queue_file.unlink()
    if queue_file is not None:
        layout.queue_file.write_text(queue_file)
    with pytest.raises(StorageError, match=said):
        keep(layout, KEY, {"A": VALUE}, queue_id)
    assert not layout.secrets_dir.exists()


def test_a_full_disk_is_told_and_leaves_nothing(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlq.files.layout.os.fsync", full)
    with pytest.raises(StorageError, match=r"A cannot be written.*No space left"):
        keep(layout, KEY, {"A": VALUE}, "q1")
    assert list(layout.secrets_dir.iterdir()) == []


def test_the_signed_text_names_the_file_and_holds_no_value() -> None:
    asked = Submission(argv=("true",), cwd="/", python_env="", secrets=["A"])
    caller = Caller({"A": VALUE}, {"A": VALUE, "B": "2"}, capture_env=True, key=KEY)
    (job,) = sign_all(check_all([asked], "now", 100, caller), 7, KEY)
    assert job.spec.secrets == {"A": file_name(KEY, "A", VALUE)}
    assert job.spec.captured_env == {"B": "2"}
    assert VALUE not in job.text + repr(job) + repr(caller) + repr(asked)


def test_what_env_says_wins_and_a_variable_is_not_given_in_two_ways() -> None:
    caller = Caller({}, {"A": "1", "B": "2"}, capture_env=True, key=KEY)
    asked = Submission(argv=("true",), cwd="/", python_env="", env={"A": "x"})
    ((_, spec),) = check_all([asked], "now", 100, caller)
    assert (spec.captured_env, spec.env) == ({"B": "2"}, {"A": "x"})
    twice = Submission(argv=("true",), cwd="/", env={"A": "x"}, secrets={"A": "y"})
    with pytest.raises(InvalidInputError, match="A is given twice"):
        check_all([twice], "now", 100, caller)


@pytest.mark.parametrize(
    ("own", "setting", "captured"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_a_job_may_differ_from_the_setting(own: bool | None, setting: bool, captured: bool) -> None:
    asked = Submission(argv=("true",), cwd="/", python_env="", capture_env=own)
    caller = Caller({}, {"A": "1"}, capture_env=setting)
    ((_, spec),) = check_all([asked], "now", 100, caller)
    assert spec.captured_env == ({"A": "1"} if captured else {})
