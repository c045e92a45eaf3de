"""A sweep that stands in the command itself."""

import pytest

from mlq.errors import InvalidInputError
from mlq.sweeps.in_command import extract


@pytest.mark.parametrize(
    ("typed", "command", "params"),
    [
        (
            "python train.py -m lr=1e-3,1e-4 seed=range(5)",
            "python train.py lr={lr} seed={seed}",
            "lr seed",
        ),
        ("python t.py --multirun +m.lr=1,2 x=1", "python t.py +m.lr={m.lr} x=1", "m.lr"),
        ("python t.py --lr=1,2 --wd 1,2", "python t.py --lr={lr} --wd 1,2", "lr"),
        ("python -m lab.train lr=1,2", "python -m lab.train lr={lr}", "lr"),
        ("python -m lab.train -m lr=1,2", "python -m lab.train lr={lr}", "lr"),
        ("python t.py lr=1,2 -m", "python t.py lr={lr}", "lr"),
        ("python t.py -m --config-name=x ++a=0..2", "python t.py --config-name=x ++a={a}", "a"),
        ("python t.py -m ~x lr=1,2", "python t.py ~x lr={lr}", "lr"),
        ("t -m --lr=1,2", "t -m --lr={lr}", "lr"),
        ("t db@b=x,y model/size=1,2", "t db@b={db@b} model/size={model/size}", "db@b model/size"),
        ("env GPUS=0,1 python t.py lr=1,2", "env GPUS=0,1 python t.py lr={lr}", "lr"),
        ("t lr=1,2 x=[1,2] o={a:1,b:2}", "t lr={lr} x=[1,2] o={{a:1,b:2}}", "lr"),
    ],
)
def test_what_varies_is_found_and_the_rest_kept(typed: str, command: str, params: str) -> None:
    found = extract(typed.split(" "), braces=False)
    assert " ".join(found.command) == command
    assert [name for name, _ in found.params] == params.split()


def test_with_other_parameters_braces_mean_them() -> None:
    found = extract(["t", "lr=1,2", "out/{seed}"], braces=True)
    assert found.command == ("t", "lr={lr}", "out/{seed}")


def test_nothing_to_vary_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="finds nothing to vary"):
        extract(["python", "t.py", "lr=1", "--x", "1,2"], braces=False)
