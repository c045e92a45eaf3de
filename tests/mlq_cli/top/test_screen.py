"""The live screen with a real queue behind, by textual's own pilot."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sandbox import Sandbox
from textual.pilot import Pilot

from mlq.api.queue import Queue
from mlq.files.layout import Layout
from mlq.jobs.lifecycle import Event
from mlq.metrics.series import Point, line_of
from mlq.settings.load import load
from mlq_cli.invocation.session import open_store
from mlq_cli.root_files import FilesHere
from mlq_cli.top.job_files import JobFiles
from mlq_cli.top.screen.app import TopApp
from mlq_cli.top.watches import FilesWatch, QueueWatch

pytestmark = pytest.mark.slow

SIZES = [(80, 24), (140, 40)]
_DEADLINE_S, _PERIOD_S = 30.0, 0.2
Story = Callable[[Pilot[int]], Awaitable[None]]


@pytest.fixture(autouse=True)
def _of_the_installation(installation: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands that the screen runs are of this installation."""
    for name, value in installation.environ.items():
        monkeypatch.setenv(name, value)


def app_of(installation: Sandbox, open_files: Callable[[], JobFiles] | None = None) -> TopApp:
    settings = load(installation.environ).settings
    root = settings.root

    def files_here() -> JobFiles:
        return JobFiles(FilesHere(root), Layout(root))

    watch = QueueWatch(lambda: Queue(open_store(settings), settings), _PERIOD_S)
    watch.start()
    watch.first(_DEADLINE_S)
    return TopApp(settings, watch, FilesWatch(open_files or files_here, _PERIOD_S))


def play(app: TopApp, size: tuple[int, int], story: Story) -> None:
    """Run the screen on a terminal of this size while the story is told."""

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await story(pilot)

    asyncio.run(run())


