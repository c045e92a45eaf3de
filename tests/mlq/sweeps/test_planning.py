"""From what a user asks for to the members of a plan, and their keys."""

import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.errors import InvalidInputError
from mlq.sweeps import rows
from mlq.sweeps.files import Files
from mlq.sweeps.naming import name_of
from mlq.sweeps.plan import SweepPlan
from mlq.sweeps.planning import Wanted, plan
from mlq.sweeps.rows import Table
from mlq.sweeps.table import as_csv

FILES = Files("/", lambda _: b"")


def planned(command: str, *params: str, **options: Any) -> SweepPlan:
    pairs = tuple((one.partition("=")[0], one.partition("=")[2]) for one in params)
    words = tuple(command.split())
    return plan(Wanted(words, options.pop("folder", "/x"), params=pairs, **options), FILES)


def commands(made: SweepPlan) -> list[str]:
    return [" ".join(member.argv) for member in made.members]


def keys(made: SweepPlan) -> list[str]:
    return [member.key for member in made.members]


def test_all_combinations_the_last_varying_fastest() -> None:
    made = planned("python train.py --lr {lr} --seed {seed}", "lr=1e-3,1e-4", seeds=2)
    assert commands(made) == [
        f"python train.py --lr {lr} --seed {seed}" for lr in ("1e-3", "1e-4") for seed in (0, 1)
    ]
    assert (made.name, made.varying) == ("train", ("lr", "seed"))
    assert made.members[1].params == {"lr": "1e-3", "seed": "1"}


def test_the_three_ways_to_write_a_sweep_agree() -> None:
    by_hydra = planned("python train.py -m lr=1,2 seed=range(3)", in_command=True)
    by_name = planned("python train.py lr={lr} seed={seed}", "seed=0..2", "lr=1,2")
    assert set(commands(by_hydra)) == set(commands(by_name))
    assert set(keys(by_hydra)) == set(keys(by_name))
    larger = planned("python train.py -m lr=1,2,3 seed=range(4)", in_command=True)
    assert set(keys(by_hydra)) < set(keys(larger))


def test_zipped_parameters_walk_together() -> None:
    made = planned("x {args}", "lr=1,2", "a=p,q", "wd=3,4", zips=[["lr", "wd"]])
    assert commands(made) == [
        "x --lr=1 --wd=3 --a=p",
        "x --lr=1 --wd=3 --a=q",
        "x --lr=2 --wd=4 --a=p",
        "x --lr=2 --wd=4 --a=q",
    ]
    with_seeds = planned("x {args}", "lr=1,2", seeds=2, zips=[["lr", "seed"]])
    assert len(with_seeds.members) == 2


def test_rows_are_one_dimension() -> None:
    table = rows.parse("t", "lr,wd\n1,2\n3,4\n")
    made = planned("x {args}", table=table, seeds=3)
    assert len(made.members) == 6
    assert commands(made)[0] == "x --lr=1 --wd=2 --seed=0"


def test_commands_are_a_dimension_too() -> None:
    table = Table(("command",), (("a | b",), ("c {seed}",)))
    alone = plan(Wanted((), "/x", table=table), FILES)
    assert [member.argv[2] for member in alone.members] == ["a | b", "c {seed}"]
    again = plan(Wanted((), "/x", table=rows.parse("t", as_csv(alone))), FILES)
    assert keys(again) == keys(alone)


def test_equal_members_merge_and_repeat_tells_them_apart() -> None:
    assert len(planned("x {lr}", "lr=1e-3,0.001,1e-3").members) == 1
    made = planned("x {lr}", "lr=1,1.0", repeat=3)
    assert [member.params["repeat"] for member in made.members] == ["0", "1", "2"]
    assert made.varying == ("repeat",)
    assert commands(planned("x {args}", "lr=1", repeat=2)) == ["x --lr=1"] * 2


