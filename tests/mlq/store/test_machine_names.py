"""A machine's name is one worker's: what another sends is refused, a backup displaces nobody."""

from __future__ import annotations

import pytest

from mlq.errors import MachineNameError
from mlq.store.machine_names import WorkerIdentity
from mlq.store.store import Store

MINE = WorkerIdentity("lab01", "mine", "here", "boot2", "alpha", 7, 70, "pid:[1]")
OTHERS = {
    "another host": MINE._replace(worker="other", host_id="there", host="beta"),
    "a later process of this host": MINE._replace(worker="other", pid=8, pid_start=80),
    "a process of another container": MINE._replace(worker="other", pid_start=60, pid_ns="pid:[2]"),
}
PREDECESSORS = {
    "an earlier process": MINE._replace(worker="before", pid=6, pid_start=60),
    "an earlier boot": MINE._replace(worker="before", boot_id="boot1", pid_start=99),
}


def sending(store: Store, worker: WorkerIdentity) -> Store:
    return Store(store.client, held_by=worker)


def speak(store: Store, worker: WorkerIdentity) -> None:
    sending(store, worker).raise_numbers(1)


def holder(store: Store) -> str:
    found = store.roles.name_holder("lab01")
    assert found is not None
    return found.who.worker


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_what_another_worker_sends_is_refused(store: Store, other: WorkerIdentity) -> None:
    speak(store, other)
    with pytest.raises(MachineNameError, match="another worker holds the machine name lab01"):
        speak(store, MINE)
    assert holder(store) == "other"


@pytest.mark.parametrize("before", PREDECESSORS.values(), ids=PREDECESSORS)
def test_a_backup_with_a_worker_that_has_ended_displaces_nobody(
    store: Store, before: WorkerIdentity
) -> None:
    speak(store, before)
    speak(store, MINE)
    assert holder(store) == "mine"
