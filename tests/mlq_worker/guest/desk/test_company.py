"""Whether anybody else is active on this machine."""

from __future__ import annotations

from mlq_worker.guest.desk.company import Company
from mlq_worker.guest.desk.desk import DeskState
from mlq_worker.guest.desk.people import ACTIVE_S, Terminal

ME, ANN = 1000, 1001


def company(desk: DeskState, **terminals: Terminal) -> Company:
    return Company(lambda: desk, ME, lambda: terminals, lambda: 5000.0, lambda: 10_000.0)


def test_somebody_who_typed_lately() -> None:
    assert company(DeskState(), a=Terminal(ANN, 9990.0)).is_there()
    assert not company(DeskState(), a=Terminal(ME, 9990.0)).is_there()
    assert not company(DeskState(), a=Terminal(ANN, 9990.0 - ACTIVE_S)).is_there()


def test_somebody_at_the_desk() -> None:
    assert company(DeskState(exists=True, touched_at=4990.0)).is_there()
    assert not company(DeskState(exists=True, touched_at=4990.0 - ACTIVE_S)).is_there()
    assert not company(DeskState(exists=True)).is_there()
