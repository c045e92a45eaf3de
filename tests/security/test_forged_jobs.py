"""Who has the password of Redis but not the signing key cannot have a program of theirs run.

They may write any key of the queue. What they can do with that, `docs/operations.md` says: read,
cancel, delete, reorder, have a job that its owner signed run again, forge states. What they cannot
do is tried here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from local_lab import PATIENT, Lab, new_lab
from thief import Thief
from waiting import wait_for

import mlq
import mlq_worker
from mlq.jobs.spec import JobSpec
from mlq.submit.batch import check_all, sign_all
from mlq.submit.submission import Submission


@pytest.fixture(scope="module")
def thief(lab: Lab) -> Iterator[Thief]:
    """A thief, in a lab with a machine."""
    lab.machine("lab01")
    thief = Thief(lab)
    with thief.redis:
        yield thief


@pytest.fixture(autouse=True)
def _the_worker_works_on(lab: Lab, thief: Thief) -> Iterator[None]:
    """After each attack nothing of the thief's has run, and the worker still does its work."""
    yield
    lab.until(lab.sh("true"), "finished")
    assert thief.traces == []


def evil_argv(thief: Thief) -> list[str]:
    return ["/bin/sh", "-c", f"touch {thief.evil}"]


def refused(thief: Thief, job_id: str, why: str) -> None:
    job = thief.until_ended(job_id)
    assert job.state == "failed"
    assert re.fullmatch(f"refused: {why}.*", job.reason), job.reason


# --- jobs of the thief's own --------------------------------------------------------------------


def test_a_job_signed_with_another_key_is_refused(lab: Lab, thief: Thief) -> None:
    job_id = thief.enqueue(*evil_argv(thief))
    refused(thief, job_id, "the job's signature is wrong: it was altered")
    assert "refused: the job's signature is wrong" in lab.sandbox.ok("show", job_id)


@pytest.mark.parametrize("signature", ["", "0", "ä", b"\xff\xfe", "0" * 64])
def test_a_job_without_a_right_signature_is_refused(thief: Thief, signature: str | bytes) -> None:
    job_id = thief.waiting_job("true")
    thief.alter_spec(job_id, argv=evil_argv(thief))
    thief.alter(job_id, mlq_signature=signature, data=call_of(thief))
    thief.let_go(job_id)
    refused(thief, job_id, "the job('s signature is wrong| is not signed)")


def call_of(thief: Thief) -> str:
    return json.dumps(["os.system", None, [f"touch {thief.evil}"], {}])


def test_a_function_enqueued_with_plain_rq_is_refused(thief: Thief) -> None:
    thief.enqueue_function("os.system", "stock", f"touch {thief.evil}")
    refused(thief, "stock", "the job is not signed")


BAD_IDS = ["../../evil", "a/b", "\x1b[31m", "x" * 300, "1/../7", ".", "..", "", "ä", "1\n"]


@pytest.mark.parametrize("job_id", BAD_IDS)
def test_an_id_that_is_none_gets_no_folder(lab: Lab, thief: Thief, job_id: str) -> None:
    thief.copy(thief.waiting_job("true"), job_id)
    thief.let_go(job_id)
    assert folders_made(lab) == ["finished"]


def test_nor_where_unsigned_jobs_are_run() -> None:
    with new_lab(**PATIENT, MLQ_ALLOW_UNSIGNED="true") as lab:
        machine = lab.machine("lab01")
        pid = machine.pid("worker")
        thief = Thief(lab)
        with thief.redis:
            for job_id in BAD_IDS:
                thief.enqueue_function("os.getpid", job_id)
            thief.enqueue_function("os.getpid", "deep")
            thief.alter("deep", data="[" * 100_000)
            thief.enqueue_function("os.getpid", "fine")
            thief.until_ended("fine")
            states = [thief.hash_of(job_id)["status"] for job_id in (*BAD_IDS, "deep", "fine")]
        assert folders_made(lab) == ["finished"]
        assert machine.pid("worker") == pid
        assert states == [b"failed"] * (len(BAD_IDS) + 1) + [b"finished"]


