"""`mlq worker` as far as no worker runs: what it refuses, and what it says."""

import json

import pytest
from sandbox import Sandbox


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["start", "--cores", "-1"], ["--cores -1 cannot be used", "at least 1"]),
        (["start", "--cores", "0"], ["--cores 0"]),
        (["start", "--mem", "all"], ["'all' is not a size"]),
        (["start", "--gpus", "first"], ["--gpus first", "all, none, or the GPUs' numbers"]),
        (["start", "--name", "../up"], ["'../up' cannot be the name of a machine"]),
        (["start", "--for", "2h"], ["--for cannot be used without --foreground"]),
        (["start", "--foreground", "--for", "2h"], ["--for cannot be used here", "no allocation"]),
        (["start", "--on", "gpu07", "--for", "2h"], ["--for cannot be used with --on"]),
        (["start", "--idle", "5"], ["has no unit"]),
        (["start", "--guest", "rude"], ["invalid choice", "polite", "night", "mine"]),
        (["start", "--guest", "night"], ["--guest night: hours = ''", "it is empty", "19:00-08"]),
        (["install", "--guest", "night"], ["--guest night: hours = ''"]),
        (["stop", "--drain", "--now"], ["not allowed with argument"]),
        (["start", "--core", "2"], ["unknown option --core", "did you mean --cores?"]),
    ],
)
def test_bad_input(installation: Sandbox, words: list[str], parts: list[str]) -> None:
    done = installation.run("worker", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("mlq: ")
    assert "Traceback" not in done.err
    assert all(part in done.err for part in parts)


def test_status_without_a_worker(installation: Sandbox) -> None:
    done = installation.run("worker", "status")
    assert done.code == 1
    assert done.out.startswith("no worker runs for desk; start it with: mlq worker start\n")
    done = installation.run("worker", "status", "--json", "--name", "gpu07")
    (found,) = json.loads(done.out)
    assert (done.code, found["machine"], found["running"], found["pid"]) == (
        1,
        "gpu07",
        False,
        None,
    )


def test_stop_without_a_worker(installation: Sandbox) -> None:
    done = installation.run("worker", "stop")
    assert (done.code, done.err) == (0, "mlq: no worker runs for desk\n")


def test_start_without_a_queue_says_what_to_do(installation: Sandbox) -> None:
    done = installation.run("worker", "start")
    assert done.code == 1
    assert done.err.startswith("mlq: the worker for desk did not start: ")
    assert "mlq server start" in done.err
    assert "Traceback" not in done.err


def test_a_worker_in_the_background_of_an_allocation_is_warned_of(installation: Sandbox) -> None:
    around = {"PBS_JOBID": "77.head", "PBS_ENVIRONMENT": "PBS_BATCH"}
    done = installation.run("worker", "start", environ=around)
    assert "warning: this is PBS job 77.head" in done.err
    done = installation.run("worker", "start", "--allocation", "none", environ=around)
    assert "warning" not in done.err


def test_install_print_changes_nothing(installation: Sandbox) -> None:
    done = installation.run("worker", "install", "--print", "--cores", "3")
    assert "Traceback" not in done.err
    if done.code == 0:
        assert "--cores 3" in done.out
    else:
        assert "after a reboot" in done.err
    assert not list((installation.folder / "config").rglob("*.service"))
