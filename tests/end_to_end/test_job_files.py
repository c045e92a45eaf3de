"""The examples of Slurm, PBS and HTCondor, queued as they are and run."""

from __future__ import annotations

import json
import shutil

import pytest
from local_lab import Lab
from server_programs import REPOSITORY

pytestmark = pytest.mark.slow


@pytest.fixture
def files(lab: Lab) -> Lab:
    """A lab whose present folder has the examples."""
    for one in (REPOSITORY / "examples" / "job_files").iterdir():
        shutil.copy(one, lab.folder)
    lab.machine("lab01")
    return lab


def submit(lab: Lab, file: str) -> tuple[list[str], list[str]]:
    """Submit a file, wait for its jobs; return their ids and what was said."""
    done = lab.sandbox.run("submit", "--wait", "--json", file)
    assert done.code == 0, done
    return [one["id"] for one in json.loads(done.out)], done.err.splitlines()


def test_an_array_of_pbs(files: Lab) -> None:
    ids, said = submit(files, "train.pbs")
    assert said == ["mlq: line 7: -q short has no effect"]
    assert len(ids) == 3
    number = ids[0].partition("_")[0]
    for index in (1, 2, 3):
        text = (files.folder / f"digits.o{number}.{index}").read_text()
        assert text == f"part {index} of digits, with 1 core, on lab01\n"


def test_a_cluster_of_condor(files: Lab) -> None:
    (files.folder / "out").mkdir()
    ids, said = submit(files, "sweep.sub")
    assert said == ["mlq: line 6: log has no effect", "mlq: line 9: requirements has no effect"]
    assert len(ids) == 6
    number = ids[0].partition("_")[0]
    found = [(files.folder / f"out/{number}.{index}.txt").read_text() for index in range(6)]
    rates = ("0.1", "0.1", "0.03", "0.03", "0.01", "0.01")
    assert found == [
        f"trains with --lr {rate} --seed {at % 2} --name run {at} of {number}, 1 thread\n"
        for at, rate in enumerate(rates)
    ]


def test_an_array_of_slurm(files: Lab) -> None:
    ids, said = submit(files, "rates.slurm")
    assert said == ["mlq: --partition has no effect on mlq"]
    number = ids[0].partition("_")[0]
    assert ids == [f"{number}_{task}" for task in range(3)]
    for task, rate in enumerate(("0.1", "0.03", "0.01")):
        text = (files.folder / f"rates-{number}_{task}.out").read_text()
        assert text == f"task {task} of 3 trains with lr {rate}, 1 core\n"
