"""What a person at a terminal sees: colours, tables that fit, a live line."""

import re
import threading

import pytest
from sandbox import Sandbox
from typed_shell import typed_shell
from waiting import wait_for

from mlq.jobs.lifecycle import Event, State
from mlq_cli.render.style import Style, kind_of, style_of
from mlq_cli.render.table import columns_of

pytestmark = pytest.mark.slow


def jobs_of_all_kinds(installation: Sandbox) -> None:
    long = ["python", "train.py", "--dataset", "cifar100", "--epochs", "90", "--lr"]
    options = {"cores": 4, "mem": "8G", "gpus": 1, "vram": "6G"}
    for number in range(3):
        name = f"resnet-with-a-rather-long-name-{number}"
        job_id = installation.submit(*long, f"1e-{number}", name=name, **options)
        installation.claim(job_id, "a-long-machine-name.lab")
    installation.move("1", Event.SUCCEED)
    installation.move("2", Event.FAIL, mlq_reason="killed by SIGKILL, perhaps out of memory")
    installation.submit("echo", "\x1b[2J\x1b]0;owned\x07", name="模型\x1b[31m\nfake line")
    installation.submit("true", after=("3",))


@pytest.mark.parametrize("columns", [60, 80, 140])
@pytest.mark.parametrize("words", [["ls"], ["explain", "4"], ["machines"]])
def test_tables_fit_and_keep_ids_and_states(
    installation: Sandbox, words: list[str], columns: int
) -> None:
    jobs_of_all_kinds(installation)
    installation.know(
        "a-long-machine-name.lab", cores_total=8, note="results root not writable: " * 3
    )
    shown = installation.on_terminal(*words, columns=columns)
    assert shown.code == 0
    plain = re.sub(r"\x1b\[\d+m", "", shown.out)
    assert "\x1b" not in plain
    table = re.split(r"^(?=ID|MACHINE)", plain, flags=re.MULTILINE)[-1].partition("\n\n")[0]
    assert max(columns_of(line) for line in table.splitlines()) <= columns
    if words == ["ls"]:
        assert re.findall(r"^(\d) +(\w+)", plain, re.MULTILINE)[:5] == [
            ("1", "finished"),
            ("2", "failed"),
            ("3", "started"),
            ("4", "queued"),
            ("5", "deferred"),
        ]
        assert "Why does one wait? mlq explain 4" in plain


def test_colours_can_be_refused(installation: Sandbox) -> None:
    installation.submit()
    assert "\x1b[33mqueued\x1b[0m" in installation.on_terminal("ls").out
    installation.environ["NO_COLOR"] = "1"
    assert "\x1b" not in installation.on_terminal("ls").out
    del installation.environ["NO_COLOR"]
    installation.environ["TERM"] = "dumb"
    assert "\x1b" not in installation.on_terminal("ls").out


def test_a_live_line_shows_how_it_goes_and_goes_away(installation: Sandbox) -> None:
    installation.claim(installation.submit(name="train"))
    installation.submit()

    def end() -> None:
        client = installation.queue().store.client
        wait_for(
            lambda: any(
                "cmd=evalsha" in line and f"id={client.call('CLIENT', 'ID')} " not in line
                for line in client.call("CLIENT", "LIST").decode().splitlines()
            ),
            what="somebody to wait",
        )
        installation.move("1", Event.SUCCEED)
        installation.queue().cancel(["2"])

    ender = threading.Thread(target=end)
    ender.start()
    shown = installation.on_terminal("wait", "1-2", columns=50)
    ender.join()
    assert shown.code == 1
    assert "\r\x1b[K2 jobs: 1 queued, 1 started, 0s" in shown.out
    assert shown.out.endswith("\r\x1b[Kmlq: 2 canceled\n")


class _Terminal:
    def __init__(self, tty: bool) -> None:
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    def fileno(self) -> int:
        raise OSError("no descriptor")


@pytest.mark.parametrize(
    ("tty", "environ", "style"),
    [
        (False, {}, Style(None, False)),
        (False, {"COLUMNS": "60"}, Style(60, False)),
        (False, {"COLUMNS": "²"}, Style(None, False)),
        (True, {}, Style(80, True)),
        (True, {"COLUMNS": "132"}, Style(132, True)),
        (True, {"COLUMNS": "wide", "NO_COLOR": "1"}, Style(80, False)),
        (True, {"NO_COLOR": ""}, Style(80, True)),
        (True, {"TERM": "dumb"}, Style(80, False)),
    ],
)
def test_what_a_stream_can_show(tty: bool, environ: dict[str, str], style: Style) -> None:
    assert style_of(_Terminal(tty), environ) == style  # type: ignore[arg-type]


def test_every_state_has_a_colour() -> None:
    assert all(kind_of(state) for state in State)


@pytest.mark.parametrize(
    ("typed", "answer"), [("\r", "nothing was run again"), ("y\r", "queued again: 1")]
)
def test_finished_jobs_are_run_again_if_the_question_is_answered(
    installation: Sandbox, typed: str, answer: str
) -> None:
    installation.claim(installation.submit())
    installation.move("1", Event.SUCCEED)
    words = [str(installation.program), "retry", "--finished", "1"]
    with typed_shell(words, installation.environ, installation.folder) as terminal:
        terminal.until_shown(r"1 job finished: 1\. Run again, .*\? .* \[y/N\]: ")
        terminal.type(typed)
        terminal.until_shown(answer)
