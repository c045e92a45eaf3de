"""What the keys of the live screen propose."""

from pathlib import Path

import pytest
from seen_queue import job, machine, sweep

from mlq.settings.settings import Settings
from mlq_cli.top import proposals
from mlq_cli.top.proposals import Proposal, Proposed


def settings(**values: object) -> Settings:
    paths = dict.fromkeys(Settings._fields[:8], Path("/x"))
    return Settings(**{**paths, "machine": "desk", "machines": ("me@gpu07.lab",), **values})  # type: ignore[arg-type]


def agreed(proposed: Proposed) -> Proposal:
    assert isinstance(proposed, Proposal)
    return proposed


def test_a_running_job_is_stopped_and_the_dialog_says_how() -> None:
    found = agreed(proposals.cancel(job("4", "started", name="lr", grace_s=60.0), settings()))
    assert found.title == "Cancel job 4 lr?"
    assert "SIGTERM, and 1m later SIGKILL" in found.says[0]
    assert found.commands == (("cancel", "4"),)
    assert "10s later" in agreed(proposals.cancel(job("4", "started"), settings())).says[0]


def test_a_finished_job_is_run_again_only_with_a_warning() -> None:
    found = agreed(proposals.retry(job("4", "finished"), settings()))
    assert "overwrite its results" in found.says[0]
    assert found.commands == (("retry", "--finished", "--yes", "4"),)
    failed = agreed(proposals.retry(job("4", "failed", reason="exit 2"), settings()))
    assert failed.commands == (("retry", "4"),)
    assert failed.says[0] == "It failed: exit 2"


def test_what_cannot_be_done_is_said_and_not_proposed() -> None:
    for proposed in (
        proposals.cancel(job("4", "failed"), settings()),
        proposals.retry(job("4", "started"), settings()),
        proposals.hold(job("4", "started"), settings()),
        proposals.cancel_sweep(sweep(7, {"finished": 3})),
        proposals.retry_sweep(sweep(7, {"finished": 3})),
        proposals.hold_sweep(sweep(7, {"started": 3})),
    ):
        assert isinstance(proposed, str)


def test_one_key_holds_and_releases() -> None:
    assert agreed(proposals.hold(job("4"), settings())).commands == (("hold", "4"),)
    held = job("4", "deferred", held="by hand")
    assert agreed(proposals.hold(held, settings())).commands == (("release", "4"),)
    waiting = {"queued": 3, "started": 1}
    assert agreed(proposals.hold_sweep(sweep(7, waiting))).commands == (("hold", "7"),)
    stopped = sweep(7, waiting, held="5 members failed")
    assert agreed(proposals.hold_sweep(stopped)).commands == (("release", "7"),)
    assert agreed(proposals.pause("")).commands == (("pause",),)
    assert agreed(proposals.pause("mended")).commands == (("resume",),)


def test_a_sweep_says_how_many_members_are_meant() -> None:
    found = agreed(proposals.cancel_sweep(sweep(7, {"queued": 3, "started": 1})))
    assert found.says == (
        "1 member runs and is stopped.",
        "3 members wait and leave the queue.",
    )
    again = agreed(proposals.retry_sweep(sweep(7, {"failed": 1, "canceled": 2})))
    assert again.says[:2] == ("1 member failed.", "2 members were canceled.")


@pytest.mark.parametrize(
    ("name", "where"), [("desk", ()), ("gpu07", ("--on", "me@gpu07.lab")), ("x", ("--on", "x"))]
)
def test_a_machine_is_drained_where_it_is(name: str, where: tuple[str, ...]) -> None:
    heard = machine(attempts=[["1", 1]])
    found = agreed(proposals.drain(name, *heard, settings(), 45.0))
    assert found.commands == (("worker", "drain", *where),)
    draining = machine(note="draining: it takes no more jobs")
    back = agreed(proposals.drain(name, *draining, settings(), 45.0))
    assert back.commands == (("worker", "stop", *where), ("worker", "start", *where))
    silent = agreed(proposals.drain(name, 300.0, heard[1], settings(), 45.0))
    assert silent.commands == (("worker", "start", *where),)
