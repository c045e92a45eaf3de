"""Completion: the shells' own code, and what it is offered."""

import os
import shutil
import subprocess

import pytest
from sandbox import MLQ, Sandbox

from mlq_cli.main import command_names


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_accepts_its_code(installation: Sandbox, shell: str) -> None:
    code = installation.ok("completion", shell)
    assert "mlq" in code
    if shutil.which(shell):
        checked = subprocess.run(
            [shell, "-n"], input=code, text=True, capture_output=True, check=False
        )
        assert (checked.returncode, checked.stderr) == (0, "")


def completed(installation: Sandbox, line: str) -> list[str]:
    """Return what bash would be offered at the end of this line."""
    ours, theirs = os.pipe()
    # argcomplete answers on descriptor 8 and complains on 9, as its shell code arranges.
    done = subprocess.run(
        ["/bin/bash", "-c", f'exec 8>&{theirs} 9>/dev/null; exec "$0"', MLQ],
        env={
            **installation.environ,
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_SHELL": "bash",
            "_ARGCOMPLETE_IFS": "\n",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "COMP_TYPE": "",
        },
        pass_fds=[theirs],
        capture_output=True,
        timeout=30,
        check=False,
    )
    os.close(theirs)
    with os.fdopen(ours, "rb") as answer:
        words = answer.read().decode().split("\n")
    assert done.stderr == b""
    return [word.strip() for word in words if word]


def test_commands_and_options(installation: Sandbox) -> None:
    assert set(completed(installation, "mlq ")) >= set(command_names())
    assert completed(installation, "mlq ca") == ["cancel"]
    assert set(completed(installation, "mlq worker ")) >= {"start", "stop", "status", "install"}
    assert completed(installation, "mlq worker stop --dr") == ["--drain"]
    assert "failed" in completed(installation, "mlq ls --state ")


def test_ids_and_names(installation: Sandbox) -> None:
    installation.submit(name="baseline")
    installation.submit(name="bigger")
    installation.submit(name="\x1b[31m")
    assert completed(installation, "mlq cancel b") == ["baseline", "bigger"]
    assert set(completed(installation, "mlq show ")) >= {"1", "2", "3", "baseline", "bigger"}
    assert completed(installation, "mlq enqueue --after 1,big") == ["1,bigger"]


def test_an_id_that_is_none_is_not_offered(installation: Sandbox) -> None:
    client = installation.queue().store.client
    for job_id in ("9\x1b[31m", "8\nrm", "7; rm", "fine"):
        client.call("HSET", f"rq:job:{job_id}", "status", "queued")
        client.call("ZADD", "mlq:unended", 1, job_id)
    offered = completed(installation, "mlq show ")
    assert [word for word in offered if not word.startswith("-")] == ["fine"]


def test_without_a_server_nothing_is_offered_and_nothing_said(installation: Sandbox) -> None:
    assert completed(installation, "mlq cancel b") == []
