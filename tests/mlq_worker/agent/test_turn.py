"""A turn that the queue fails in: the rest of it leaves the queue alone, and goes on without it."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from mlq.errors import MachineNameError, QueueUnreachableError, SupervisorError
from mlq.settings.load import load
from mlq_worker.agent import turn as module
from mlq_worker.agent.actions import (
    Action,
    Adopt,
    Exit,
    HangUp,
    Propose,
    RaiseNumbers,
    ReadHeld,
    ReleaseName,
    Resign,
)
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.facts import Mode
from mlq_worker.agent.turn import Worker
from mlq_worker.probes.machine import Limits


class SilentReader:
    """Never answers."""

    busy = False

    def __init__(self, *_: object) -> None: ...

    def answer(self) -> None: ...


class Bench:
    """A worker whose look shows nothing, and that does what it is told."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        environ = {"HOME": str(tmp_path), "MLQ_ROOT": str(tmp_path)}
        self.store, self.actions = Mock(), list[Action]()
        context = MachineContext(
            settings=load(environ).settings._replace(machine="lab01"),
            login={},
            key=None,
            mark_prefix="mlq:q1:lab01:",
            cwd="/",
            boot_id="boot",
            limits=Limits(None, None, True),
            probe=Mock(),
            has_gpus=False,
            new_reader=SilentReader,  # type: ignore[arg-type]
        )
        monkeypatch.setattr(module, "look", lambda *_: Mock())
        monkeypatch.setattr(module, "decide", lambda _: self.actions)
        self.worker = Worker(context, self.store, lambda: None)

    def turn(self, *actions: Action) -> module.Turn:
        self.actions = list(actions)
        return self.worker.turn(Mode.RUN)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_what_needs_the_queue_is_left_out_after_it_failed_and_the_rest_is_done(
    bench: Bench,
) -> None:
    bench.store.held.side_effect = QueueUnreachableError("no answer")
    turn = bench.turn(ReadHeld(), RaiseNumbers(7), Propose(()), HangUp(), ReleaseName(), Exit())
    assert bench.store.raise_numbers.call_count == bench.store.release_name.call_count == 0
    assert turn.leaves
    assert bench.worker.queue_is_down


def test_the_next_turn_asks_the_queue_again(bench: Bench) -> None:
    bench.store.held.side_effect = QueueUnreachableError("no answer")
    bench.turn(ReadHeld())
    bench.turn(RaiseNumbers(7))
    bench.store.raise_numbers.assert_called_once_with(7)


def test_a_supervisor_that_cannot_be_reached_is_no_fault_of_the_queue(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach = Mock(side_effect=SupervisorError("it did not answer"))
    monkeypatch.setattr(MachineContext, "reach_supervisor", reach)
    assert not bench.turn(Adopt()).leaves
    assert not bench.worker.queue_is_down


def test_a_worker_that_resigns_ends_with_the_reason(bench: Bench) -> None:
    with pytest.raises(MachineNameError, match="taken"):
        bench.turn(Resign(MachineNameError("the name is taken")))
