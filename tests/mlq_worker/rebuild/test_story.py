"""What became of a job, from the copy, its folder and the beats."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mlq.copies.copy_format import CopiedJob, Copy, Header
from mlq.errors import SignatureError
from mlq.jobs.lifecycle import State
from mlq.store.record import common_fields, job_fields
from mlq.store.restoring import JobToRestore
from mlq.submit.batch import check_all, sign_all
from mlq.submit.submission import Submission
from mlq.units import utc_iso
from mlq_worker.agent.attempt_result import parse_result
from mlq_worker.agent.history import Patience
from mlq_worker.launcher.holder import Holder
from mlq_worker.rebuild.plan import GAP, Terms, plan
from mlq_worker.rebuild.survey import Found, JobOnRoot, Signed, parse_job_file, verified

KEY = b"k" * 32
NOW_S = time.time()
AT = utc_iso(NOW_S)
THERE = Holder("lab01", "boot", "supervisor")


def signed(at: str = AT, **options: Any) -> Any:
    submission = Submission(argv=("true",), python_env="", cwd="/", **options)
    return sign_all(check_all([submission], at, 2048), 7, KEY)[0]


def copied(state: str, attempt: int = 0, job: Any = None, **more: str) -> CopiedJob:
    job = job or signed()
    flat = [*common_fields(AT), *job_fields(job)]
    fields = {str(name): str(one) for name, one in zip(flat[::2], flat[1::2], strict=True)}
    fields |= {"status": state, "origin": job.spec.job_class.name, **more}
    if attempt:
        fields["mlq_attempt"] = str(attempt)
    if state == "started":
        fields |= {"mlq_machine": "lab02", "mlq_boot_id": "b", "mlq_supervisor_id": "s"}
    return CopiedJob("7", fields)


def result(attempt: int, outcome: str = "exited", exit_code: int | None = 0, **more: Any) -> Any:
    raw = {
        "id": "7",
        "attempt": attempt,
        "machine": "lab03",
        "boot_id": "b",
        "outcome": outcome,
        "exit_code": exit_code,
        "signal": None,
        "reason": f"exit {exit_code}" if exit_code else "",
        "started_at": AT,
        "ended_at": AT,
        **more,
    }
    return parse_result(raw)


def rebuilt(
    copy: CopiedJob | None,
    attempts: tuple[int, ...] = (),
    results: tuple[Any, ...] = (),
    beats: dict[int, Holder] | None = None,
    job: Any = None,
) -> JobToRestore:
    job = job or signed()
    found = Found(beats={("7", number): one for number, one in (beats or {}).items()}, largest=7)
    if attempts or copy is None:
        told = {one.attempt: one for one in results}
        on_root = JobOnRoot("7", Signed(job.text, job.signature), attempts, told)
        found.jobs["7"] = on_root
    whole = None if copy is None else Copy(Header("q", 7, NOW_S, "m", 1, 0), {"7": copy})
    made = plan(whole, found, Terms(KEY, NOW_S, Patience(3, 0.0), 30))
    assert made.left_out == []
    (one,) = made.jobs
    return one


def shown(job: JobToRestore) -> tuple[Any, ...]:
    return job.state, int(job.fields.get("mlq_attempt", 0)), job.machine


def test_a_job_that_waits_still_does() -> None:
    assert shown(rebuilt(copied("queued"))) == ("queued", 0, "")


def test_one_that_runs_where_the_copy_says() -> None:
    assert shown(rebuilt(copied("started", 2), attempts=(1, 2))) == ("started", 2, "lab02")
    assert shown(rebuilt(copied("started", 1))) == ("started", 1, "lab02")  # no folder yet


def test_one_that_began_after_the_copy_runs_where_a_beat_says() -> None:
    job = rebuilt(copied("queued"), attempts=(1,), beats={1: THERE})
    assert shown(job) == ("started", 1, "lab01")
    assert job.fields["mlq_supervisor_id"] == "supervisor"
    assert shown(rebuilt(copied("queued"), beats={1: THERE})) == ("started", 1, "lab01")


def test_one_that_no_beat_names_waits_and_its_number_is_not_used_again() -> None:
    job = rebuilt(copied("queued"), attempts=(1,))
    assert shown(job) == ("queued", 1, "")
    assert job.fields["mlq_restored"] == 1


def test_one_that_asked_to_be_queued_again_waits_and_five_in_a_row_have_failed() -> None:
    asked = [result(n, "released", reason="it asked", asked_s=1.0) for n in range(1, 6)]
    job = rebuilt(copied("queued"), (1, 2, 3, 4), tuple(asked[:4]))
    assert (*shown(job), job.fields["mlq_soon_asked"]) == ("queued", 4, "", 4)
    assert not {"mlq_losses", "mlq_failures"} & job.fields.keys()
    job = rebuilt(copied("queued"), (1, 2, 3, 4, 5), tuple(asked))
    assert (job.state, "5 attempts in a row" in job.fields["mlq_reason"]) == ("failed", True)
    # Its user's wish is in the queue's copy only.
    wished = copied("started", 1, mlq_wish="queued again by its user")
    assert shown(rebuilt(wished, (1,), (result(1),)))[:2] == ("queued", 1)


def test_one_that_ended_after_the_copy_has_ended() -> None:
    job = rebuilt(copied("started", 1), attempts=(1,), results=(result(1),))
    assert (job.state, job.fields["mlq_exit_code"], job.ended_s > 0) == ("finished", 0, True)
    assert job.fields["mlq_machine"] == "lab03"
    assert len(job.results) == 1


def test_an_old_beat_does_not_revive_what_ended() -> None:
    job = rebuilt(copied("started", 1), (1,), (result(1),), beats={1: THERE})
    assert job.state == "finished"
    # Handed back, says the copy; its machine has not forgotten it yet.
    assert shown(rebuilt(copied("queued", 1), attempts=(1,), beats={1: THERE}))[0] == "queued"


def test_one_that_only_the_root_knows() -> None:
    job = rebuilt(None, (1,), (result(1, exit_code=3),))
    assert (job.state, job.fields["mlq_reason"], job.fields["mlq_failures"]) == (
        "failed",
        "exit 3",
        1,
    )
    assert job.fields["created_at"] == AT
    assert rebuilt(None).state == "queued"


def test_attempts_are_told_in_turn() -> None:
    job = signed(retries=2)
    told = rebuilt(None, (1, 2, 3), (result(1, exit_code=3), result(3)), job=job)
    assert told.state == "finished"
    assert (told.fields["mlq_failures"], told.fields["mlq_losses"]) == (1, 1)
    # One more than it may fail: that one was run again by its user.
    told = rebuilt(None, (1, 2), (result(1, exit_code=3), result(2)))
    assert told.state == "finished"
    assert "mlq_failures" not in told.fields


def test_one_that_was_handed_back_before_it_started_was_not_lost() -> None:
    job = rebuilt(copied("started", 1), attempts=(2,), results=(result(2),))
    assert (job.state, "mlq_losses" in job.fields) == ("finished", False)
    job = rebuilt(copied("started", 1), attempts=(1, 2), results=(result(2),))
    assert job.fields["mlq_losses"] == 1


def test_a_retry_that_is_due_later_is_scheduled() -> None:
    job = signed(retries=1)
    on_root = JobOnRoot("7", Signed(job.text, job.signature), (1,), {1: result(1, exit_code=3)})
    found = Found({"7": on_root}, largest=7)
    (one,) = plan(None, found, Terms(KEY, NOW_S, Patience(3, 60.0), 30)).jobs
    assert one.state == State.SCHEDULED
    assert one.due_s == pytest.approx(NOW_S + 60, abs=1)


def test_a_user_who_wanted_it_stopped_gets_that() -> None:
    copy = copied("started", 1, mlq_stop="canceled")
    told = result(1, outcome="signaled", exit_code=None)
    assert rebuilt(copy, (1,), (told,)).state == "canceled"


def test_one_that_must_not_run_again_has_failed_if_nobody_knows_where_it_runs() -> None:
    once = signed(requeue=False)
    known = rebuilt(copied("queued", job=once), (1,), beats={1: THERE}, job=once)
    assert known.state == "started"
    lost = rebuilt(copied("queued", job=once), (1,), job=once)
    assert lost.state == "failed"
    assert "it must not run again" in lost.fields["mlq_reason"]


def test_a_held_job_stays_held() -> None:
    assert rebuilt(copied("deferred", mlq_held="fails everywhere")).state == "deferred"
    assert rebuilt(copied("deferred")).state == "queued"


def test_numbers_go_on_above_all_that_was_given_out() -> None:
    terms = Terms(KEY, NOW_S, Patience(3, 0.0), 30)
    copy = Copy(Header("q", 41, NOW_S, "m", 1, 0), {"7": copied("queued")})
    assert plan(copy, Found(largest=7), terms).high == 41 + GAP
    assert plan(copy, Found(largest=43), terms).high == 43 + GAP
    assert plan(None, Found(largest=43), terms).high == 43 + GAP


@pytest.mark.parametrize("submitted_days", [41, 1])
def test_jobs_that_ended_long_ago_are_not_listed_again(submitted_days: int) -> None:
    """But what was submitted yesterday cannot have, whatever its machine's clock said."""
    job = signed(at=utc_iso(NOW_S - submitted_days * 86400))
    long_ago = utc_iso(NOW_S - 40 * 86400)
    told = {1: result(1, ended_at=long_ago)}
    on_root = JobOnRoot("7", Signed(job.text, job.signature), (1,), told)
    made = plan(None, Found({"7": on_root}, largest=7), Terms(KEY, NOW_S, Patience(3, 0), 30))
    listed = submitted_days == 1
    assert (len(made.jobs), made.forgotten, made.high) == (listed, not listed, 7 + GAP)


