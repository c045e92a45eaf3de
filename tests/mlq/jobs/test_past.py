"""What finished runs of a command tell about the memory of the next one."""

from __future__ import annotations

import pytest

from mlq.jobs.needs import command_word, parameters_of
from mlq.jobs.past import Estimate, Run, estimate, params_of, parse_runs
from mlq.jobs.request import Request
from mlq.jobs.spec import FunctionCall, JobSpec

A100, TI = "NVIDIA A100", "NVIDIA GeForce RTX 2080 Ti"


def spec(*argv: str, gpus: int = 0) -> JobSpec:
    return JobSpec(id="1", argv=argv, cwd="/p", request=Request(1, 1, gpus), submitted_at="")


def digest(text: str, gpus: int = 0, **params: str) -> str:
    argv = tuple(text.split())
    return params_of(spec(*argv, gpus=gpus), argv, params)


SAME = digest("python train.py --lr 0.1 --batch-size 8 --seed 3")


@pytest.mark.parametrize(
    "text",
    [
        "python train.py --lr=0.1 --batch-size 8 --seed 4",
        "python train.py --batch_size=8 lr=0.1",
        "python train.py --seed=7 --lr 0.1 --batch-size=8",
        "python train.py trainer.seed=7 lr=0.1 batch_size=8",
    ],
)
def test_the_seed_the_order_and_the_spelling_do_not_count(text: str) -> None:
    assert digest(text) == SAME


@pytest.mark.parametrize(
    "text",
    [
        "python train.py --lr 0.2 --batch-size 8",
        "python train.py --lr 0.1",
        "python train.py --lr 0.1 --batch-size 8 --amp",
        "python train.py --lr 0.1 --batch-size 8 data",
    ],
)
def test_anything_else_does(text: str) -> None:
    assert digest(text) != SAME


def test_a_member_has_the_parameters_of_the_command_that_it_runs() -> None:
    plain = digest("python train.py --lr 0.1 --batch 8")
    assert digest("python train.py --lr=0.1 --seed=3 --batch 8", lr="0.1", seed="3") == plain
    by_place = digest("python train.py 0.1 3 --batch 8", lr="0.1", seed="3")
    assert by_place == digest("python train.py 0.1 4 --batch 8", lr="0.1", seed="4")
    assert by_place == plain
    assert digest("python train.py --batch 8", lr="0.2") != plain
    assert digest("python train.py --lr 0.1 --batch 8", gpus=2) != plain


def test_negative_numbers_are_values() -> None:
    assert digest("python t.py --shift -1 --seed 2") == digest("python t.py --shift=-1")


def test_functions_have_their_arguments() -> None:
    def called(**kwargs: int) -> str:
        call = FunctionCall(name="m.train", args=(1,), kwargs=kwargs)
        made = JobSpec(id="1", function=call, cwd="/p", request=Request(), submitted_at="")
        return params_of(made, (), {})

    assert called(lr=1, seed=2) == called(seed=3, lr=1)
    assert called(lr=1) != called(lr=2)


@pytest.mark.parametrize(
    ("argv", "rest"),
    [
        (("python", "train.py", "--lr", "1"), ("--lr", "1")),
        (("torchrun", "--nproc", "2", "train.py", "x"), ("x",)),
        (("python", "-m", "pkg.train", "x"), ("x",)),
        (("/bin/sh", "-c", "python train.py --lr 1 | tee log"), ("--lr", "1", "|", "tee", "log")),
        (("/bin/sh", "-c", "make all"), ()),
        (("./train", "--lr", "1"), ("--lr", "1")),
        (("make", "all"), ()),
    ],
)
def test_parameters_are_what_follows_the_script(
    argv: tuple[str, ...], rest: tuple[str, ...]
) -> None:
    assert parameters_of(argv) == rest


def test_a_command_is_known_by_its_script_folder_and_environment() -> None:
    assert command_word(spec("python", "a.py", "1")) == command_word(spec("python", "a.py", "2"))
    assert command_word(spec("python", "a.py")) != command_word(spec("python", "b.py"))


def runs(*peaks: int, params: str = "p", model: str = "") -> list[Run]:
    return [Run(params, peak, 2 * peak, model) for peak in peaks]


def test_few_runs_give_the_largest_and_many_the_95th_percentile() -> None:
    assert estimate([], "p", None, of_gpu=False) is None
    assert estimate(runs(1000, 900), "p", None, of_gpu=False) == Estimate(1152, 2, same=True)
    many = runs(*range(1000, 1099), 9000)
    assert estimate(many, "p", None, of_gpu=False) == Estimate(1280, 100, same=True)


def test_runs_with_the_same_parameters_come_first() -> None:
    known = [*runs(1000, params="q"), *runs(100)]
    assert estimate(known, "p", None, of_gpu=False) == Estimate(128, 1, same=True)
    assert estimate(known, "r", None, of_gpu=False) == Estimate(1152, 2, same=False)


def test_of_a_gpu_only_runs_on_such_models_count_and_the_largest_of_them() -> None:
    known = [*runs(1000, model=A100), *runs(500, model=TI), *runs(4000)]
    assert estimate(known, "p", {A100, TI}, of_gpu=True) == Estimate(2304, 2, same=True)
    assert estimate(known, "p", {TI}, of_gpu=True) == Estimate(1152, 1, same=True)
    assert estimate(known, "p", {"NVIDIA H100"}, of_gpu=True) is None
    assert estimate([Run("p", 100, 0, TI)], "p", {TI}, of_gpu=True) is None


def test_lines_come_back_as_they_were() -> None:
    known = [Run("p", 1, 2, TI), Run("q", 3, 0, "")]
    assert parse_runs([one.as_text() for one in known]) == known
    assert parse_runs(["", "p 1", "p x -2 m"]) == [Run("p", 0, 0, "m")]
    assert Run("p", 1, 2, " a\nb" + "c" * 200).as_text() == "p 1 2 a b" + "c" * 97