def test_an_array_is_a_parameter_that_need_not_be_used() -> None:
    made = planned("x", array="0-4:2%1")
    assert [member.params["array"] for member in made.members] == ["0", "2", "4"]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"params": ["lr=1", "lr=2"]}, ["lr is given twice", "lr=1,2"]),
        ({"params": ["seed=1"], "seeds": 2}, ["seed is given twice"]),
        ({"params": ["m.lr=1", "m_lr=2"]}, ["m.lr and m_lr", "MLQ_PARAM_M_LR"]),
        ({"params": ["LR=1", "lr=2"]}, ["LR and lr", "MLQ_PARAM_LR"]),
        ({"params": ["args=1"]}, ["'args'", "mean all parameters"]),
        ({"params": ["a b=1"]}, ["'a b' cannot be the name"]),
        ({"params": ["=1"]}, ["'' cannot be the name"]),
        ({"params": ["lr="]}, ["lr has no values"]),
        ({"params": ["lr=1\0,2"]}, ["NUL"]),
        ({"params": ["lr=uniform(0,1)"]}, ["drawn from uniform", "--sample 20"]),
        ({"params": ["lr=1,2", "w=1,2,3"], "zips": [["lr", "w"]]}, ["lr has 2, w has 3"]),
        ({"params": ["lr=1,2"], "zips": [["lr", "l"]]}, ["names l", "did you mean lr?"]),
        ({"params": ["lr=1,2"], "zips": [["lr"]]}, ["takes several parameters"]),
        ({"params": ["lr=1,2"], "seeds": 0}, ["--seeds 0"]),
        ({"params": ["lr=1,2"], "repeat": -1}, ["--repeat -1"]),
        ({"params": ["lr=1,2"], "sample": 0}, ["--sample 0"]),
        ({"seeds": 10_001}, ["10,001 members", "--yes"]),
        ({"seeds": 1001, "params": ["lr=range(1000)"], "yes": True}, ["at most 250,000"]),
        ({"params": ["lr=0..9"], "array": "3-1"}, ["--array 3-1"]),
    ],
)
def test_what_makes_no_sweep_is_refused(options: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        planned("x {args}", *options.pop("params", ()), **options)
    assert all(part in str(refused.value) for part in parts), str(refused.value)


def test_no_command_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no command to run"):
        plan(Wanted((), "/x", seeds=3), FILES)


# --- samples -----------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 3), st.booleans())
def test_a_larger_sample_begins_with_the_smaller(
    one: int, other: int, seed: int, drawn: bool
) -> None:
    fewer, more = sorted((one, other))
    params = ["lr=1..5", "wd=1..7", *["u=loguniform(1e-5,1)"] * drawn]
    small, large = (
        planned("x {args}", *params, sample=count, sample_seed=seed) for count in (fewer, more)
    )
    assert keys(large)[: len(small.members)] == keys(small)
    size = more if drawn else min(more, 35)
    assert len(set(keys(large))) == len(large.members) == size


def test_a_sample_does_not_hang_on_the_order_of_the_parameters() -> None:
    params = ["lr=1..5", "wd=1..7", "u=uniform(0,1)", "n=randint(1,9)"]
    made = planned("x {args}", *params, sample=9)
    assert keys(planned("x {args}", *reversed(params), sample=9)) == keys(made)
    assert keys(planned("x {args}", *params, sample=9, sample_seed=1)) != keys(made)


def test_what_is_drawn_lies_between_the_ends_and_is_short() -> None:
    made = planned(
        "x {args}", "u=uniform(-1,1)", "l=loguniform(1e-5,1e-1)", "n=randint(3,5)", sample=300
    )
    for member in made.members:
        assert -1 <= float(member.params["u"]) <= 1
        assert 1e-5 <= float(member.params["l"]) <= 1e-1
        assert all(len(value) <= 12 for value in member.params.values())
    assert {member.params["n"] for member in made.members} == {"3", "4", "5"}
    middle = sum(float(member.params["l"]) < 1e-3 for member in made.members)
    assert 100 < middle < 200  # by the logarithm, half of them


def test_no_more_is_drawn_than_there_is() -> None:
    made = planned("x {args}", "n=randint(1,3)", "lr=1,2", sample=50)
    assert len(made.members) == 6


def test_the_same_is_drawn_as_ever() -> None:
    made = planned("x {u} {lr}", "u=uniform(0,1)", "lr=1..9", sample=3)
    assert commands(made) == ["x 0.883287 1", "x 0.20322 7", "x 0.558582 5"]


def test_each_of_a_sample_is_repeated() -> None:
    made = planned("x {args}", "u=uniform(0,1)", "lr=1..9", sample=3, repeat=2)
    pairs = [(member.params["u"], member.params["repeat"]) for member in made.members]
    assert len(pairs) == 6
    assert [repeat for _, repeat in pairs] == ["0", "1"] * 3


# --- keys --------------------------------------------------------------------------------------


def test_a_member_is_known_by_what_it_runs_on_and_nothing_else() -> None:
    base = keys(planned("x {lr} {wd}", "lr=1e-3", "wd=2"))
    assert keys(planned("x {lr} {wd}", "wd=2.0", "lr=0.001")) == base
    assert keys(planned("x {lr} {wd}", "lr=1e-3", "wd=2", name="other")) == base
    others = [
        planned("x {lr} {wd}", "lr=1e-3", "wd=3"),
        planned("y {lr} {wd}", "lr=1e-3", "wd=2"),
        planned("x {lr} {wd}", "lr=1e-3", "wd=2", folder="/y"),
        planned("x {lr} {wd}", "lr=1e-3", "wd=2", env={"A": "1"}),
        planned("x {lr} {wd}", "lr=1e-3", "wd=2", repeat=1),
        planned("x {lr} {wd}", "lr=2", "wd=1e-3"),
    ]
    assert len({*base, *(keys(one)[0] for one in others)}) == 7


def test_keys_are_what_they_were() -> None:
    # Were they others, a new mlq would run again whatever an older one had done.
    made = planned("python train.py {args}", "é=a b", "lr=0.001", folder="/vol/p", env={"A": "1"})
    assert keys(made) == ["dc1aaf097085e2b0fe36385e79706ebc"]


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6, unique=True))
def test_the_table_makes_the_same_members_again(values: list[tuple[str, str]]) -> None:
    made = plan(Wanted(("x", "{args}"), "/x", table=Table(("a", "b"), tuple(values))), FILES)
    again = rows.parse("t", as_csv(made))
    assert plan(Wanted(("x", "{args}"), "/x", table=again), FILES) == made


# --- names, and speed --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python train.py --lr {lr}", "train"),
        ("./run_all.sh", "run_all"),
        ("python -m lab.train {args}", "train"),
        ("python3.11 -u -m lab.train", "train"),
        ("uv run --with x scripts/eval.py", "eval"),
        ("torchrun --nproc 2 train.py", "train"),
        ("echo {lr}", "echo"),
        ("/usr/bin/env python conf=a.py train.py", "train"),
        ("python {script}", "python"),
        ("{program}", "sweep"),
    ],
)
def test_a_sweep_is_called_after_its_script(command: str, name: str) -> None:
    assert name_of(command.split()) == name
    assert name_of(["/bin/sh", "-c", command]) == name


def test_fifty_thousand_members_are_planned_in_a_moment() -> None:
    began_s = time.process_time()
    made = planned(
        "python train.py --lr {lr} --seed {seed} {args}",
        "lr=range(50)",
        "wd=range(10)",
        seeds=100,
        yes=True,
    )
    took_s = time.process_time() - began_s
    assert len(made.members) == 50_000
    assert all(one.key != other.key for one, other in pairwise(made.members))
    assert took_s < 2
