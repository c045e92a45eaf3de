"""The first line of a script is read as the kernel reads it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mlq.files.layout import Layout
from mlq.jobs.attempt import AttemptId
from mlq_worker.ipc.values import BatchOrder, Order
from mlq_worker.launcher.lookup import Failure
from mlq_worker.launcher.script import first_words, interpreter_of, place_script


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("#!/bin/sh", ("/bin/sh",)),
        ("#! \t/bin/bash  -l  -e \t", ("/bin/bash", "-l  -e")),
        ("#!/usr/bin/env python", ("/usr/bin/env", "python")),
        ("#!", ()),
        ("# !/bin/sh", ()),
        ("", ()),
    ],
)
def test_the_interpreter_and_at_most_one_argument(line: str, words: tuple[str, ...]) -> None:
    assert interpreter_of(f"{line}\necho\n") == words


@pytest.fixture
def order(tmp_path: Path) -> Order:
    attempt = AttemptId("7", 1)
    folder = Layout(tmp_path).folder("7")
    Path(folder.attempt_dir(1)).mkdir(parents=True)
    return Order(
        *(attempt, "mark", ("train.sh", "a b"), {}, str(tmp_path), folder.path, "{}"),
        time_limit_s=None,
        stop_grace_s=1,
        lane=None,
        width=1,
        batch=BatchOrder("#!/bin/sh\necho é\n", "slurm_script"),
    )


def test_the_file_always_holds_the_signed_text(order: Order, tmp_path: Path) -> None:
    path = Path(order.job_dir, "script", "slurm_script")
    for spoil in (lambda: None, lambda: path.write_text("x"), path.unlink):
        spoil()
        place_script(order, Layout(tmp_path))
        assert path.read_text() == "#!/bin/sh\necho é\n"
    before = path.stat().st_ino
    place_script(order, Layout(tmp_path))
    assert path.stat().st_ino == before
    assert first_words(order) == ("/bin/sh", str(path))


def test_a_link_in_its_place_is_replaced_and_not_written_through(
    order: Order, tmp_path: Path
) -> None:
    path = Path(order.job_dir, "script", "slurm_script")
    path.parent.mkdir()
    other = tmp_path / "other"
    other.write_text("mine")
    path.symlink_to(other)
    place_script(order, Layout(tmp_path))
    assert (other.read_text(), path.is_symlink()) == ("mine", False)


def test_it_runs_with_the_umask_of_who_submitted_it(order: Order, tmp_path: Path) -> None:
    assert order.batch is not None
    place_script(order, Layout(tmp_path))
    batch = order.batch._replace(umask=0o027)
    words = first_words(replace(order, batch=batch))
    assert words[:3] == ("/bin/sh", "-c", 'umask 0027; exec "$0" "$@"')
    made = tmp_path / "it's made"
    shell = (*words[:3], "/bin/sh", "-c", 'touch "$1"; echo "$0"', "zero", str(made))
    assert subprocess.run(shell, capture_output=True, check=True, text=True).stdout == "zero\n"
    assert made.stat().st_mode & 0o777 == 0o640


def test_without_an_interpreter_the_users_shell_runs_it(order: Order) -> None:
    order = replace(order, batch=BatchOrder("echo\n", "pbs_script"))
    assert first_words(order)[0] == "/bin/sh"
    assert first_words(replace(order, env={"SHELL": "/bin/bash"}))[0] == "/bin/bash"
    assert first_words(replace(order, env={"SHELL": "/gone"}))[0] == "/bin/sh"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("#!/gone -x", "interpreter not found: /gone (first line of train.sh)"),
        ("#!/bin/sh\r", "(the script has DOS line ends)"),
    ],
)
def test_a_missing_interpreter_is_named(order: Order, line: str, why: str) -> None:
    with pytest.raises(Failure) as caught:
        first_words(replace(order, batch=BatchOrder(f"{line}\n", "x")))
    assert why in caught.value.reason
    assert os.sep in caught.value.reason
