"""Arguments that name files of the snapshot by their live path."""

import pytest

from mlq.code.rewrite import Rewriter

FILES = frozenset(("train.py", "conf/a.yaml", "exp/run.sh", "-x.py"))


def rewriter(subfolder: str = "") -> Rewriter:
    return Rewriter(("/me/p", "/vol/p/"), subfolder, FILES)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("/me/p/train.py", "train.py"),
        ("/vol/p/conf/a.yaml", "conf/a.yaml"),
        ("/me/p/conf/../train.py", "train.py"),
        ("--config=/me/p/conf/a.yaml", "--config=conf/a.yaml"),
        ("conf=/me/p/conf/a.yaml", "conf=conf/a.yaml"),
        ("/me/p/-x.py", "./-x.py"),
        ("/me/p/data/x.bin", "/me/p/data/x.bin"),
        ("/me/p", "/me/p"),
        ("/me/p/conf", "/me/p/conf"),
        ("/me/p2/train.py", "/me/p2/train.py"),
        ("train.py", "train.py"),
        ("a=b=/me/p/train.py", "a=b=/me/p/train.py"),
        ("", ""),
    ],
)
def test_an_argument(typed: str, meant: str) -> None:
    assert rewriter().argv(("python", typed)) == ("python", meant)


def test_from_the_folder_where_the_job_starts() -> None:
    argv = ("python", "/me/p/train.py", "/me/p/exp/run.sh")
    assert rewriter("exp").argv(argv) == ("python", "../train.py", "run.sh")


def test_a_program_of_the_project_is_that_of_the_copy() -> None:
    assert rewriter().argv(("/me/p/exp/run.sh", "1")) == ("exp/run.sh", "1")
    assert rewriter("exp").argv(("/me/p/exp/run.sh",)) == ("./run.sh",)
    assert rewriter().argv(("/me/p/.venv/bin/python",)) == ("/me/p/.venv/bin/python",)


def test_what_a_shell_reads_is_not_touched() -> None:
    argv = ("/bin/sh", "-c", "/me/p/train.py")
    assert rewriter().argv(argv) == argv
