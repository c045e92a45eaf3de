"""`mlq enqueue` against a real server."""

import json
import os
from pathlib import Path

import pytest
from sandbox import Sandbox
from waiting import wait_for

from mlq.jobs.lifecycle import Event

pytestmark = pytest.mark.slow

KEYS = {
    "id",
    "name",
    "state",
    "command",
    "attempt",
    "machine",
    "cores",
    "mem_mib",
    "gpus",
    "vram_mib",
    "priority",
    "time_limit_s",
    "submitted_at",
    "started_at",
    "ended_at",
    "exit_code",
    "reason",
    "progress",
    "directory",
}


def test_it_prints_just_the_id(installation: Sandbox) -> None:
    installation.start_server()
    assert installation.ok("enqueue", "--", "python", "train.py") == "1\n"
    assert installation.ok("enqueue", "true") == "2\n"


def test_every_option_arrives(installation: Sandbox) -> None:
    installation.start_server()
    parent = installation.submit(name="data")
    options = ["-c", "4", "-m", "8G", "-g", "1", "--vram", "6G", "-t", "1d12h", "-n", "big"]
    options += ["-p", "-3", "--after", f"{parent},data", "--after-any", "--retries", "2"]
    options += ["--metric", "acc=acc ([0-9.]+)", "--metric", "loss=loss=(.*)"]
    options += ["--machine", "gpu*", "--env", "A=1", "--env", "LANG", "--cwd", "sub", "--json"]
    (job,) = json.loads(installation.ok("enqueue", *options, "--", "python", "x.py", "--lr", "1"))
    assert set(job) >= KEYS
    assert (job["id"], job["state"], job["name"], job["command"]) == (
        "2",
        "deferred",
        "big",
        "python x.py --lr 1",
    )
    assert (job["cores"], job["mem_mib"], job["gpus"], job["vram_mib"]) == (4, 8192, 1, 6144)
    assert (job["priority"], job["time_limit_s"]) == (-3, 36 * 3600)
    spec = installation.spec_of("2")
    assert spec["metrics"] == {"acc": "acc ([0-9.]+)", "loss": "loss=(.*)"}
    assert spec["argv"] == ["python", "x.py", "--lr", "1"]
    assert spec["env"] == {"A": "1", "LANG": "C.UTF-8"}
    assert spec["cwd"] == str(installation.folder / "sub")
    assert (spec["after"], spec["after_any"], spec["retries"]) == ([parent], True, 2)
    assert spec["request"]["machine"] == "gpu*"  # type: ignore[index]


def test_folder_and_environment_are_the_callers(installation: Sandbox) -> None:
    installation.start_server()
    environ = {"VIRTUAL_ENV": "/some/venv", "PATH": "/some/venv/bin:/usr/bin"}
    installation.run("enqueue", "true", environ=environ)
    spec = installation.spec_of("1")
    assert (spec["cwd"], spec["python_env"]) == (str(installation.folder), "/some/venv")


