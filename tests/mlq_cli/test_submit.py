"""`mlq submit`: what a job file queues, and what it refuses as a whole."""

import json
import subprocess

import pytest
from sandbox import Sandbox

pytestmark = pytest.mark.slow

HEADER = "#!/bin/bash\n#SBATCH --job-name='my job' -c 4 --mem=8G -t 90\n"


def script(installation: Sandbox, text: str, name: str = "my job.sh") -> str:
    (installation.folder / name).write_bytes(text.encode())
    return name


def test_a_dry_run_needs_no_queue_and_shows_what_would_be_queued(installation: Sandbox) -> None:
    file = script(installation, HEADER + "#SBATCH --gres=gpu:2 --export=A=1 -e err\necho $1\n")
    words = ("submit", "--dry-run", "-c", "2", "--env", "B=2")
    (found,) = json.loads(installation.ok(*words, "--json", file, "a b"))
    here = str(installation.folder)
    assert found == {
        "command": "'my job.sh' 'a b'",
        "cwd": here,
        "name": "my job",
        "cores": 2,
        "mem_mib": 8192,
        "gpus": 2,
        "time_limit_s": 5400,
        "env": {"A": "1", "B": "2"},
        "output": f"{here}/slurm-%j.out",
        "error": f"{here}/err",
    }
    assert "cores        2" in installation.ok(*words, file)


def test_jobs_and_arrays_are_queued_each_time_anew(installation: Sandbox) -> None:
    installation.start_server()
    file = script(installation, HEADER + "echo hello\n")
    assert installation.ok("submit", file, "x") == "1\n"
    script(installation, "changed", file)
    spec = installation.spec_of("1")
    assert (spec["argv"], spec["name"]) == (["my job.sh", "x"], "my job")
    assert spec["script"] == HEADER + "echo hello\n"
    assert spec["request"]["cores"] == 4
    assert spec["code"] is None
    assert spec["batch"]["submit_dir"] == str(installation.folder)

    array = script(installation, HEADER + "#SBATCH --array=3,5-9:2%2 -d afterany:1\necho\n")
    for number in (2, 3):
        said = installation.ok("submit", array)
        assert said == f"sweep {number} my job: 4 members: 4 new; 4 enqueued\n"
    members = json.loads(installation.ok("ls", "2", "--json"))
    assert [one["params"] for one in members] == [{"array": one} for one in "3579"]
    assert members[0]["after"] == ["1"]


def test_of_two_singleton_arrays_the_second_waits_whole_for_the_first(
    installation: Sandbox,
) -> None:
    installation.start_server()
    file = script(installation, HEADER + "#SBATCH --array=0-1 --dependency=singleton\ntrue\n")
    for _ in range(2):
        installation.ok("submit", file)
    states = {one["id"]: one["state"] for one in json.loads(installation.ok("ls", "-a", "--json"))}
    assert states == {"1_0": "queued", "1_1": "queued", "2_0": "deferred", "2_1": "deferred"}


def test_a_mistake_queues_nothing(installation: Sandbox) -> None:
    installation.start_server()
    for text, words, message in (
        (HEADER + "#SBATCH -N 2\n", (), "bad.sh, line 3: --nodes=2 cannot be used"),
        (HEADER + "#SBATCH -d afterok:99\n", (), "bad.sh, line 3: no job 99"),
        ("#!/bin/sh\r\n#SBATCH -c 2\r\n", (), "line breaks of DOS"),
        ("#!/bin/sh\n", (), "no job file that mlq knows"),
        ("#!/bin/sh\n#SBATCH -c 2\n#PBS -l ncpus=1\n", (), "slurm or pbs"),
        (HEADER + "#SBATCH --array=1-100000\n", (), "describes 100,000 jobs"),
        (HEADER, ("--vram", "1G"), "--vram needs --gpus"),
    ):
        script(installation, text, "bad.sh")
        done = installation.run("submit", *words, "bad.sh")
        assert done.code
        assert message in done.err
    assert installation.ok("ls", "-a", "--json") == "[]\n"


def test_standard_input_and_folders_with_odd_names(installation: Sandbox) -> None:
    installation.start_server()
    odd = installation.folder / "a 'b'\n%j"
    odd.mkdir()
    script(installation, HEADER + "pwd\n", f"{odd.name}/x y.sh")
    assert installation.ok("submit", "--cwd", str(odd), f"{odd}/x y.sh") == "1\n"
    spec = installation.spec_of("1")
    assert (spec["argv"], spec["cwd"]) == (["x y.sh"], str(odd))
    with installation.started("submit", "-", stdin=subprocess.PIPE) as running:
        assert running.communicate(HEADER.encode() + b"pwd\n", timeout=30)[0] == b"2\n"
    assert installation.spec_of("2")["script"].endswith("pwd\n")