def folders_made(lab: Lab) -> list[str]:
    """Return the states of all jobs that have a folder, once the worker has passed the others by.

    Nothing was made beside the results root.
    """
    lab.until(lab.sh("true"), "finished")
    assert list(lab.folder.rglob("evil*")) == []
    return sorted({lab.job(path.name).state for path in lab.layout.jobs_dir.iterdir()})


# --- jobs of the victim's -----------------------------------------------------------------------

CHANGES: dict[str, Callable[[Thief], Any]] = {
    "argv": evil_argv,
    "comment": lambda _: "forged",
    "mem_is_asked": lambda _: True,
    "cwd": lambda _: "/",
    "captured_env": lambda thief: {"BASH_ENV": str(thief.evil)},
    "env": lambda thief: {"BASH_ENV": str(thief.evil)},
    "secrets": lambda _: {"TOKEN": f"TOKEN-{'0' * 32}"},
    "function": lambda thief: {
        "name": "os.system",
        "args": [f"touch {thief.evil}"],
        "kwargs": {},
    },
    "python_env": lambda thief: str(thief.evil.parent),
    "program": lambda thief: str(thief.evil),
    "id": lambda _: "4711",
    "name": lambda _: "another",
    "request": lambda _: {"cores": 2, "mem_mib": 1, "gpus": 0, "vram_mib": 0, "machine": ""},
    "priority": lambda _: 99,
    "time_limit_s": lambda _: 99999.0,
    "grace_s": lambda _: 99.0,
    "signal": lambda _: "KILL",
    "retries": lambda _: 99,
    "oom_retries": lambda _: 2,
    "metrics": lambda _: {"acc": "(x+x+)+y"},
    "script": lambda thief: f"#!/bin/sh\ntouch {thief.evil}\n",
    "streams": lambda thief: {"output": str(thief.evil)},
    "batch": lambda _: {"system": "slurm"},
    "after": lambda _: [],
    "after_any": lambda _: True,
    "conditions": lambda _: {"1": "failed"},
    "singleton": lambda _: True,
    "requeue": lambda _: False,
    "submitted_at": lambda _: "2000-01-01T00:00:00.000000Z",
    "version": lambda _: 2,
    "code": lambda thief: {"pack": "0" * 64, "project": str(thief.evil.parent)},
    "member": lambda _: {"name": "another", "key": "0"},
}


@pytest.mark.parametrize("field", [one.name for one in fields(JobSpec)])
def test_a_changed_description_does_not_run(lab: Lab, thief: Thief, field: str) -> None:
    # A field that is new in JobSpec and has no change here fails this test: give it one.
    ran = lab.folder / f"ran-{field}"
    job_id = thief.waiting_job(f"touch {ran}")
    thief.alter_spec(job_id, **{field: CHANGES[field](thief)})
    thief.let_go(job_id)
    refused(thief, job_id, "the job's signature is wrong")
    assert not ran.exists()


def test_an_added_field_does_not_run(thief: Thief) -> None:
    job_id = thief.waiting_job("true")
    spec = json.loads(thief.spec_of(job_id))
    thief.alter(job_id, mlq_spec=json.dumps({**spec, "more": 1}))
    thief.let_go(job_id)
    refused(thief, job_id, "the job's signature is wrong")


def test_two_readings_of_one_description_do_not_run(thief: Thief) -> None:
    # JSON with a key twice: what is checked and what is run must be the same reading.
    job_id = thief.waiting_job("true")
    text = thief.spec_of(job_id)
    twice = f'{{"argv":{json.dumps(evil_argv(thief))},{text[1:]}'
    thief.alter(job_id, mlq_spec=twice)
    thief.let_go(job_id)
    refused(thief, job_id, "the job's signature is wrong")


def test_the_signed_text_of_another_job_does_not_run(lab: Lab, thief: Thief) -> None:
    ran = lab.folder / "ran-other"
    other = thief.waiting_job(f"touch {ran}")
    job_id = thief.waiting_job("true")
    fields = thief.hash_of(other)
    thief.alter(job_id, mlq_spec=thief.spec_of(other), mlq_signature=fields["mlq_signature"])
    thief.let_go(job_id)
    refused(thief, job_id, f"the job is a copy: it was signed as {other}")
    assert not ran.exists()


