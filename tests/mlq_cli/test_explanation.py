"""Why a job waits, said for each machine."""

from typing import Any

import pytest

from mlq.jobs.request import Request
from mlq_cli.explanation import Circumstances, Verdict, conclusion, verdict

LEASE_S = 45.0
ALONE = Circumstances("7", {})


def machine(**changes: Any) -> dict[str, Any]:
    return {
        "machine": "gpu07",
        "cores_total": 8,
        "cores_free": 3,
        "mem_total_mib": 62 * 1024,
        "mem_free_mib": 40 * 1024,
        "gpus": [{"uuid": "GPU-a", "name": "GTX", "free_mib": 4096, "total_mib": 11264}],
        "gpu_fault": "",
        "note": "",
        "offering": True,
        **changes,
    }


def why(
    request: Request, record: dict[str, Any], heard_s: float = 1, around: Circumstances = ALONE
) -> Verdict:
    return verdict(request, record, heard_s, LEASE_S, around)


def test_a_job_that_fits_fits() -> None:
    assert why(Request(2, 1024, 1, 4096), machine()) == Verdict("gpu07", "now", ())


@pytest.mark.parametrize(
    ("request_", "answer", "reason"),
    [
        (Request(4, 1024), "later", "4 cores needed, 3 of 8 free"),
        (Request(9, 1024), "never", "9 cores needed, it has 8 in all"),
        (Request(1, 48 * 1024), "later", "48G of memory needed, 40G of 62G free"),
        (Request(1, 1024, 1, 6144), "later", "6G of GPU memory needed, 4G of 11G free"),
        (Request(1, 1024, 2, 1024), "never", "2 GPUs with 1G free needed, it has 1 in all"),
        (Request(1, 1024, 1, 0), "later", "1 idle GPU needed, 0 of 1 free"),
        (Request(1, 1024, machine="lab*"), "never", "its name is not lab*"),
    ],
)
def test_what_is_short_is_named(request_: Request, answer: str, reason: str) -> None:
    assert why(request_, machine()) == Verdict("gpu07", answer, (reason,))


def test_other_peoples_load_is_named_where_cores_are_short() -> None:
    busy = machine(foreign_load=3.25)
    (reason,) = why(Request(4, 1024), busy).why
    short = "4 cores needed, 3 of 8 free"
    assert reason == f"{short} (others use 3.2, which yield_to_others leaves alone)"
    busy["foreign_users"] = [{"user": "ann", "cores": 2.04}, {"user": "", "cores": 1.2}]
    (reason,) = why(Request(4, 1024), busy).why
    whose = "ann 2.0, your own other processes 1.2"
    assert reason == f"{short} (others use 3.2: {whose}, which yield_to_others leaves alone)"


def test_a_machine_that_is_unwell_says_so() -> None:
    request = Request(1, 1024)
    assert why(request, machine(note="draining")).why == ("draining",)
    assert why(request, machine(offering=False)).why == ("takes no jobs now",)
    assert why(request, machine(note="draining"), heard_s=125).why == ("not heard of for 2m5s",)


def test_a_fault_of_one_gpu_matters_only_where_the_others_do_not_do() -> None:
    half = machine(gpu_fault="GPU 1 is lost: reboot to repair")
    assert why(Request(1, 1024, gpus=1, vram_mib=4096), half) == Verdict("gpu07", "now", ())
    assert why(Request(1, 1024, gpus=2, vram_mib=4096), half) == Verdict(
        "gpu07", "later", ("not all GPUs: GPU 1 is lost: reboot to repair",)
    )


def test_a_gpu_fault_matters_only_to_jobs_with_gpus() -> None:
    broken = machine(gpus=[], gpu_fault="driver/library version mismatch")
    assert why(Request(1, 1024), broken).answer == "now"
    assert why(Request(1, 1024, 1, 1024), broken) == Verdict(
        "gpu07", "later", ("no GPUs: driver/library version mismatch",)
    )


def test_reservations_of_others_and_bad_memories_keep_a_job_away() -> None:
    request = Request(1, 1024)
    others = Circumstances("7", {"5": "gpu07"})
    assert why(request, machine(), around=others).why == (
        "kept free for job 5, which has waited long",
    )
    assert why(request, machine(), around=Circumstances("5", {"5": "gpu07"})).answer == "now"
    avoiding = Circumstances("7", {}, avoids="gpu07")
    assert why(request, machine(), around=avoiding).answer == "later"


def test_a_machine_without_a_record_has_nothing() -> None:
    assert why(Request(), {"machine": "new"}).answer == "never"


NOW, LATER, NEVER = (Verdict("gpu07", answer, ()) for answer in ("now", "later", "never"))


@pytest.mark.parametrize(
    ("verdicts", "ahead", "reservations", "part"),
    [
        ([], 0, {}, "mlq worker start"),
        ([NEVER, NEVER], 0, {}, "No known machine could ever run it"),
        ([NEVER, LATER], 0, {}, "when what is short becomes free"),
        ([NOW, LATER], 0, {}, "gpu07 and should start"),
        ([NOW], 3, {}, "3 jobs may go first"),
        ([LATER], 0, {"7": "gpu07"}, "gpu07 is kept free for it"),
    ],
)
def test_the_conclusion(
    verdicts: list[Verdict], ahead: int, reservations: dict[str, str], part: str
) -> None:
    assert part in conclusion("7", verdicts, ahead, reservations)
