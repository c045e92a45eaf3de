"""What `auto` becomes when a job is enqueued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mlq.errors import InvalidInputError
from mlq.jobs.needs import command_word
from mlq.jobs.past import GROW_AS_NEEDED, Run, params_of
from mlq.jobs.spec import JobSpec
from mlq.submit.automatic import Chooser, applied, texts
from mlq.submit.batch import Checked, check_all
from mlq.submit.submission import Submission

MODEL = "NVIDIA A100"
AT = "2026-11-23T22:15:01.123456Z"
CARD = {"uuid": "GPU-1", "name": MODEL, "free_mib": 1, "total_mib": 40000}
LAB = {"lab01": (1.0, {"machine": "lab01", "mem_total_mib": 64000, "gpus": [CARD]})}


MIXED = "from finished runs of this command; for 1 of 2 jobs from runs with the same parameters"


def asked(*argv: str, **options: Any) -> Submission:
    options = {"mem": "auto", "vram": "auto", "gpus": 1, **options}
    return Submission(argv=argv, cwd="/p", python_env="", **options)


def checked(*submissions: Submission) -> list[Checked]:
    return check_all(submissions, AT, 2048, typed=True)


def chosen(
    *submissions: Submission, runs: Sequence[Run] = (), lab: Any = LAB
) -> tuple[list[JobSpec], list[str]]:
    made = checked(*submissions)
    word = command_word(replace(made[0][1], argv=made[0][0].argv))
    chooser = Chooser(
        lambda words: {one: [run.as_text() for run in runs] for one in words if one == word}, lab
    )
    choices = [chooser.choose(one, like, one.argv, {}) for one, like in made]
    specs = [like for _, like in applied(made, choices)]
    return specs, texts([one for one, _ in made], choices)


def params(submission: Submission) -> str:
    ((_, like),) = checked(submission)
    return params_of(like, submission.argv, {})


def test_without_a_run_it_is_a_whole_gpu_that_is_not_taken_at_once() -> None:
    (spec,), said = chosen(asked("python", "t.py"))
    assert (spec.request.mem_mib, spec.request.vram_mib, spec.oom_retries) == (2048, 0, 2)
    assert spec.captured_env.items() >= GROW_AS_NEEDED.items()
    assert said == [
        "memory: the default, for no run of this command has finished",
        "GPU memory: a whole GPU, for no run of this command has finished on such a GPU",
    ]


def test_what_the_user_says_of_the_variables_stands() -> None:
    name = "XLA_PYTHON_CLIENT_PREALLOCATE"
    (spec,), _ = chosen(asked("python", "t.py", env={name: "true"}))
    assert name not in spec.captured_env
    assert spec.env[name] == "true"


def test_runs_of_the_command_decide() -> None:
    one, other = asked("python", "t.py", "--lr", "1"), asked("python", "t.py", "--lr", "2")
    runs = [Run(params(one), 1000, 5000, MODEL)] * 2 + [Run("x", 3000, 9000, MODEL)]
    (first, second), said = chosen(one, other, runs=runs)
    assert (first.request.mem_mib, first.request.vram_mib) == (1152, 5760)
    assert (second.request.mem_mib, second.request.vram_mib) == (3456, 10368)
    assert "XLA_PYTHON_CLIENT_PREALLOCATE" not in first.captured_env
    assert said == [
        f"memory: 1.1G to 3.4G, {MIXED}",
        f"GPU memory: 5.6G to 10.1G, {MIXED}",
    ]
    assert chosen(one, runs=runs)[1] == [
        "memory: 1.1G, from 2 finished runs with the same parameters",
        "GPU memory: 5.6G, from 2 finished runs with the same parameters",
    ]


def test_no_job_asks_for_more_than_there_is() -> None:
    runs = [Run("x", 63000, 35000, MODEL)]
    (spec,), said = chosen(asked("python", "t.py"), runs=runs)
    assert (spec.request.mem_mib, spec.request.vram_mib) == (64000, 0)
    assert said[1] == "GPU memory: a whole GPU, from 1 finished run of this command"


def test_runs_on_other_models_do_not_count() -> None:
    (spec,), _ = chosen(asked("python", "t.py"), runs=[Run("x", 100, 5000, "NVIDIA H100")])
    assert (spec.request.mem_mib, spec.request.vram_mib) == (2048, 0)
    (spec,), _ = chosen(asked("python", "t.py"), runs=[Run("x", 100, 5000, "NVIDIA H100")], lab={})
    assert spec.request.vram_mib == 5760


def test_jobs_that_are_alike_share_one_description() -> None:
    made = checked(*(asked("python", "t.py", str(number)) for number in range(3)))
    chooser = Chooser(lambda _: {}, LAB)
    choices = [chooser.choose(one, like, one.argv, {}) for one, like in made]
    assert len({id(like) for _, like in applied(made, choices)}) == 1


def test_auto_of_a_gpu_needs_a_gpu() -> None:
    with pytest.raises(InvalidInputError, match="--vram needs --gpus"):
        checked(asked("python", "t.py", gpus=0))