def test_the_template_of_another_job_does_not_run(lab: Lab, thief: Thief) -> None:
    ran = lab.folder / "ran-other"
    other = thief.waiting_job(f"touch {ran}", env={"A": "1"})
    job_id = thief.waiting_job("true")
    thief.alter(job_id, mlq_spec=thief.hash_of(other)["mlq_spec"])
    thief.let_go(job_id)
    refused(thief, job_id, "the job's signature is wrong")
    assert not ran.exists()


@pytest.mark.parametrize("new_id", ["99001", "99001_7", "copy", "0{}", "{}_0"])
def test_a_copy_under_another_id_does_not_run(lab: Lab, thief: Thief, new_id: str) -> None:
    ran = lab.folder / "ran-copy"
    job_id = lab.sh(f"echo ran >> {ran}")
    lab.until(job_id, "finished")
    before = ran.read_text()
    copied = thief.copy(job_id, new_id.format(job_id))
    thief.let_go(copied)
    refused(thief, copied, "the job's signature is wrong")
    assert ran.read_text() == before


def test_a_job_signed_for_another_queue_does_not_run(lab: Lab, thief: Thief) -> None:
    # Two queues of one owner have a key each; a job of the other one is put in here as it is.
    submission = Submission(argv=tuple(evil_argv(thief)), cwd="/", python_env="")
    (foreign,) = sign_all(check_all([submission], "2026-01-01", 50), 99100, b"another queue's!" * 2)
    thief.copy(thief.waiting_job("true"), "99100")
    thief.alter("99100", mlq_spec=foreign.text, mlq_signature=foreign.signature)
    thief.let_go("99100")
    refused(thief, "99100", "the job's signature is wrong")


# --- fields outside the signature ---------------------------------------------------------------

