"""`mlq top` as a command: into a pipe, as JSON, and on a real terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox import MLQ, Sandbox
from typed_shell import typed_shell

from mlq.jobs.lifecycle import Event


def lab(installation: Sandbox) -> None:
    installation.know("gpu07", cores_total=8, cores_free=3, mem_total_mib=4096)
    installation.submit(name="resnet")
    installation.claim("1", "gpu07")
    installation.submit(name="evil\x1b[2J", cores=2)
    installation.submit(name="typo", cores=3)
    installation.claim("3")
    installation.move("3", Event.FAIL, mlq_reason="exit 2")


def test_into_a_pipe_it_prints_one_frame(installation: Sandbox) -> None:
    lab(installation)
    text = installation.ok("top")
    assert text.startswith("mlq  1 running  1 queued  1 failed  1 machine  ")
    for word in ("resnet", "evil", "exit 2", "gpu07"):
        assert word in text
    assert "\x1b" not in text
    assert "\x1b[36m" in installation.on_terminal("top", "--once").out
    narrow = installation.ok("top", environ={"COLUMNS": "60"})
    assert max(map(len, narrow.splitlines())) <= 60


def test_json_is_one_object_that_agrees_with_the_other_commands(installation: Sandbox) -> None:
    lab(installation)
    found = json.loads(installation.ok("top", "--json"))
    listed = json.loads(installation.ok("ls", "--json"))
    assert found["jobs"] == listed
    (machine,) = json.loads(installation.ok("machines", "--json"))
    (told,) = found["machines"]
    assert {**told, "heard_s_ago": 0} == {**machine, "heard_s_ago": 0}
    assert found["counts"]["failed"] == 1
    assert found["sweeps"] == []


def test_nothing_at_all_is_no_trouble(installation: Sandbox) -> None:
    installation.start_server()
    assert "no jobs in the last 24 hours" in installation.ok("top")


def test_without_a_queue_it_says_so_as_any_command(installation: Sandbox) -> None:
    done = installation.run("top")
    assert (done.code, done.out) == (1, "")
    assert "mlq server start" in done.err


def test_without_textual_it_says_how_to_get_it(installation: Sandbox, tmp_path: Path) -> None:
    installation.start_server()
    code = (
        "import sys; sys.modules['textual'] = None; from mlq_cli.top.live import show; show(None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "pip install 'mlq-lab[top]'" in done.stderr


@pytest.mark.slow
def test_on_a_terminal_it_comes_and_leaves_everything_as_it_was(installation: Sandbox) -> None:
    lab(installation)
    installation.environ |= {"PS1": "$ ", "LINES": "24", "COLUMNS": "80"}
    shell = ["bash", "--norc", "--noprofile", "-i"]
    with typed_shell(shell, installation.environ, installation.folder) as typed:
        typed.type(f"stty rows 24 cols 80; {MLQ} top\n")
        typed.until_shown("\x1b\\[\\?1049h")
        typed.until_shown("gpu07")
        typed.type("\x1a")  # Ctrl-Z
        typed.until_shown("Stopped")
        typed.type("fg\n")
        typed.until_shown("gpu07")
        typed.type("\x03")  # Ctrl-C
        typed.until_shown("\x1b\\[\\?1049l")
        typed.until_shown(r"\?2004h\$ ")  # what was typed before would be thrown away
        typed.type("echo left $?\n")
        typed.until_shown("left 0")


@pytest.mark.slow
def test_without_colours_and_with_sigterm(installation: Sandbox) -> None:
    lab(installation)
    installation.environ |= {"PS1": "$ ", "NO_COLOR": "1"}
    shell = ["bash", "--norc", "--noprofile", "-i"]
    with typed_shell(shell, installation.environ, installation.folder) as typed:
        typed.type(f"stty rows 40 cols 140; {MLQ} top\n")
        shown = typed.until_shown("gpu07") + typed.until_shown("1 machine")
        codes = set(";".join(re.findall("\x1b\\[([0-9;]*)m", shown)).split(";"))
        assert codes <= {"", "0", "1", "2", "39", "49"}  # bold, dim, the terminal's own colours
        typed.type("\x1a")
        typed.until_shown("Stopped")
        typed.type("kill -TERM %1; fg; echo left $?\n")
        typed.until_shown("left 143")
