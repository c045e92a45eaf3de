"""`mlq off` and `mlq on`: for anybody, without a queue and a configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from people import Person, strangers

from mlq.errors import MlqError
from mlq_cli.main import main
from mlq_cli.switching import local_time, standing, switch_off, switch_on
from mlq_worker.guest.off_file import DEFAULT_S, NAMES


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o1777)
        monkeypatch.setenv("MLQ_SHARED_DIR", folder)
        yield Path(folder)


class As:
    """Acts as another user, in this process."""

    def __init__(self, person: Person) -> None:
        self._uid = person.uid

    def __enter__(self) -> None:
        os.seteuid(self._uid)

    def __exit__(self, *_: object) -> None:
        os.seteuid(0)


@pytest.fixture
def ann_and_eve() -> tuple[As, As, int]:
    ann, eve = strangers()
    return As(ann), As(eve), ann.uid


def test_off_and_on(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["off", "--for", "2h", "demo", "at noon\x1b[2J"]) == 0
    (one,) = standing(shared)
    assert (one.path, one.uid, one.why) == (shared / "mlq-off", os.getuid(), "demo at noon[2J")
    assert abs(one.until - time.time() - 7200) < 60
    assert (shared / "mlq-off").stat().st_mode & 0o777 == 0o644
    assert f"until {local_time(one.until)}; `mlq on`" in capsys.readouterr().out
    assert main(["on"]) == 0
    assert list(shared.iterdir()) == []
    assert main(["on"]) == 0
    assert "was not off" in capsys.readouterr().out


def test_json(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*words: str) -> list[dict[str, Any]]:
        assert main([*words, "--json"]) == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return found

    (one,) = told("off", "need it")
    assert one.keys() == {"machine", "file", "by", "until", "why"}
    assert (one["file"], one["why"]) == (str(shared / "mlq-off"), "need it")
    assert told("on") == []


def test_again_is_from_now_on(shared: Path) -> None:
    path = shared / "mlq-off"
    path.touch()
    os.utime(path, (0, 0))
    assert standing(shared) == []
    for _ in range(2):
        switch_off(shared, None, "")
        (one,) = standing(shared)
        assert abs(one.until - time.time() - DEFAULT_S) < 60
    path.unlink()
    path.mkdir()
    assert switch_off(shared, 3600, "") == path
    assert path.is_file()
    assert [one.name for one in shared.iterdir()] == ["mlq-off"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--for", "25h"], "at most 24 hours"),
        (["--for", "4"], "has no unit"),
        (["--for", "0h"], "must be more than 0"),
        (["x" * 200], "the reason is too long"),
        (["--until", "4h"], "unknown option"),
    ],
)
def test_what_cannot_be_done_is_one_message(
    shared: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["off", *words]) == 2
    assert said in capsys.readouterr().err
    assert list(shared.iterdir()) == []


def test_a_folder_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLQ_SHARED_DIR", "/nowhere")
    assert main(["off"]) == 1
    assert "cannot switch mlq off in /nowhere: No such file" in capsys.readouterr().err


def test_a_file_of_somebody_else_stays(shared: Path, ann_and_eve: tuple[As, As, int]) -> None:
    ann, eve, ann_uid = ann_and_eve
    with ann:
        switch_off(shared, 7200, "need it")
    with eve:
        with pytest.raises(MlqError) as caught:
            switch_on(shared)
        assert f"{ann_uid} keeps mlq switched off until" in caught.value.what
        assert "(need it)" in caught.value.what
        assert "only they and root can remove it" in caught.value.why
        assert caught.value.fix.startswith(f"ask {ann_uid};")
        # Her own can begin although the name is taken, and she can end it.
        assert switch_off(shared, 9000, "") == shared / "mlq-off.2"
        assert [one.path.name for one in standing(shared)] == ["mlq-off.2", "mlq-off"]
        with pytest.raises(MlqError):
            switch_on(shared)
    assert [one.path.name for one in standing(shared)] == ["mlq-off"]
    switch_on(shared)  # root
    assert standing(shared) == []


def test_a_file_of_somebody_else_whose_time_is_over_is_in_nobodys_way(
    shared: Path, ann_and_eve: tuple[As, As, int]
) -> None:
    ann, eve, _ = ann_and_eve
    with ann:
        os.utime(switch_off(shared, 7200, ""), (0, 0))
    with eve:
        switch_on(shared)
        switch_off(shared, 7200, "")
        assert [one.path.name for one in standing(shared)] == ["mlq-off.2"]


def test_when_others_have_all_names(shared: Path, ann_and_eve: tuple[As, As, int]) -> None:
    ann, eve, _ = ann_and_eve
    with ann:
        for name in NAMES:
            (shared / name).touch()
    with eve, pytest.raises(MlqError, match="other users have files of all names"):
        switch_off(shared, 7200, "")
    assert len(list(shared.iterdir())) == len(NAMES)


def test_neither_home_nor_configuration_is_needed(shared: Path) -> None:
    environ = {"MLQ_SHARED_DIR": str(shared), "MLQ_CONFIG": "/nowhere/config.toml"}
    for word in ("off", "on"):
        done = subprocess.run(
            [sys.executable, "-m", "mlq_cli.main", word],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
