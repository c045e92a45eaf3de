"""The words typed after `mlq`: what is found, what is suggested, what is refused."""

import argparse
import subprocess
import sys

import pytest
from sandbox import Sandbox

from mlq import __version__
from mlq.errors import InvalidInputError
from mlq_cli.invocation.parser import new_parser
from mlq_cli.job_options import variables
from mlq_cli.main import command_module, command_names, overview


def test_mlq_alone_shows_every_command(installation: Sandbox) -> None:
    out = installation.ok()
    assert out == f"{overview()}\n"
    assert all(f"\n  {name} " in out for name in command_names())


def test_version(installation: Sandbox) -> None:
    assert installation.ok("--version") == f"mlq {__version__}\n"


def test_the_process_ends_at_once_and_loses_nothing_that_was_printed() -> None:
    # As after an error in the middle of a list; a thread that hangs in NFS keeps nobody waiting.
    program = """
import threading
from mlq_cli import main as module
def main():
    threading.Thread(target=threading.Event().wait).start()
    print("the first half")
    return 3
module.main = main
module.script()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, b"the first half\n", b"")


@pytest.mark.parametrize("name", command_names())
def test_every_command_explains_itself_by_examples(installation: Sandbox, name: str) -> None:
    out = installation.ok(name, "--help")
    assert out.startswith(f"usage: mlq {name} ")
    assert f"examples:\n  mlq {name}" in out.replace("  MLQ_BEAT_S=2 mlq config\n", "")


_EITHER = "either ids or names are needed, or --state"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lss"], "mlq: there is no command lss\n  did you mean `mlq ls`?\n"),
        (["add", "x"], "mlq: there is no command add\n  did you mean `mlq enqueue`?\n"),
        (["ps"], "mlq: there is no command ps\n  did you mean `mlq ls`?\n"),
        (["htop"], "mlq: there is no command htop\n  did you mean `mlq top`?\n"),
        (["xyzzy"], "mlq: there is no command xyzzy\n  `mlq --help` lists the commands\n"),
        (
            ["ls", "--stat", "failed"],
            "mlq: ls: unknown option --stat\n  did you mean --state? See: mlq ls --help\n",
        ),
        (["config", "7"], "mlq: config: unknown argument 7\n  See: mlq config --help\n"),
        (["show"], f"mlq: show: which jobs: {_EITHER}\n  see: mlq show --help\n"),
    ],
)
def test_what_is_not_understood(installation: Sandbox, words: list[str], message: str) -> None:
    done = installation.run(*words)
    assert (done.code, done.out, done.err) == (2, "", message)


@pytest.mark.parametrize("words", [["server"], ["worker", "dance"], ["completion", "csh"]])
def test_a_wrong_action_is_a_usage_error(installation: Sandbox, words: list[str]) -> None:
    done = installation.run(*words)
    assert done.code == 2
    assert done.err.startswith(f"mlq: {words[0]}: ")
    assert f"see: mlq {words[0]} --help" in done.err


def parsed(*words: str) -> argparse.Namespace:
    command = command_module("enqueue")
    parser = new_parser("mlq enqueue", command.HELP, command.EXAMPLES)
    command.configure(parser)
    return parser.parse_args(list(words))


def test_options_before_the_command_are_ours_and_after_it_its_own() -> None:
    args = parsed("-c", "2", "python", "train.py", "-c", "9", "--json", "--gpus=3")
    assert (args.cores, args.gpus, args.json) == (2, 0, False)
    assert args.command == ["python", "train.py", "-c", "9", "--json", "--gpus=3"]


@pytest.mark.parametrize(
    ("words", "argv"),
    [
        (["true"], ("true",)),
        (["--", "true"], ("true",)),
        (["--", "--odd-program", "--", "x"], ("--odd-program", "--", "x")),
        (["python", "--", "x"], ("python", "--", "x")),
        (["--wait", "--", "make", "-j"], ("make", "-j")),
        (["--shell", "a | b && c"], ("/bin/sh", "-c", "a | b && c")),
        (["echo", ""], ("echo", "")),
    ],
)
def test_the_command_of_a_job(words: list[str], argv: tuple[str, ...]) -> None:
    assert command_module("enqueue").command_of(parsed(*words)) == argv


@pytest.mark.parametrize(
    "words", [[], ["--"], ["--shell", ""], ["--shell", "a", "b"], [""], ["--shell", "a", "--", "b"]]
)
def test_no_command_or_two_are_refused(words: list[str]) -> None:
    with pytest.raises(InvalidInputError):
        command_module("enqueue").command_of(parsed(*words))


def test_variables_for_a_job() -> None:
    assert variables(["A=1", "B=x=y", "C=", "HERE"], {"HERE": "now"}) == {
        "A": "1",
        "B": "x=y",
        "C": "",
        "HERE": "now",
    }
    for wrong in (["GONE"], ["=1"], [""]):
        with pytest.raises(InvalidInputError):
            variables(wrong, {})


def test_waiting_has_an_end(installation: Sandbox) -> None:
    installation.submit()
    done = installation.run("wait", "1", "--timeout", "0.2s")
    assert (done.code, done.err) == (124, "mlq: after 0.2s 1 has not ended\n")
    installation.queue().cancel(["1"])
    assert installation.run("wait", "1", "--timeout", "2h").code == 1
    wrong = installation.run("wait", "1", "--timeout", "10")
    assert (wrong.code, "write 10m for minutes, 10s for seconds" in wrong.err) == (2, True)
