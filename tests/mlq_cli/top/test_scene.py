"""What the live screen shows, without its widgets."""

from __future__ import annotations

from pathlib import Path

import pytest
from seen_queue import NOW, job, snapshot, sweep

from mlq.errors import QueueUnreachableError
from mlq.metrics.extent import Extent
from mlq.settings.settings import Settings
from mlq_cli.top.detail import CurveSeen, LogSeen
from mlq_cli.top.scene import LATE_S, Scene
from mlq_cli.top.watches import Answer
from mlq_cli.top.work import ALL, CLOSED, RUNNING

EXTENT = Extent(0.25, 9, 0.2, 8, 1.5, 0)
AT_S = NOW.timestamp()


@pytest.fixture
def scene() -> Scene:
    settings = Settings(**dict.fromkeys(Settings._fields[:8], Path("/x")))  # type: ignore[arg-type]
    made = Scene(settings)
    running = job("7_0", "started", sweep=7)
    jobs = [job("1", "started", name="resnet"), job("2", "failed", attempt=2, reason="exit 2")]
    seen = snapshot(*jobs, sweeps=[sweep(7, {"started": 1, "queued": 2})], running=[running])
    metrics = {"loss": EXTENT, "acc": EXTENT}
    made.take(Answer(seen._replace(selected="1", metrics=metrics)), AT_S)
    made.selected = "1"
    return made


def texts(scene: Scene, late_s: float = 0.0) -> list[str]:
    return [one.text for one in scene.log_lines(NOW, 80, late_s)]


def test_a_job_that_runs_is_selected_first(scene: Scene) -> None:
    other = Scene(scene._settings)
    other.take(Answer(scene.seen), AT_S)
    assert other.selected == "7_0"


def test_a_sweep_opens_step_by_step_and_closes_from_a_member(scene: Scene) -> None:
    scene.selected = "7"
    for by, level in ((1, ALL), (1, ALL), (-1, RUNNING), (-1, CLOSED), (0, RUNNING), (0, ALL)):
        scene.open(by)
        assert scene.arranged.opened[7] == level
    assert scene.asked().opened == {7}
    scene.selected = "7_0"
    scene.open(-1)
    assert (scene.selected, scene.arranged.opened[7]) == ("7", RUNNING)


def test_one_key_goes_round_the_metrics(scene: Scene) -> None:
    assert scene.metric_title() == "loss  1/2"
    scene.next_metric(1)
    assert scene.metric_title() == "acc  2/2"
    scene.next_metric(1)
    assert scene.metric == "loss"
    scene.selected = "2"  # its metrics have not been asked for yet
    assert scene.metric_title() == "metrics"


def test_only_the_curve_and_the_log_of_the_selected_job_are_shown(scene: Scene) -> None:
    scene.curve = CurveSeen("1", "loss", [1.0, 2.0])
    scene.log = LogSeen("1", 1, ("its last words",))
    assert texts(scene)[1:] == ["its last words"]
    assert len(scene.metric_lines(30, 8)) == 8
    scene.selected = "2"
    assert texts(scene)[1:] == ["it wrote nothing"]
    assert "exit 2" in texts(scene)[0]


def test_a_root_that_hangs_is_told_below_what_was_read(scene: Scene) -> None:
    scene.log = LogSeen("1", 1, ("its last words",))
    assert len(texts(scene, LATE_S / 2)) == 2
    assert texts(scene, 65)[1:] == [
        "its last words",
        "the results root has not answered for 1m5s",
    ]


def test_the_queue_is_in_trouble_from_its_last_answer_on(scene: Scene) -> None:
    assert scene.troubles(0.0, AT_S + 60) == []
    assert "the queue is silent" in scene.troubles(LATE_S, AT_S + 5)[0].text
    scene.take(Answer(None, QueueUnreachableError("no queue answers", why="gone")), AT_S + 7)
    (told,) = scene.troubles(0.0, AT_S + 60)
    assert told.text == "no answer for 1m: no queue answers; below, what it said 1m ago"
    assert scene.job is not None
    scene.take(Answer(scene.seen), AT_S + 70)
    assert scene.troubles(0.0, AT_S + 71) == []


def test_before_the_first_answer_nothing_is_proposed() -> None:
    made = Scene(Settings(**dict.fromkeys(Settings._fields[:8], Path("/x"))))  # type: ignore[arg-type]
    assert made.proposal("cancel") == "the queue has not answered yet"
    assert "asking the queue" in made.head(NOW, 80).text
    assert made.log_lines(NOW, 80, 0.0) == []
