"""`trainer_state.json` of Hugging Face's Trainer."""

from __future__ import annotations

import json

from mlq_worker.collector.sources.trainer_state import (
    in_common,
    parse_trainer_state,
    points_after,
)

HISTORY = [
    {"epoch": 0.5, "grad_norm": 1.5, "learning_rate": 5e-05, "loss": 2.0, "step": 500},
    {"epoch": 1.0, "eval_loss": 1.8, "eval_runtime": 3.1, "step": 1000},
    {"epoch": 1.0, "loss": 1.5, "step": 1000},
]


def _state(history: list[object], **changes: object) -> bytes:
    raw = {
        "best_metric": None,
        "epoch": 1.0,
        "global_step": 1000,
        "is_world_process_zero": True,
        "log_history": history,
        "max_steps": 4000,
        "num_train_epochs": 4,
        "stateful_callbacks": {"TrainerControl": {"args": {}}},
    }
    return json.dumps({**raw, **changes}).encode()


def test_metrics_and_progress_of_a_checkpoint() -> None:
    state = parse_trainer_state(_state([*HISTORY]))
    assert state is not None
    assert (state.step, state.total) == (1000, 4000)
    points = points_after(state, 0)
    assert [one.step for one in points] == [0.5, 1, 1]
    assert points[0].values == {"grad_norm": 1.5, "learning_rate": 5e-05, "loss": 2.0}


def test_what_a_resumed_training_took_over_is_known() -> None:
    earlier = parse_trainer_state(_state([*HISTORY[:2]]))
    later = parse_trainer_state(_state([*HISTORY]))
    anew = parse_trainer_state(_state([HISTORY[2]]))
    assert earlier is not None
    assert later is not None
    assert anew is not None
    assert in_common(earlier, later) == 2
    assert [one.values for one in points_after(later, 2)] == [{"loss": 1.5}]
    assert in_common(earlier, anew) == 0


def test_rubbish_is_none_and_odd_values_are_unknown() -> None:
    for rubbish in (b"", b"{", b"[]", b"{}", b'{"log_history": 7}', b"[" * 100_000, b"\xff"):
        assert parse_trainer_state(rubbish) is None
    for odd in ({"max_steps": 0}, {"max_steps": -1}, {"global_step": "x"}, {"max_steps": 10**400}):
        state = parse_trainer_state(_state([7, None, {"loss": {"deep": 1}}, *HISTORY], **odd))
        assert state is not None
        assert (state.step, state.total) == (None, None)
        assert len(points_after(state, 0)) == 3
