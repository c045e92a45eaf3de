"""`mlq ls`, `show`, `machines`, `config`, `server status`: what they show, and as JSON."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sandbox import MLQ, Sandbox

from mlq.jobs.lifecycle import Event
from mlq.units import parse_iso

pytestmark = pytest.mark.slow

ISO_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def listed(installation: Sandbox, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(installation.ok(*words, "--json"))
    return found


def a_mix(installation: Sandbox) -> None:
    """1 finished, 2 failed, 3 started, 4 deferred, 5 canceled, 6 queued."""
    for name in ("data", "big", "train"):
        job_id = installation.submit(name=name, cores=2)
        installation.claim(job_id)
        if name == "data":
            installation.move(job_id, Event.SUCCEED, mlq_exit_code=0)
        if name == "big":
            installation.move(job_id, Event.FAIL, mlq_exit_code=9, mlq_reason="exit 9")
    installation.queue().store.renew("gpu07", [("3", 1, "0.47")], 60, 0)
    installation.submit(after=("3",))
    installation.queue().cancel([installation.submit()])
    installation.submit("python", "train.py", gpus=1, vram="6G", time="2h", cores=4, mem="8G")


def test_ls_shows_jobs_in_order_with_a_summary(installation: Sandbox) -> None:
    a_mix(installation)
    lines = installation.ok("ls").splitlines()
    assert lines[0].split() == [
        "ID",
        "STATE",
        "DONE",
        "TIME",
        "MACHINE",
        "ASKS",
        "NAME",
        "COMMAND",
        "REASON",
    ]
    states = ["finished", "failed", "started", "deferred", "canceled", "queued"]
    assert [line.split()[:2] for line in lines[1:7]] == [
        [str(number), state] for number, state in enumerate(states, 1)
    ]
    assert re.search(r"3 +started +47% +\d+s +gpu07 +2c 2G +train +true", lines[3])
    assert lines[2].endswith("exit 9")
    assert "4c 8G 1gpu:6G" in lines[6]
    assert "gpu07" not in lines[6]
    assert lines[-1] == (
        "6 jobs: 1 deferred, 1 queued, 1 started, 1 finished, 1 failed, 1 canceled"
    )


def test_ls_json_is_the_contract(installation: Sandbox) -> None:
    a_mix(installation)
    jobs = listed(installation, "ls")
    assert [job["id"] for job in jobs] == list("123456")
    started, queued = jobs[2], jobs[5]
    assert started["progress"] == 0.47
    assert started["machine"] == "gpu07"
    assert ISO_UTC.fullmatch(started["submitted_at"])
    assert ISO_UTC.fullmatch(started["started_at"])
    assert (started["ended_at"], started["exit_code"], started["reason"]) == (None, None, "")
    assert (queued["time_limit_s"], queued["vram_mib"], queued["progress"]) == (7200, 6144, None)
    assert queued["directory"] == str(installation.folder / "root/jobs/6")
    failed = jobs[1]
    assert (failed["exit_code"], failed["reason"]) == (9, "exit 9")
    assert parse_iso(failed["ended_at"]) >= parse_iso(failed["started_at"])


def test_ls_filters_by_state(installation: Sandbox) -> None:
    a_mix(installation)
    jobs = listed(installation, "ls", "--state", "failed", "--state", "queued")
    assert [job["id"] for job in jobs] == ["2", "6"]
    done = installation.run("ls", "--state", "running")
    assert done.code == 2
    assert "started" in done.err


def test_ls_leaves_out_what_ended_long_ago_unless_asked(installation: Sandbox) -> None:
    old, recent = installation.submit(), installation.submit()
    installation.queue().cancel([old, recent])
    # The store writes the time of an end by the server's own clock.
    installation.queue().store.client.call("ZADD", "mlq:ended", 1_000_000, old)
    assert [job["id"] for job in listed(installation, "ls")] == [recent]
    assert [job["id"] for job in listed(installation, "ls", "-a")] == [old, recent]


def test_ls_of_nothing_says_how_to_begin(installation: Sandbox) -> None:
    installation.start_server()
    assert "mlq ls -a" in installation.ok("ls")
    assert "mlq enqueue" in installation.ok("ls", "-a")
    assert installation.ok("ls", "--json") == "[]\n"


def test_show_takes_ids_ranges_and_names(installation: Sandbox) -> None:
    a_mix(installation)
    jobs = listed(installation, "show", "2-3", "data", "6", "3")
    assert [job["id"] for job in jobs] == ["2", "3", "1", "6"]
    text = installation.ok("show", "big", "6")
    assert text.startswith("2 big  failed\n")
    assert re.search(r"^  exit code +9$", text, re.MULTILINE)
    assert re.search(
        r"^  asks for +4 cores, 8G of memory, 1 GPU \(6G free on each\), at most 2h$",
        text,
        re.MULTILINE,
    )
    assert str(installation.folder / "root/jobs/2/attempts/1/output.log") in text


@pytest.mark.parametrize("words", [["77"], ["70-80"], ["nobody"], ["3-1"], [""]])
@pytest.mark.parametrize("command", ["show", "logs", "cancel", "retry", "wait", "explain"])
def test_an_unknown_job_is_one_message(
    installation: Sandbox, command: str, words: list[str]
) -> None:
    installation.start_server()
    done = installation.run(command, *words)
    assert done.code in {1, 2}
    assert re.match(r"mlq: (no job |the range 3-1 runs backwards|an empty job id)", done.err)
    assert done.out == ""


def test_machines(installation: Sandbox) -> None:
    installation.start_server()
    assert "mlq worker start" in installation.ok("machines")
    gpu = {"uuid": "GPU-a", "name": "NVIDIA GTX 1080 Ti", "free_mib": 4096, "total_mib": 11264}
    installation.know(
        "gpu07",
        cores_total=8,
        cores_free=3,
        mem_total_mib=63488,
        mem_free_mib=40960,
        gpus=[gpu],
        attempts=[["1", 1], ["2", 1]],
        foreign_load=1.5,
    )
    installation.know(
        "ray12", cores_total=8, cores_free=8, gpu_fault="driver mismatch", note="draining"
    )
    head, gpu07, ray12 = installation.ok("machines").splitlines()
    assert head.split() == [
        "MACHINE",
        "CORES",
        "MEMORY",
        "GPU",
        "MEMORY",
        "GPU",
        "JOBS",
        "OTHERS",
        "HEARD",
        "NOTE",
    ]
    assert re.match(r"gpu07 +3/8 +40G/62G +4G/11G +GTX 1080 Ti +2 +1.5 +\d+s$", gpu07)
    assert ray12.endswith("draining; no GPUs: driver mismatch")
    found = listed(installation, "machines")
    assert [one["machine"] for one in found] == ["gpu07", "ray12"]
    assert found[0]["gpus"] == [gpu]
    assert 0 <= found[0]["heard_s_ago"] < 60


def test_a_machine_not_heard_of_is_marked(installation: Sandbox) -> None:
    installation.know("gpu07", cores_total=8, cores_free=8)
    installation.queue().store.client.call("ZINCRBY", "mlq:machines", -125, "gpu07")
    assert re.search(r"not heard of for 2m\d+s$", installation.ok("machines").rstrip())
    (one,) = json.loads(installation.ok("machines", "--json"))
    assert re.fullmatch(r"not heard of for 2m\d+s", one["condition"])  # whatever it said before


@pytest.mark.parametrize(
    ("heard_s", "seen", "said"),
    [
        (0, None, ""),
        (50, None, "not heard of for"),
        (50, {"silent_s": 10, "worker": True, "paused": 0}, "worker silent for"),
        (50, {"silent_s": 10, "worker": True, "paused": 1}, "paused until the queue hears it"),
        (50, {"silent_s": 40, "worker": True, "paused": 0}, "queued again at 1m30s"),
        (70, {"silent_s": 65, "worker": True, "paused": 0}, "queued again at 1m30s"),
        (95, {"silent_s": 92, "worker": True, "paused": 0}, "queued again now"),
        (70, {"unreadable": "stale"}, "NFS not answering the reaper"),
        (40 * 86400, None, "not heard of for 40d"),
    ],
)
def test_ls_and_machines_say_the_same_of_a_machine(
    installation: Sandbox, heard_s: int, seen: dict[str, Any] | None, said: str
) -> None:
    job = installation.submit()
    installation.claim(job)
    store = installation.queue().store
    (row,) = listed(installation, "show", job)
    machine = row["machine"]
    installation.know(machine, cores_total=4)
    if seen is not None:
        store.client.call("SET", "mlq:sightings", json.dumps({machine: seen}))
    store.client.call("ZINCRBY", "mlq:machines", -heard_s, machine)
    if heard_s > 30 * 86400:
        store.client.call("DEL", f"mlq:machine:{machine}")  # as when it has expired
    (by_ls,) = (one["condition"] for one in listed(installation, "ls"))
    (by_machines,) = (one["condition"] for one in listed(installation, "machines"))
    assert _without_seconds(by_ls) == _without_seconds(by_machines)
    assert said in by_ls
    assert bool(by_ls) == bool(said)


def _without_seconds(words: str) -> str:
    """The words as they are a second sooner or later."""
    return re.sub(r"\bfor (\d+[dhms])+", "for a while", words)


def test_config_shows_values_and_origins(installation: Sandbox) -> None:
    file = installation.folder / "config/mlq/config.toml"
    file.parent.mkdir(mode=0o700)
    file.write_text("# mine\nlease_s = 50\n")
    found = {one["name"]: one for one in listed(installation, "config")}
    assert found["lease_s"]["value"] == 50
    assert found["lease_s"]["origin"] == f"{file} line 2"
    assert found["root"]["value"] == str(installation.folder / "root")
    assert found["root"]["origin"] == "environment MLQ_ROOT"
    assert (found["root"]["exists"], found["key_file"]["exists"]) == (True, False)
    assert (found["beat_s"]["origin"], found["beat_s"]["exists"]) == ("default", None)
    text = installation.ok("config")
    assert re.search(r"^key_file .* default +missing$", text, re.MULTILINE)
    assert text.startswith(f"settings file: {file}\n")
    assert re.search(r"^capture_env +true +default$", text, re.MULTILINE)
    assert re.search(r"^machines +default$", text, re.MULTILINE)
    several = installation.ok("config", environ={"MLQ_MACHINES": "gpu01,gpu02"})
    assert re.search(r"^machines +gpu01, gpu02 +environment", several, re.MULTILINE)


def test_server_status(installation: Sandbox) -> None:
    done = installation.run("server", "status")
    assert (done.code, done.out) == (1, "no server runs here; start it with: mlq server start\n")
    assert installation.ok("server", "stop") == "no server runs here\n"
    installation.start_server()
    installation.submit()
    assert "answers already" in installation.ok("server", "start")
    text = installation.ok("server", "status")
    assert re.search(r"^  holds +1 job in \d+\.\d MiB$", text, re.MULTILINE)
    (found,) = listed(installation, "server", "status")
    assert (found["running"], found["jobs"], found["fsync"]) == (True, 1, "always")
    installation.stop_server()
    first, last, *_ = installation.run("server", "status").out.splitlines()
    assert first == "no server runs here; start it with: mlq server start"
    assert last.startswith("  the last line of ")


HEAVY = {
    "redis",
    "rq",
    "pydantic",
    "annotated_types",
    "argcomplete",
    "importlib.resources",
    "uuid",
    "subprocess",
    "rich",
    "mlq.sweeps.planning",
    "pandas",
    "polars",
    "numpy",
    "matplotlib",
    "plotext",
    "textual",
    "optuna",
}
# Of those that are typed all the time: these three take as long as an empty Python.
SHORTEST = {"ls", "show", "results"}
HEAVY_FOR_JOBS = HEAVY | {"dataclasses", "inspect", "hashlib"}


@pytest.mark.parametrize(
    "words",
    [
        ["ls"],
        ["ls", "-a", "--json"],
        ["show", "1"],
        ["results", "1"],
        ["results", "1", "--csv"],
        ["machines"],
        ["enqueue", "--", "true"],
    ],
)
def test_what_is_typed_often_imports_nothing_slow(installation: Sandbox, words: list[str]) -> None:
    installation.submit()
    installation.ok(*words)  # now the checked settings are remembered
    done = subprocess.run(
        [sys.executable, "-X", "importtime", MLQ, *words],
        env=installation.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "mlq_cli.invocation.session" in imported
    assert not imported & (HEAVY_FOR_JOBS if words[0] in SHORTEST else HEAVY)


def test_no_terminal_no_colours_and_nothing_cut(installation: Sandbox, tmp_path: Path) -> None:
    long_name = "n" * 300
    installation.submit(name=long_name)
    out = installation.ok("ls")
    assert long_name in out
    assert "\x1b" not in out


def test_a_pipe_of_known_width_has_lines_that_fit(installation: Sandbox) -> None:
    for number in range(3):
        installation.submit(
            "python", "train.py" * 20, name=f"a-name-of-forty-letters-and-more-{number}"
        )
        installation.claim(str(number + 1), "gpu07.a-long-domain.of.the.college")
    installation.move("1", Event.FAIL, mlq_reason="exit 1: CUDA out of memory " * 3)
    out = installation.ok("ls", environ={"COLUMNS": "80"})  # as `watch` sets it
    assert max(map(len, out.splitlines())) <= 80
    assert "a-name-of-forty" in out
    assert "\x1b" not in out


def test_a_sweep_that_ended_does_not_push_the_rest_off_the_screen(installation: Sandbox) -> None:
    queue = installation.queue()
    ids = [installation.submit() for _ in range(60)]
    for job_id in ids:
        queue.cancel([job_id])
    waiting = installation.submit()
    shown = installation.ok("ls").splitlines()
    assert [line.split()[0] for line in shown[1:52]] == [*ids[10:], waiting]
    assert shown[-1] == "… and 10 more that ended in the last 24 hours: mlq ls -a"
    assert len(listed(installation, "ls")) == 61
    assert "more that ended" not in installation.ok("ls", "-a")


def test_of_a_long_queue_ls_shows_the_first_in_line_and_how_many_there_are(
    installation: Sandbox,
) -> None:
    queue = installation.queue()
    ids = [job.id for job in queue.enqueue_many([["true"]] * 1103)]
    installation.claim(ids[0])
    installation.move(ids[0], Event.SUCCEED, mlq_exit_code=0)
    installation.claim(ids[1])
    queue.cancel([ids[-1]])
    lines = installation.ok("ls").splitlines()
    assert [line.split()[0] for line in lines[1:54]] == [*ids[:52], ids[-1]]
    assert lines[2].split()[1] == "started"
    assert lines[-2:] == [
        "1103 jobs: 1100 queued, 1 started, 2 ended",
        "… and 1,050 more that wait: mlq ls -a",
    ]
    assert len(installation.ok("ls", "-a").splitlines()) == len(ids) + 3
    assert len(listed(installation, "ls")) == len(ids)


def test_of_what_waits_ls_shows_the_first_fifty(installation: Sandbox) -> None:
    installation.queue().enqueue_many([["true"]] * 60)
    lines = installation.ok("ls").splitlines()
    assert lines[-2:] == ["60 jobs: 60 queued", "… and 10 more that wait: mlq ls -a"]
    assert len(installation.ok("ls", "--state", "queued").splitlines()) == 60 + 3