def test_only_what_this_key_signed_under_this_id_is_a_job() -> None:
    job = signed()
    raw = f'{{"spec": {job.text},\n "signature": "{job.signature}"}}\n'.encode()
    read = parse_job_file(raw)
    assert read == Signed(job.text, job.signature)
    assert verified(read, "7", KEY) == job.spec
    for wrong, job_id, key in (
        (read, "8", KEY),
        (read, "7", b"x" * 32),
        (read._replace(text=read.text.replace("true", "rm")), "7", KEY),
    ):
        with pytest.raises(SignatureError):
            verified(wrong, job_id, key)
    for strange in (b"", b"{", b"[]", b'{"spec": 1}', b"[" * 100_000, b"\xff"):
        with pytest.raises(ValueError, match="is damaged"):
            parse_job_file(strange)


def test_what_a_finished_run_used_is_remembered_again() -> None:
    job = signed(gpus=1, vram="4G")
    used = {"samples": 3, "mem_mib": 900, "vram_mib": 3000, "gpu_model": "NVIDIA A100"}
    done = result(1, cpu_s=1.0, max_rss_mib=700, used=used)
    told = rebuilt(None, (1,), (done,), job=job)
    assert told.learned.split(" ", 1)[1] == "900 3000 NVIDIA A100"
    # Of a GPU that it had to itself, it may have taken all memory at once: who knows how much?
    alone = rebuilt(None, (1,), (done,), job=signed(gpus=1))
    assert alone.learned.split(" ", 1)[1] == "900 0 NVIDIA A100"
    for gpu_mib, vram_mib in ((40_000, 3000), (3100, 0)):
        done = result(1, cpu_s=1.0, max_rss_mib=700, used={**used, "gpu_mib": gpu_mib})
        alone = rebuilt(None, (1,), (done,), job=signed(gpus=1))
        assert alone.learned.split(" ", 1)[1] == f"900 {vram_mib} NVIDIA A100"
    failed = result(1, exit_code=1, cpu_s=1.0, max_rss_mib=700)
    assert rebuilt(None, (1,), (failed,), job=job).learned == ""


def test_a_lack_of_memory_is_told_and_the_job_is_tried_again() -> None:
    short = result(1, exit_code=1, cpu_s=1.0, max_rss_mib=3000, shortage={"of_gpu": False})
    told = rebuilt(None, (1,), (short,), job=signed(retry_oom=True))
    assert (told.state, told.fields["mlq_ooms"]) == (State.SCHEDULED, 1)