def test_shell_is_asked_for_by_name(installation: Sandbox) -> None:
    installation.start_server()
    installation.ok("enqueue", "--shell", "echo $HOME | cat")
    assert installation.spec_of("1")["argv"] == ["/bin/sh", "-c", "echo $HOME | cat"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--cores", "-1", "true"], ["--cores -1", "at least 1"]),
        (["--cores", "two", "true"], ["--cores two", "a whole number is needed"]),
        (["-p", "1.5", "true"], ["--priority 1.5", "a whole number is needed"]),
        (["--metric", "acc", "true"], ["--metric 'acc' cannot be read", "--metric 'acc=acc"]),
        (["--metric", "a=(", "true"], ["--metric a=( cannot be used", "the regex is invalid"]),
        (["--metric", "a=b", "true"], ["the regex has 0 groups", "put (...) around the value"]),
        (["--gpus", "-1", "true"], ["--gpus -1"]),
        (["--retries", "-1", "true"], ["--retries -1"]),
        (["--vram", "6G", "true"], ["--vram needs --gpus", "add --gpus 1"]),
        (["--mem", "lots", "true"], ["'lots' is not a size", "8G"]),
        (["--time", "soon", "true"], ["'soon' is not a duration", "90m"]),
        # As `--after "$PARENT"` is when nothing was put in PARENT: it must not run at once.
        (["--after", "", "true"], ["an empty job id"]),
        (["--after-any", "true"], ["--after-any needs --after"]),
        (["--env", "GONE", "true"], ["--env GONE has no value", "not set here"]),
        (["--gpu", "1", "true"], ["unknown option --gpu", "did you mean --gpus?"]),
        ([], ["no command to run"]),
    ],
)
def test_bad_input_is_one_clear_message(
    installation: Sandbox, words: list[str], parts: list[str]
) -> None:
    installation.start_server()
    done = installation.run("enqueue", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("mlq: ")
    assert "Traceback" not in done.err
    assert all(part in done.err for part in parts)
    assert installation.queue().every() == []


def test_an_unknown_parent_is_refused(installation: Sandbox) -> None:
    installation.start_server()
    done = installation.run("enqueue", "--after", "41", "true")
    assert done.code == 1
    assert done.err.startswith("mlq: no job 41: ")
    assert installation.queue().every() == []


def test_without_a_queue_a_newcomer_is_told_what_to_do(installation: Sandbox) -> None:
    done = installation.run("enqueue", "true")
    assert done.code == 1
    assert "mlq server start" in done.err


def test_without_the_signing_key_a_newcomer_is_told_what_to_do(installation: Sandbox) -> None:
    installation.start_server()
    key = installation.queue().settings.key_file
    key.unlink()
    done = installation.run("enqueue", "true")
    assert done.code == 1
    assert f"there is no {key}" in done.err
    assert "scp -p" in done.err
    assert installation.queue().every() == []


@pytest.mark.parametrize(
    "words", [[b"echo", b"\xff"], [b"-n", b"\xff", b"true"], [b"--shell", b"\xff"]]
)
def test_what_is_not_utf8_is_refused(installation: Sandbox, words: list[bytes]) -> None:
    installation.start_server()
    done = installation.run("enqueue", *words)
    assert done.code == 2
    assert "it is not UTF-8 text" in done.err
    assert installation.queue().every() == []


def test_a_folder_that_is_gone_is_told(installation: Sandbox, tmp_path: Path) -> None:
    installation.start_server()
    gone = tmp_path / "gone"
    gone.mkdir()
    with installation.started(
        "enqueue", "true", preexec_fn=lambda: (os.chdir(gone), gone.rmdir())
    ) as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert b"the job has no folder to run in" in err


def test_a_job_too_large_for_all_known_machines_is_warned_about(installation: Sandbox) -> None:
    gpu = {"uuid": "GPU-a", "name": "GTX", "free_mib": 0, "total_mib": 11264}
    installation.know("small", cores_total=4, mem_total_mib=8192, gpus=[])
    installation.know("gpu07", cores_total=8, mem_total_mib=63488, gpus=[gpu])
    done = installation.run("enqueue", "-c", "64", "true")
    assert (done.code, done.out) == (0, "1\n")
    assert "no known machine can run it (64c 2G)" in done.err
    assert "the largest, gpu07, has 8 cores, 62G of memory, 1 GPU of 11G" in done.err
    # What would fit an empty machine is no reason to warn, however full it is now.
    assert installation.ok("enqueue", "-c", "8", "-g", "1", "--vram", "11G", "true") == "2\n"


def test_a_machine_nobody_knows_is_warned_about_by_its_name(installation: Sandbox) -> None:
    installation.know("lab01", cores_total=4, mem_total_mib=8192, gpus=[])
    installation.know("gpu07", cores_total=8, mem_total_mib=63488, gpus=[])
    done = installation.run("enqueue", "--machine", "lap*", "true")
    assert (done.code, done.out) == (0, "1\n")
    assert "for the name of no known machine is lap* (see: mlq machines)" in done.err
    done = installation.run("enqueue", "--machine", "lab*", "-c", "6", "true")
    assert "the largest, lab01, has 4 cores" in done.err


def test_which_machines_and_gpus_a_job_may_have_is_warned_about_explained_and_shown(
    installation: Sandbox,
) -> None:
    gpu = {"uuid": "GPU-a", "name": "NVIDIA GeForce RTX 3090", "free_mib": 24000}
    cards = [{**gpu, "total_mib": 24576}]
    installation.know("gpu07", cores_total=8, mem_total_mib=63488, cores_free=8, gpus=cards)
    done = installation.run("enqueue", "-g", "1", "--gpu-type", "A100", "true")
    assert "no known machine can run it (1c 2G 1gpu:a100)" in done.err
    assert "1 GPU of 24G (NVIDIA GeForce RTX 3090)" in done.err
    wrong = "GPU of type a100 needed, it has NVIDIA GeForce RTX 3090"
    assert wrong in installation.ok("explain", "1")
    done = installation.run("enqueue", "--machine", "gpu0[1,7]", "--exclude", "gpu*", "true")
    assert "the name of no known machine is gpu0[1,7], but not gpu*" in done.err
    assert "the job is not to run here" in installation.ok("explain", "2")
    done = installation.run("enqueue", "--exclude", "gpu*", "true")
    assert "every known machine is gpu*" in done.err
    shown = ("--machine", "gpu07,lab*", "-g", "1", "--gpu-type", "rtx 3090", "true")
    assert installation.run("enqueue", *shown).err == ""
    assert "1 GPU of type rtx-3090 (alone on each), on gpu07 or lab*" in installation.ok(
        "show", "4"
    )
    done = installation.run("enqueue", "--gpu-type", "a100", "true")
    assert (done.code, done.out) == (2, "")
    assert "--gpu-type needs --gpus" in done.err


def test_a_machine_not_heard_of_is_never_named_as_the_largest(installation: Sandbox) -> None:
    installation.know("small", cores_total=4, mem_total_mib=8192, gpus=[])
    installation.know("gpu07", cores_total=8, mem_total_mib=63488, gpus=[])
    client = installation.queue().store.client
    client.call("ZINCRBY", "mlq:machines", -200, "gpu07")
    err = installation.run("enqueue", "-c", "64", "true").err
    assert "the largest, small, has 4 cores" in err
    client.call("ZINCRBY", "mlq:machines", -200, "small")
    err = installation.run("enqueue", "-c", "64", "true").err
    assert "no known machine can run it (64c 2G)" in err
    assert "the largest" not in err


@pytest.mark.parametrize("name", ["5", "5-7", "2026-11", "1042_7"])
def test_a_name_that_reads_as_an_id_is_warned_about(installation: Sandbox, name: str) -> None:
    installation.start_server()
    done = installation.run("enqueue", "--name", name, "true")
    assert (done.code, done.out) == (0, "1\n")
    assert done.err == (
        f"mlq: warning: {name!r} means jobs by their ids; this one is found by its own\n"
    )
    installation.ok("enqueue", "--name", f"lr-{name}", "true")


def test_wait_gives_the_exit_code_of_the_job(installation: Sandbox) -> None:
    installation.start_server()
    with installation.started("enqueue", "--wait", "--json", "false") as process:
        wait_for(lambda: installation.queue().unended(), what="the job")
        installation.claim("1")
        installation.move("1", Event.FAIL, mlq_exit_code=3, mlq_reason="exit 3")
        out, err = process.communicate(timeout=30)
    assert process.returncode == 3
    (job,) = json.loads(out)
    assert (job["state"], job["exit_code"], err) == ("failed", 3, b"")


def test_submission_and_command_line_have_the_same_defaults(installation: Sandbox) -> None:
    installation.start_server()
    installation.ok("enqueue", "true")
    installation.submit("true")
    by_command, by_api = (installation.spec_of(one) for one in ("1", "2"))
    for spec in (by_command, by_api):
        del spec["id"], spec["submitted_at"]
    assert by_command == by_api