def shown(app: TopApp) -> str:
    """Everything that is on the screen, as text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)


async def until(pilot: Pilot[int], text: str, *, gone: bool = False) -> str:
    """Wait until the screen has a text, or no longer has it."""
    app = pilot.app
    assert isinstance(app, TopApp)
    deadline_s = time.monotonic() + _DEADLINE_S
    while (text in shown(app)) == gone:
        assert time.monotonic() < deadline_s, f"{text!r} in:\n{shown(app)}"
        await pilot.pause(0.02)
    return shown(app)


def lab(installation: Sandbox) -> None:
    """A job that runs and reports, one that waits, one that failed; a sweep; a machine."""
    gpu = {"uuid": "a", "name": "NVIDIA RTX A5000", "free_mib": 6000, "total_mib": 24576}
    installation.know(
        "gpu07", cores_total=8, cores_free=3, mem_total_mib=64000, gpus=[gpu], attempts=[["1", 1]]
    )
    installation.submit("python", "train.py", name="resnet")
    installation.claim("1", "gpu07")
    client = installation.queue().store.client
    extents = {"loss": [0.25, 9, 0.2, 8, 1.5, 0], "acc": [0.5, 9, 0.1, 0, 0.5, 9]}
    client.call("HSET", "rq:job:1", "mlq_progress", "0.5", "mlq_metrics", json.dumps(extents))
    installation.write_log("1", 1, b"first\n" * 60 + b"10%|#  |\r\x1b[31m90%|###|\x1b[0m\x1b[2J")
    folder = installation.queue().layout.folder("1")
    points = [Point(step, 1.0 + step, {"loss": 1.0 / (1 + step)}) for step in range(10)]
    Path(folder.metrics_file(1)).write_bytes(b"".join(map(line_of, points)))
    installation.submit("python", "typo.py", name="typo", cores=3)
    installation.claim("2", "gpu07")
    installation.move("2", Event.FAIL, mlq_reason="exit 2")
    installation.submit("true", name="evil\x1b[2J[red]")
    words = ("enqueue", "-n", "rates", "--param", "lr=0.1,0.3", "--", "true", "{lr}")
    installation.ok(*words)


@pytest.mark.parametrize("size", SIZES)
def test_everything_is_on_the_screen(installation: Sandbox, size: tuple[int, int]) -> None:
    lab(installation)

    async def story(pilot: Pilot[int]) -> None:
        text = await until(pilot, "90%|###|")
        assert "10%|#  |" not in text
        assert "\x1b" not in text
        for word in ("resnet", "50%", "exit 2", "evil[red]", "rates", "0/2", "gpu07", "5.9G/24G"):
            await until(pilot, word)
        await until(pilot, "log of 1 resnet on gpu07")
        text = await until(pilot, "last 0.25 @9")
        assert len(text.splitlines()) == size[1]
        assert {len(line) for line in text.splitlines()} <= {size[0], size[0] + 1}
        await pilot.press("m")
        await until(pilot, "last 0.5 @9")

    play(app_of(installation), size, story)


def test_a_sweep_opens_and_closes(installation: Sandbox) -> None:
    lab(installation)

    async def story(pilot: Pilot[int]) -> None:
        await until(pilot, "rates")
        await pilot.press("home", "right")
        await until(pilot, "lr=0.3")
        await pilot.press("left", "left")
        await until(pilot, "lr=0.3", gone=True)

    play(app_of(installation), (80, 24), story)


def test_what_the_user_agrees_to_is_done_by_the_command(installation: Sandbox) -> None:
    lab(installation)

    async def story(pilot: Pilot[int]) -> None:
        await until(pilot, "log of 1 resnet")
        await pilot.press("c")
        text = await until(pilot, "Cancel job 1 resnet?")
        assert "$ mlq cancel 1" in text
        await pilot.press("n")
        await until(pilot, "Cancel job", gone=True)
        await pilot.press("down", "h")
        await until(pilot, "Hold job 3")
        await pilot.press("y")
        await until(pilot, "held: 3")
        await until(pilot, "held by its user")
        await pilot.press("r")
        await until(pilot, "only a job that has ended can run again")

    play(app_of(installation), (140, 40), story)
    (job,) = installation.queue().views(["3"])
    assert job.held
    assert installation.queue().views(["1"])[0].reason == ""


def test_the_filter_shows_only_what_has_the_words(installation: Sandbox) -> None:
    lab(installation)

    async def story(pilot: Pilot[int]) -> None:
        await until(pilot, "typo")
        await pilot.press("slash", *"resnet")
        await until(pilot, "typo", gone=True)
        await pilot.press("escape")
        await until(pilot, "typo")

    play(app_of(installation), (80, 24), story)


def test_a_click_selects(installation: Sandbox) -> None:
    lab(installation)

    async def story(pilot: Pilot[int]) -> None:
        text = await until(pilot, "typo")
        y = next(y for y, line in enumerate(text.splitlines()) if "typo" in line)
        await pilot.click(offset=(12, y))
        await until(pilot, "log of 2 typo")
        await pilot.click(offset=(2, 23))
        await until(pilot, "Keys")

    play(app_of(installation), (80, 24), story)


def test_the_queue_may_go_and_come_back(installation: Sandbox) -> None:
    lab(installation)

    async def story(pilot: Pilot[int]) -> None:
        await until(pilot, "resnet")
        await asyncio.to_thread(installation.stop_server)
        text = await until(pilot, "no answer for")
        assert "resnet" in text
        assert "below, what it said" in text
        await asyncio.to_thread(installation.start_server)
        await until(pilot, "no answer for", gone=True)

    play(app_of(installation), (140, 40), story)


def test_a_results_root_that_hangs_is_told_and_nothing_waits(installation: Sandbox) -> None:
    lab(installation)

    def hang() -> JobFiles:
        time.sleep(3600)
        raise AssertionError

    async def story(pilot: Pilot[int]) -> None:
        await until(pilot, "the results root has not answered for")
        await pilot.press("down")
        await until(pilot, "log of 3")

    play(app_of(installation, hang), (80, 24), story)


def test_a_job_may_vanish_while_it_is_selected(installation: Sandbox) -> None:
    lab(installation)

    async def story(pilot: Pilot[int]) -> None:
        await until(pilot, "log of 1 resnet")
        client = installation.queue().store.client
        await asyncio.to_thread(lambda: client.call("ZREM", "mlq:unended", "1"))
        await until(pilot, "log of 1 resnet", gone=True)

    play(app_of(installation), (80, 24), story)


def test_a_small_terminal_says_what_it_needs_and_grows_again(installation: Sandbox) -> None:
    lab(installation)

    async def story(pilot: Pilot[int]) -> None:
        await until(pilot, "needs 40 columns, 12 lines")
        await pilot.resize_terminal(140, 40)
        await until(pilot, "resnet")
        await pilot.press("t", "t")
        await until(pilot, "colours: light")

    play(app_of(installation), (30, 8), story)
