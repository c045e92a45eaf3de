"""What a job names is there, or the reason says what is not and why; nothing takes its place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import attempt_events
import pytest
from people import Person, strangers

from mlq_worker.ipc.causes import Kind
from mlq_worker.ipc.values import Order
from mlq_worker.launcher.lookup import Failure, check_environment, check_folder, find


@contextmanager
def acting(person: Person) -> Iterator[None]:
    """Have this process read files as somebody else."""
    os.seteuid(person.uid)
    try:
        yield
    finally:
        os.seteuid(0)


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def order(*argv: str, path: str = "/usr/bin", cwd: str = "/", called: str = "") -> Order:
    return attempt_events.order("1", argv=argv, env={"PATH": path}, cwd=cwd, called=called)


def test_an_environment_without_python_is_one_of_other_programs(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    check_environment(str(tmp_path))
    check_environment("")


def refusal(look: Callable[[], object]) -> tuple[str, Kind]:
    """Return what is said of something that is not to be used, and of which kind it is."""
    with pytest.raises(Failure) as caught:
        look()
    assert caught.value.cause is not None
    return caught.value.reason, caught.value.cause.kind


def test_an_environment_that_cannot_be_used_is_named_with_the_reason(tmp_path: Path) -> None:
    gone, empty, venv = tmp_path / "gone", tmp_path / "empty", tmp_path / "venv"
    empty.mkdir()
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to("python3")
    (venv / "bin" / "python3").symlink_to("/laptop/python3.12")
    unusable = "Python environment cannot be used: "
    for path, reason in (
        (gone, f"Python environment missing: {gone}"),
        (empty, f"{unusable}{empty}: it has no bin folder"),
        (venv, f"{unusable}{venv}: its Python is /laptop/python3.12, which is missing"),
    ):
        assert refusal(partial(check_environment, str(path))) == (reason, Kind.ENVIRONMENT)


def test_what_the_user_must_not_read_here_is_left_to_machines_where_it_can_be() -> None:
    ann, _ = strangers()
    with tempfile.TemporaryDirectory() as private:  # 0700, of root's
        venv = f"{private}/venv"
        python = program(Path(venv, "bin", "python"))
        asked = order(str(python), "x.py", called="python")
        with acting(ann):
            said = [
                refusal(partial(check_environment, venv)),
                refusal(partial(find, asked)),
                refusal(partial(check_folder, venv)),
            ]
    whose = " (python, in the shell it was enqueued from)"
    assert said == [
        (f"Python environment cannot be used: {venv}: permission denied", Kind.ENVIRONMENT),
        (f"command cannot be reached: {python}: permission denied{whose}", Kind.COMMAND),
        (f"working directory cannot be reached: {venv}: permission denied", Kind.FOLDER),
    ]


def test_a_name_is_looked_up_in_path_and_a_path_is_not(tmp_path: Path) -> None:
    first, second = program(tmp_path / "a" / "run"), program(tmp_path / "b" / "run")
    path = f"{first.parent}:{second.parent}"
    assert find(order("run", path=path)) == str(first)
    assert find(order("b/run", cwd=str(tmp_path))) == str(second)
    first.unlink()
    assert find(order("run", path=path)) == str(second)
    with pytest.raises(Failure, match=r"command not found: .*/a/run"):
        find(order(str(first), path=path))