NO_PROGRAM = "not read for a signed job"
COUNTS = "counts of the past: more or fewer retries of the same signed job"
SHOWN = "only shown"
ORDER = "the order of signed jobs, which a thief of the password can change"
PLACE = "where it ran last; overwritten by the claim"
HARMLESS: dict[str, tuple[Callable[[Thief], Any], str]] = {
    "data": (call_of, NO_PROGRAM),
    "timeout": (lambda _: 1, NO_PROGRAM + "; backfilling may misjudge it"),
    "description": (lambda _: "harmless", SHOWN),
    "status": (lambda _: "queued", ORDER),
    "origin": (lambda _: "p99.c1.m1.g0.v0", ORDER + "; resources are those of the signed text"),
    "enqueued_at": (lambda _: "nonsense", ORDER),
    "started_at": (lambda _: "nonsense", SHOWN),
    "ended_at": (lambda _: "nonsense", SHOWN),
    "last_heartbeat": (lambda _: "nonsense", SHOWN),
    "worker_name": (lambda _: "nobody", PLACE),
    "group_id": (lambda _: "group", NO_PROGRAM),
    "success_callback_name": (lambda _: "os.abort", NO_PROGRAM),
    "failure_callback_name": (lambda _: "os.abort", NO_PROGRAM),
    "stopped_callback_name": (lambda _: "os.abort", NO_PROGRAM),
    "result_ttl": (lambda _: 1, NO_PROGRAM),
    "failure_ttl": (lambda _: 1, NO_PROGRAM),
    "result": (lambda _: '"forged"', "a forged result; its owner sees one the job did not give"),
    "dependency_id": (lambda _: "1", ORDER),
    "dependency_ids": (lambda _: '["1"]', ORDER),
    "allow_dependency_failures": (lambda _: "1", ORDER),
    "mlq_conditions": (lambda _: '{"1": "failed"}', ORDER),
    "mlq_singleton": (lambda _: "1", ORDER),
    "mlq_behind": (lambda _: "1", ORDER),
    "mlq_requeue": (lambda _: "0", COUNTS),
    "mlq_name": (lambda _: "another", SHOWN),
    "mlq_time_limit_s": (lambda _: "nan", SHOWN),
    "mlq_retries": (lambda _: 0, COUNTS),
    "mlq_grace_s": (lambda _: "-1", SHOWN),
    "mlq_signal": (lambda _: "nonsense", SHOWN),
    "mlq_comment": (lambda _: "forged", SHOWN),
    "mlq_attempt": (lambda _: 0, "the same signed job runs as its first attempt again"),
    "mlq_losses": (lambda _: 0, COUNTS),
    "mlq_failures": (lambda _: 0, COUNTS),
    "mlq_machine": (lambda _: "lab02", PLACE),
    "mlq_boot_id": (lambda _: "another", PLACE),
    "mlq_supervisor_id": (lambda _: "another", PLACE),
    "mlq_exit_code": (lambda _: 7, SHOWN),
    "mlq_reason": (lambda _: "forged", SHOWN),
    "mlq_cleaned": (lambda _: "nonsense", SHOWN),
    "mlq_notes": (lambda _: "forged", SHOWN),
    "mlq_usage": (lambda _: "forged", SHOWN),
    "mlq_progress": (lambda _: "0.99", SHOWN),
    "mlq_restraint": (lambda _: "forged", SHOWN),
    "mlq_advance": (lambda _: '{"left_s": "soon"}', SHOWN),
    "mlq_metrics": (lambda _: '{"loss": [[[["forged"]]]]}', SHOWN),
    "mlq_used": (
        lambda _: "forged",
        SHOWN + "; with auto, others may ask for too much or too little",
    ),
    "mlq_stop": (lambda _: "canceled", "dropped by the claim"),
    "mlq_wish": (lambda _: "forged", COUNTS + "; the thief can requeue it anyway"),
    "mlq_signals": (lambda _: "1:1:99:forged 2:1:9:all", "dropped by the claim"),
    "mlq_signaled": (lambda _: "nonsense", "dropped by the claim"),
    "mlq_return": (lambda _: "nonsense", ORDER),
    "mlq_soon_asked": (lambda _: 4, COUNTS),
    "mlq_avoid": (lambda _: "lab01", ORDER),
    "mlq_avoid_until": (lambda _: "99999999999", ORDER),
    "mlq_order": (lambda _: "1", ORDER),
    "mlq_folder_faults": (lambda _: 0, COUNTS),
    "mlq_oom_retries": (
        lambda _: 2,
        COUNTS + "; no job is signed anew whose user did not ask for it",
    ),
    "mlq_ooms": (lambda _: 0, COUNTS),
    "mlq_crowded": (lambda _: 0, COUNTS),
    "mlq_taken_back": (lambda _: 0, COUNTS),
    "mlq_due": (lambda _: "nonsense", SHOWN),
    "mlq_held": (lambda _: "forged", ORDER),
    "mlq_released": (lambda _: "1", ORDER),
    "mlq_unwritten": (lambda _: "1", COUNTS),
    "mlq_needs": (lambda _: "nonsense", ORDER),
    "mlq_refused_by": (lambda _: "1", ORDER),
    "mlq_edits": (lambda _: 99, COUNTS),
    "mlq_start": (lambda _: "nonsense", ORDER),
    "mlq_restored": (lambda _: "1", "the same signed job runs as its second attempt"),
}
# When it was submitted and what it is in its sweep are signed, and stand in fields of their own.
SIGNED = {"mlq_spec", "mlq_signature", "created_at", "mlq_member"}
# Words of the code that begin like fields of a job and are none.
NO_FIELDS = {"mlq_worker", "mlq_cli", "mlq_copy"}


def test_every_field_is_judged(lab: Lab, thief: Thief) -> None:
    job_id = lab.sh("exit 1", retries=1, name="all")
    lab.until(job_id, "failed")
    stored = set(thief.hash_of(job_id)) | set(thief.hash_of(thief.waiting_job("true")))
    code = "".join(
        path.read_text()
        for package in (mlq, mlq_worker)
        for path in Path(package.__path__[0]).rglob("*")
        if path.suffix in (".py", ".lua")
    )
    named = set(re.findall(r"[\"'](mlq_[a-z_]+)[\"']", code)) - NO_FIELDS
    assert stored | named <= HARMLESS.keys() | SIGNED


