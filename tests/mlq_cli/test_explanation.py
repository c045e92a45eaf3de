"""Why a job waits, in words."""

import pytest

from mlq.jobs.explain import (
    Avoided,
    BeingRestored,
    Closed,
    Conclusion,
    Fits,
    GpuFault,
    GpuNote,
    Judgement,
    KeptFree,
    Lacks,
    MayStart,
    NeverFits,
    NoMachine,
    Reason,
    Reserved,
    Silent,
    WaitsForRoom,
)
from mlq.jobs.machine_state import Lack, OthersLoad, Promised
from mlq.jobs.placement import NameMismatch, Resource, Short, WrongGpus
from mlq_cli.explanation import as_json, conclusion_in_words, reason_in_words


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Short(Resource.CORES, 4, 3, 8), "4 cores needed, 3 of 8 free"),
        (Short(Resource.CORES, 1, 0, 8), "1 core needed, 0 of 8 free"),
        (Short(Resource.CORES, 9, 3, 8), "9 cores needed, it has 8 in all"),
        (
            Short(Resource.MEMORY, 48 << 10, 40 << 10, 62 << 10),
            "48G of memory needed, 40G of 62G free",
        ),
        (
            Short(Resource.GPU_MEMORY, 6144, 4096, 11264),
            "6G of GPU memory needed, 4G of 11G free",
        ),
        (Short(Resource.GPUS, 2, 0, 1, 1024), "2 GPUs with 1G free needed, it has 1 in all"),
        (Short(Resource.GPUS, 1, 0, 1), "1 idle GPU needed, 0 of 1 free"),
        (NameMismatch("lab*"), "its name is not lab*"),
        (NameMismatch("gpu01,lab*,!lab02"), "its name is not gpu01 or lab*"),
        (NameMismatch("lab*,!lab02", is_excluded=True), "the job is not to run here"),
        (WrongGpus("a100", 1, ("NVIDIA T4",)), "GPU of type a100 needed, it has NVIDIA T4"),
        (
            WrongGpus("a100", 2, ("NVIDIA A100", "NVIDIA T4", "NVIDIA T4")),
            "2 GPUs of type a100 needed, it has NVIDIA A100, 2 x NVIDIA T4",
        ),
        (Silent(125), "not heard of for 2m5s"),
        (Closed("draining"), "draining"),
        (Closed(""), "takes no jobs now"),
        (Lacks(Lack("f1", "the folder /data is missing")), "the folder /data is missing"),
        (GpuFault("driver mismatch", some_left=False), "no GPUs: driver mismatch"),
        (GpuFault("GPU 1 is lost", some_left=True), "not all GPUs: GPU 1 is lost"),
        (GpuNote("one job at a time"), "one job at a time"),
        (Reserved("5"), "kept free for job 5, which has waited long"),
        (Avoided(9.0), "this job failed or was lost here, so others go first for a moment"),
    ],
)
def test_a_reason_is_said(reason: Reason, words: str) -> None:
    assert reason_in_words(reason) == words


def test_other_peoples_load_is_named_where_cores_are_short() -> None:
    short = Short(Resource.CORES, 4, 3, 8)
    free = "4 cores needed, 3 of 8 free"
    assert reason_in_words(short, OthersLoad(0.4)) == free
    busy = "others use 3.2"
    assert reason_in_words(short, OthersLoad(3.25)) == f"{free} ({busy})"
    users = OthersLoad(3.25, (("ann", 2.04), ("", 1.2)))
    whose = "others use 3.2: ann 2.0, your own other processes 1.2"
    assert reason_in_words(short, users) == f"{free} ({whose})"
    memory = Short(Resource.MEMORY, 2048, 1024, 4096)
    assert "others" not in reason_in_words(memory, users)


def test_what_is_kept_free_for_others() -> None:
    others = OthersLoad(0.9, kept_cores=1, kept_mem_mib=2048)
    cores = reason_in_words(Short(Resource.CORES, 2, 1, 4), others)
    assert cores == "2 cores needed, 1 of 4 free (others use 0.9; 1 kept free for others)"
    memory = reason_in_words(Short(Resource.MEMORY, 2048, 1024, 4096), others)
    assert memory == "2G of memory needed, 1G of 4G free (2G kept free for others)"


def test_a_judgement_as_json() -> None:
    assert as_json(Judgement("gpu07", Fits.NOW)) == {"machine": "gpu07", "fits": "now", "why": []}
    silent = Judgement("gpu07", Fits.LATER, (Silent(125), Reserved("5")))
    assert as_json(silent)["why"] == [
        "not heard of for 2m5s",
        "kept free for job 5, which has waited long",
    ]


@pytest.mark.parametrize(
    ("conclusion", "part"),
    [
        (NoMachine(), "mlq worker start"),
        (NeverFits(), "No known machine could ever run it"),
        (WaitsForRoom(), "when what is short becomes free"),
        (MayStart(("a", "b", "c", "d"), 0), "It fits a and b and c and should start"),
        (MayStart(("gpu07",), 3), "gpu07, but 3 jobs may go first"),
        (KeptFree("gpu07"), "gpu07 is kept free for it"),
        (BeingRestored(), "being restored"),
    ],
)
def test_a_conclusion_is_said(conclusion: Conclusion, part: str) -> None:
    assert part in conclusion_in_words(conclusion)


def test_what_anothers_mlq_was_promised() -> None:
    others = OthersLoad(promised=(Promised("kt42", vram_mib=7168), Promised("ab\x0712", cores=2)))
    short = Short(Resource.GPU_MEMORY, 8192, 3072, 11264)
    free = "8G of GPU memory needed, 3G of 11G free"
    assert reason_in_words(short, others) == f"{free} (kt42's mlq promised 7G)"
    cores = Short(Resource.CORES, 8, 2, 8)
    said = "(ab12's mlq promised 2)"
    assert reason_in_words(cores, others) == f"8 cores needed, 2 of 8 free {said}"
    assert reason_in_words(Short(Resource.MEMORY, 9000, 5, 64000), others).endswith(" free")
