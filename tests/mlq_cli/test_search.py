"""`mlq enqueue --search` and `Queue.search`, in a lab and against a queue without machines."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from local_lab import PATIENT, Lab, new_lab
from sandbox import Sandbox
from waiting import wait_for

from mlq import Queue
from mlq.jobs.lifecycle import Event
from mlq.metrics.extent import Extent, metrics_text
from mlq.store import keys

pytestmark = pytest.mark.slow

# Members from the sixth on are bad, and go on until they are stopped.
TRAIN = """
import json, math, os, sys, time
args = dict(one.lstrip("-").split("=") for one in sys.argv[1:])
index = int(os.environ["MLQ_JOB_ID"].split("_")[1])
loss = abs(math.log10(float(args["lr"])) + 3) + (args.get("opt") == "sgd")
with open(os.environ["MLQ_PROGRESS_FILE"], "a") as file:
    for step in range(1, 4):
        line = {"progress": step / 3, "step": step, "val_loss": 99 if "endless" in args and index > 4 else loss}
        file.write(json.dumps(line) + "\\n")
if "endless" in args and index > 4:
    time.sleep(1000)
time.sleep(0.3)  # an attempt of no time at all is not read
"""  # noqa: E501
SPACE = ("--param", "lr=loguniform(1e-5,1e-1)", "--param", "opt=adam,sgd")


def words(count: int, *more: str, metric: str = "val_loss") -> tuple[str, ...]:
    """Return a command line that searches."""
    options = ("-n", "tune", *SPACE, "--search", str(count), "--minimize", metric, *more)
    return ("enqueue", "--in-place", *options, "--", "python3", "train.py", "{args}")


@pytest.fixture
def trained() -> Iterator[Lab]:
    with new_lab(**PATIENT, MLQ_METRICS_S="1") as lab:
        (lab.folder / "train.py").write_text(TRAIN)
        lab.machine("m1")
        yield lab


def ended(lab: Lab) -> int:
    (sweep,) = lab.queue.store.reads.sweeps(["tune"]) or (None,)
    return 0 if sweep is None else sweep.counts["finished"]


def test_it_goes_on_after_a_kill_and_two_at_once_make_no_more(trained: Lab) -> None:
    with trained.sandbox.started(*words(9)) as process:
        wait_for(lambda: ended(trained) >= 3, 60, what="three members to end")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    with trained.sandbox.started(*words(9)) as one, trained.sandbox.started(*words(9)) as other:
        said = [process.communicate(timeout=90) for process in (one, other)]
        assert [one.returncode, other.returncode] == [0, 0], said
    jobs = trained.queue.views(trained.queue.select(["tune"]))
    assert [job.id for job in jobs] == [f"1_{n}" for n in range(9)]
    assert len({tuple(job.params.items()) for job in jobs}) == 9
    line = said[0][0].decode()
    assert line.startswith("search 1 tune: 9 of 9: 9 finished; best val_loss ")
    assert said[1][0].decode() == line

    assert trained.sandbox.run(*words(10)).out.startswith("search 1 tune: 10 of 10: 10 finished")
    out = trained.sandbox.ok("ls", "tune")
    assert out.startswith("search 1 tune: 10 of 10 members, to minimize val_loss: 10 done\n")


def test_a_job_drives_it_and_stops_what_is_worse_than_others(trained: Lab) -> None:
    more = ("--detach", "--prune", "median", "--max-running", "1", "--param", "endless=yes")
    done = trained.sandbox.run(*words(6, *more))
    assert done.out.splitlines()[0] == "search 1 tune: job 2 drives it", done
    trained.until("2", "finished", timeout_s=110)
    *good, pruned = trained.queue.views(trained.queue.select(["tune"]))
    assert [job.state for job in good] == ["finished"] * 5
    assert pruned.state == "canceled"
    assert pruned.reason.startswith("pruned at step 3: 99, median ")
    table = trained.sandbox.ok("results", "tune")
    assert table.splitlines()[-1] == "1 member was pruned; mlq ls says at which step, and why."
    value = trained.queue.result(trained.job("2")).value
    assert value["id"] in {job.id for job in good}
    log = trained.log("2").decode().splitlines()
    assert log[-1].startswith("search 1 tune: 6 of 6: 5 finished, 1 pruned; best val_loss ")


def test_a_python_function_says_what_is_possible(trained: Lab) -> None:
    def suggest(trial: Any) -> dict[str, object]:
        power = trial.suggest_int("power", -5, -1)
        if power < -3:
            return {"lr": 10.0**power, "opt": "adam"}
        return {"lr": 10.0**power, "opt": trial.suggest_categorical("opt", ["adam", "sgd"])}

    def search(count: int) -> Any:
        return trained.queue.search(
            ["python3", str(trained.folder / "train.py"), "{args}"],
            suggest,
            trials=count,
            minimize="val_loss",
            name="tune",
            in_place=True,
            cwd=str(trained.folder),
        )

    assert search(4).number == search(4).number == 1
    told: list[str] = []
    trained.queue.tell = told.append
    found = search(9)
    assert told == ["8 members are all that there can be"]
    assert (found.params["opt"], float(found.params["lr"]), found.value) == ("adam", 1e-3, 0)
    assert found.outcomes["finished"] == 8


def test_a_member_without_the_objective_ends_it_at_once(installation: Sandbox) -> None:
    installation.start_server()
    (installation.folder / "train.py").touch()
    with installation.started(*words(60, "--max-running", "1")) as process:
        queue = installation.queue()
        wait_for(lambda: queue.store.reads.rows(("status",), ["1_0"]), 30, what="the first member")
        installation.claim("1_0")
        metrics = {name: Extent(1, 3, 1, 3, 1, 3) for name in ("loss", "acc")}
        ended_at = "2026-01-01T00:00:00Z"
        installation.move(
            "1_0", Event.SUCCEED, mlq_metrics=metrics_text(metrics), ended_at=ended_at
        )
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "mlq: --minimize val_loss: member 1_0 finished and reported loss, acc" in err.decode()
    assert [job.id for job in queue.every()] == ["1_0"]

    done = installation.run(*words(1, metric="loss"))
    assert (done.code, done.out.splitlines()[0][:40]) == (
        0,
        "search 1 tune: 1 of 1: 1 finished; best ",
    ), done
    command = ("true", "{args}")
    other = installation.run(*words(2, metric="loss")[:-3], *command)
    said = "sweep 1 tune has members that are not of this search: 1_0 has another command"
    assert (other.code, other.err.startswith(f"mlq: {said}")) == (2, True)


def test_it_ends_if_its_first_members_fail(installation: Sandbox) -> None:
    installation.start_server()
    (installation.folder / "train.py").touch()
    with installation.started(*words(6, "--max-running", "1", "--max-fails", "1")) as process:
        queue = installation.queue()
        wait_for(lambda: queue.store.reads.rows(("status",), ["1_0"]), 30, what="the first member")
        installation.claim("1_0")
        installation.move("1_0", Event.FAIL, mlq_reason="exit 1: no GPU")
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert (
        "mlq: the search ends: its members fail: the first 1 to end were failures" in err.decode()
    )
    assert "no GPU" in err.decode()


def test_a_member_that_the_queue_has_forgotten_is_not_made_again(installation: Sandbox) -> None:
    installation.start_server()
    space = ("--param", "opt=adam,sgd", "--minimize", "loss", "--max-running", "2")
    typed = ("enqueue", "--in-place", "-n", "tune", *space, "--search")
    queue = installation.queue()
    with installation.started(*typed, "2", "--", "true", "{args}"):
        wait_for(lambda: queue.store.reads.rows(("status",), ["1_1"]), 30, what="two members")
    queue.cancel(["1_0", "1_1"])
    queue.store.client.call("DEL", keys.job("1_0"))
    done = installation.run(*typed, "3", "--", "true", "{args}", timeout_s=20)
    assert (done.code, done.out) == (1, "search 1 tune: 2 of 3: 1 failed\n")
    assert "mlq: 2 members are all that there can be\n" in done.err


def test_without_optuna_it_says_what_to_install_and_a_job_can_drive_it(
    installation: Sandbox,
) -> None:
    installation.start_server()
    (installation.folder / "train.py").touch()
    (installation.folder / "optuna.py").write_text("raise ImportError('none here')")
    environ = {"PYTHONPATH": str(installation.folder)}
    done = installation.run(*words(6), environ=environ)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("mlq: a search needs Optuna: ")
    assert done.err.endswith("none here\n  pip install 'mlq-lab[search]'\n")
    assert installation.queue().every() == []
    done = installation.run(*words(6, "--detach"), environ=environ)
    assert done.out.splitlines() == [
        "search 1 tune: job 2 drives it",
        "  how far it is: mlq ls 1; stop it: mlq cancel 2",
    ]
    assert installation.spec_of("2")["captured_env"] == {}


def test_ctrl_c_leaves_the_members_and_a_held_search_starts_none(installation: Sandbox) -> None:
    installation.start_server()
    (installation.folder / "train.py").touch()
    queue = installation.queue()

    def members() -> int:
        (sweep,) = queue.store.reads.sweeps(["tune"]) or (None,)
        return 0 if sweep is None else sweep.members

    with installation.started(*words(6, "--max-running", "2")) as process:
        wait_for(lambda: members() == 2, 30, what="two members")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the members of search 1 that run go on (mlq cancel 1 stops them)" in err.decode()
    assert [job.state for job in queue.unended()] == ["queued"] * 2

    installation.ok("hold", "tune", "--reason", "not today")
    with installation.started(*words(6, "--max-running", "4")) as process:
        assert process.stderr is not None
        line = process.stderr.readline().decode()
    assert line == "mlq: search 1 tune: 2 of 6: 2 waiting; held: not today\n"
    assert members() == 2


def test_a_restart_of_the_queue_does_not_end_it(installation: Sandbox) -> None:
    installation.start_server()
    queue, told, found = Queue.connect(installation.environ), list[str](), list[Any]()
    queue.tell = told.append

    def suggest(trial: Any) -> None:
        trial.suggest_float("lr", 0.1, 1)

    def search() -> None:
        found.append(
            queue.search(
                ["true", "{args}"],
                suggest,
                trials=1,
                minimize="loss",
                name="tune",
                in_place=True,
                cwd=str(installation.folder),
            )
        )

    driver = threading.Thread(target=search)
    driver.start()
    reads = installation.queue().store.reads
    wait_for(lambda: reads.rows(("status",), ["1_0"]), 30, what="the first member")
    installation.stop_server()
    wait_for(lambda: told, 30, what="word that the queue is away")
    installation.start_server()
    installation.claim("1_0")
    metrics = metrics_text({"loss": Extent(0.5, 3, 0.5, 3, 0.5, 3)})
    installation.move("1_0", Event.SUCCEED, mlq_metrics=metrics)
    driver.join(30)
    assert (found[0].id, found[0].value) == ("1_0", 0.5)
    assert told[0].endswith("; waiting until it does")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--minimize", "loss", "--seeds", "2"), "--minimize needs --search"),
        (("--search", "6", *SPACE), "a search needs one goal"),
        (("--search", "6", *SPACE, "--minimize", "a", "--maximize", "b"), "both --minimize and"),
        (("--search", "6", *SPACE, "--minimize", "a", "--seeds", "2"), "--search and --seeds"),
        (("--search", "0", *SPACE, "--minimize", "a"), "--search 0 cannot be used"),
        (("--search", "6", "--param", "lr=1", "--minimize", "a"), "nothing is to be searched"),
        (("--search", "6", "--minimize", "a"), "nothing is to be searched"),
        (("--search", "6", *SPACE, "--minimize", "a", "--prune", "x"), "invalid choice"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    installation: Sandbox, typed: tuple[str, ...], said: str
) -> None:
    installation.start_server()
    done = installation.run("enqueue", "--in-place", *typed, "--", "true", "{args}")
    assert done.code == 2
    assert said in done.err


def test_a_dry_run_shows_what_would_be_searched(installation: Sandbox) -> None:
    out = installation.ok(*words(60, "--dry-run", "--prune", "asha"))
    assert out.splitlines() == [
        "search tune: 60 members, 4 at once, to minimize val_loss; pruned by asha",
        "  lr=loguniform(1e-5,0.1)",
        "  opt=adam,sgd",
    ]
    rows = installation.run("ls", "--json")
    assert json.loads(rows.out or "[]") == []