@pytest.mark.parametrize("field", HARMLESS)
def test_a_field_outside_the_signature_changes_no_program(
    lab: Lab, thief: Thief, field: str
) -> None:
    forge, _why = HARMLESS[field]
    ran = lab.folder / f"ran-{field}"
    job_id = thief.waiting_job(f"echo $MLQ_JOB_ID >> {ran}")
    class_name = thief.hash_of(job_id)["origin"].decode()
    if field == "status":
        thief.let_go(job_id)
    else:
        thief.alter(job_id, **{field: forge(thief)})
        thief.let_go(job_id, class_name)
    job = thief.until_ended(job_id)
    assert (job.state, job.reason) == ("finished", "")
    assert ran.read_text() == f"{job_id}\n"  # what was signed, once, and under its own name


def test_a_job_in_the_list_of_another_class_holds_what_it_signed_for(
    lab: Lab, thief: Thief
) -> None:
    # Two cores are given to jobs. One that signed for both must not run beside another.
    gate, begun = lab.folder / "gate-class", lab.folder / "begun-class"
    first = lab.sh(f"echo $$ > {begun}; until [ -e {gate} ]; do sleep 0.05; done")
    lab.pid(begun.name)
    big = thief.waiting_job("nproc=2", cores=2)
    thief.let_go(big, "p5.c1.m1.g0.v0")
    lab.until(lab.sh("true"), "finished")
    assert lab.job(big).state == "queued"
    assert lab.job(big).reason.startswith("moved back to p0.c2.m50.g0.v0, which it was signed for")
    lab.open(gate.name)
    lab.until(first, "finished")
    lab.until(big, "finished")


@pytest.mark.parametrize(
    ("asked", "list_of"),
    [
        ({"machine": "gpu*"}, "p0.c1.m50.g0.v0"),
        ({"gpus": 1}, "p0.c1.m50.g0.v0"),
        ({"machine": "gpu*"}, "p7.c1.m1.g0.v0"),
        ({"machine": "gpu*"}, "whatever"),
    ],
)
def test_a_job_in_the_list_of_another_class_runs_where_it_was_signed_for_alone(
    lab: Lab, thief: Thief, asked: dict[str, Any], list_of: str
) -> None:
    ran = lab.folder / "ran-where"
    job_id = lab.sh(f"touch {ran}", **asked)
    own = thief.hash_of(job_id)["origin"].decode()
    thief.redis.lrem(f"rq:queue:{own}", 0, job_id)
    thief.let_go(job_id, list_of)
    wait_for(lambda: lab.job(job_id).reason.startswith("moved back"), what="the move")
    job = lab.job(job_id)
    assert (job.state, job.class_name, job.losses, job.failures) == ("queued", own, 0, 0)
    assert job.reason == (f"moved back to {own}, which it was signed for: it waited in {list_of}")
    assert job_id.encode() in thief.redis.lrange(f"rq:queue:{own}", 0, -1)
    assert thief.redis.exists(f"rq:wip:{list_of}") == 0
    lab.until(lab.sh("true"), "finished")
    assert not ran.exists()
    lab.queue.cancel([job_id])


def test_an_ended_job_that_is_queued_again_runs_what_was_signed(lab: Lab, thief: Thief) -> None:
    # A replay of the same id is in the threat model: what state a job is in is known to Redis
    # alone, and who can write there can say anything. It is the owner's program, in its own name.
    ran = lab.folder / "ran-again"
    job_id = lab.sh(f"echo $MLQ_JOB_ID.$MLQ_ATTEMPT >> {ran}")
    lab.until(job_id, "finished")
    thief.let_go(job_id)
    lab.until(job_id, "finished", attempt=2)
    assert ran.read_text() == f"{job_id}.1\n{job_id}.2\n"
