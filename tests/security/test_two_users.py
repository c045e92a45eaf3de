"""Two users' mlq on one machine: each keeps to what the other was promised, and sees no more."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_nvml import FakeGpu, FakeNvml
from people import Person, accounts
from sandbox import Sandbox
from victim import home_of, new_estate
from waiting import wait_for

JOB = ("enqueue", "-m", "50M", "-g", "1", "--vram", "8G", "--")


@pytest.fixture
def homes(everybodys_mlq: Path) -> Iterator[tuple[Sandbox, Sandbox]]:
    """Two users with a queue and a worker each, on a machine with one GPU of 11 GB."""
    people = accounts()
    with new_estate() as estate:
        shared, gpu = estate / "shared", estate / "gpu"
        shared.mkdir()
        shared.chmod(0o1777)
        gpu.mkdir()
        nvml = FakeNvml(gpu)
        nvml.write(FakeGpu("GPU-1", reserved_mib=0))
        library = shutil.copytree(nvml.env["LD_LIBRARY_PATH"], gpu / "lib")
        for path in (gpu, library, *gpu.iterdir(), *library.iterdir()):
            path.chmod(0o755)
        variables = {**nvml.env, "LD_LIBRARY_PATH": str(library), "MLQ_SHARED_DIR": str(shared)}
        program = estate / "mlq"  # the copy says itself where libraries are
        script = everybodys_mlq.read_text()
        program.write_text(script.replace("LD_LIBRARY_PATH=", f"LD_LIBRARY_PATH={library}:", 1))
        program.chmod(0o755)
        made = tuple(_home(one, estate / one.name, program, variables) for one in people)
        yield made[0], made[1]


def _home(person: Person, folder: Path, mlq: Path, variables: dict[str, str]) -> Sandbox:
    home = home_of(person, folder, mlq, **variables, MLQ_RUNTIME_DIR=str(folder / "r"))
    home.ok("server", "start")
    return home


def state(home: Sandbox, job_id: str) -> str:
    (job,) = [one for one in json.loads(home.ok("ls", "--json", "--all")) if one["id"] == job_id]
    return str(job["state"])


def test_memory_that_a_neighbour_was_promised_is_not_given_away(
    homes: tuple[Sandbox, Sandbox],
) -> None:
    ann, eve = homes
    for home in homes:
        home.ok("worker", "start", "--cores", "1")
    first = ann.ok(*JOB, "/bin/sh", "-c", "until [ -e gate ]; do sleep 0.1; done").split()[0]
    wait_for(lambda: state(ann, first) == "started")
    second = eve.ok(*JOB, "true").split()[0]
    name = ann.environ["USER"]
    why = f"8G of GPU memory needed, 3G of 11G free ({name}'s mlq promised 8G)"
    wait_for(lambda: "promised" in eve.ok("explain", second), what="the reason")
    assert why in eve.ok("explain", second)
    people = json.loads(eve.ok("machines", "--people", "--json"))
    (hers,) = [one for one in people if one["user"] == name]
    assert hers["mlq"]["vram_mib"] == {"GPU-1": 8192}
    (mine,) = [one for one in people if one["is_us"]]
    assert [one["vram_mib"] for one in mine["waits"]] == [8192]
    boards = list(Path(eve.environ["MLQ_SHARED_DIR"]).glob("mlq-*.board"))
    assert {path.stat().st_uid for path in boards} == {ann.identity["user"], eve.identity["user"]}
    assert not any(b"gate" in path.read_bytes() for path in boards)
    assert state(eve, second) == "queued"
    (ann.folder / "gate").touch()
    wait_for(lambda: state(eve, second) == "finished", what="the second job")
    for home in homes:
        home.run("worker", "stop", "--now")
    wait_for(lambda: not [one for one in boards if os.path.lexists(one)], what="no board")
