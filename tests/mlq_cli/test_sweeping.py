"""A sweep as it is typed: what cannot be used is refused before the queue hears of it."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlq.errors import InvalidInputError
from mlq.sweeps import rows
from mlq_cli.commands import enqueue
from mlq_cli.invocation.parser import new_parser


def run(*words: str) -> int:
    parser = new_parser("mlq enqueue", "", "")
    enqueue.configure(parser)
    return enqueue.run(parser.parse_args(list(words)))


@pytest.fixture(autouse=True)
def _no_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_RUNTIME_DIR", "MLQ_ROOT"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("PWD", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("lr,wd\n1,2\n3\n")
    (tmp_path / "good.csv").write_text("lr,wd\n1e-3,2\n0.3,4\n")
    (tmp_path / "empty.txt").write_text("\n# nothing\n")
    (tmp_path / "jobs.txt").write_text("python a.py | tee x\n\npython b.py\n")


TRAIN = ["--", "python", "train.py", "{args}"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--param", "lr", *TRAIN], ["--param lr names no values", "--param lr=1e-3,1e-4"]),
        (["--param", "lr=", *TRAIN], ["lr has no values"]),
        (["--param", "lr=0..", *TRAIN], ["has no end"]),
        (["--param", "lr=1", "--param", "lr=2", *TRAIN], ["lr is given twice"]),
        (["--param", "lr=1", "x", "{rl}"], ["{rl}", "did you mean {lr}?"]),
        (["--param", "lr=1", "x"], ["never uses the parameter lr", "--unused-ok"]),
        (["--param", "lr=uniform(0,1)", *TRAIN], ["--sample 20"]),
        (["--seeds", "x", *TRAIN], ["--seeds x", "whole number"]),
        (["--seeds", "20000", *TRAIN], ["20,000 members", "--yes"]),
        (["--seeds", "3"], ["no command to run"]),
        (["--zip", "a,b", "x"], ["--zip is for sweeps", "--param"]),
        (["--again", "all", "x"], ["--again is for sweeps"]),
        (["--dry-run", "x"], ["--dry-run is for sweeps"]),
        (["--max-running", "0", "x"], ["--max-running is for sweeps"]),
        (["--again", "some", "--seeds", "2", "x"], ["--again"]),
        (["--csv", "--seeds", "2", *TRAIN], ["--csv needs --dry-run"]),
        (["--from", "gone.csv", *TRAIN], ["gone.csv cannot be read", "No such file"]),
        (["--from", ".", *TRAIN], [". cannot be read", "directory"]),
        (["--from", "bad.csv", *TRAIN], ["line 3 of bad.csv has 1 value"]),
        (["--commands", "empty.txt"], ["empty.txt has no commands"]),
        (["--commands", "jobs.txt", "x"], ["--commands and COMMAND"]),
        (["--commands", "jobs.txt", "--shell", "x"], ["--commands and --shell"]),
        (["--commands", "jobs.txt", "--from", "good.csv"], ["--commands and --from"]),
        (["--sweep", "--shell", "x lr=1,2"], ["--sweep reads a COMMAND"]),
        (["--sweep", "x", "lr=1"], ["finds nothing to vary"]),
        (["--array", "0-9%4", "--max-running", "3", "x"], ["--max-running 3", "%4"]),
        (["--array", "9-0", "x"], ["--array 9-0"]),
        (["--seeds", "2", "--shell", "x", "y"], ["--shell and COMMAND"]),
    ],
)
def test_what_cannot_be_used_is_one_clear_message(words: list[str], parts: list[str]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        run(*words)
    assert refused.value.exit_code == 2
    assert all(part in str(refused.value) for part in parts), str(refused.value)


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run("--dry-run", *words) == 0
    return capsys.readouterr().out


def test_a_dry_run_shows_the_first_three_and_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--dry-run", "-n", "lr", "--param", "lr=1,2", "--seeds", "5", *TRAIN) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "sweep lr: 10 members",
        "  python train.py --lr=1 --seed=0",
        "  python train.py --lr=1 --seed=1",
        "  python train.py --lr=1 --seed=2",
        "  ... 6 more",
        "  python train.py --lr=2 --seed=4",
    ]
    assert "is not known" in said.err  # there is no queue
    few = shown(capsys, "--param", "a=1..4", "x", "{a}").splitlines()
    assert few == ["sweep x: 4 members", "  x 1", "  x 2", "  x 3", "  x 4"]
    assert shown(capsys, "--repeat", "1", "x").splitlines() == ["sweep x: 1 member", "  x"]


def test_the_table_of_a_dry_run_is_taken_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--csv", "--param", "lr=1e-3,[1\\,2],'a b'", "--seeds", "2", "--repeat", "2"]
    table = shown(capsys, *options, *TRAIN)
    assert table.startswith("lr,seed,repeat\n1e-3,0,0\n1e-3,0,1\n1e-3,1,0\n")
    assert len(rows.parse("-", table).rows) == 12
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(table.encode())))
    assert shown(capsys, "--csv", "--from", "-", *TRAIN) == table


def test_a_dry_run_as_json_has_every_member(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(shown(capsys, "--json", "--from", "good.csv", "--shell", "x {args}"))
    assert found == [
        {"params": {"lr": "1e-3", "wd": "2"}, "command": "x --lr=1e-3 --wd=2"},
        {"params": {"lr": "0.3", "wd": "4"}, "command": "x --lr=0.3 --wd=4"},
    ]


def test_commands_are_called_after_their_file(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, "--commands", "jobs.txt")
    assert out.splitlines() == ["sweep jobs: 2 members", "  python a.py | tee x", "  python b.py"]


def test_files_of_values_lie_in_the_jobs_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yaml").touch()
    out = shown(capsys, "--cwd", "sub", "--param", "c=glob(*.yaml)", "x", "{c}")
    assert out.splitlines()[1:] == ["  x a.yaml"]
