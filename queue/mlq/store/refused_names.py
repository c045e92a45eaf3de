"""Records workers that were refused their machine's name, so that mlq can show two of one name.

A refused worker reports this only in its own log, where the user may never look. So the queue keeps
the last one of each machine, and `mlq doctor` shows it from anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlq.lenient import dict_or_empty, finite_or_zero, hash_of, text_of
from mlq.store import keys
from mlq.store.identity import server_time
from mlq.store.machine_names import NameHolder, WorkerIdentity
from mlq.store.operations import Operation

if TYPE_CHECKING:
    from mlq.store.store import Store

_LASTS_S = 86400.0


class RefusedName(NamedTuple):
    """A worker that was refused a machine's name, and the worker that holds the name.

    Args:
        who: the worker.
        ago_s: how long ago it asked last, on the server's clock.
        holder: the worker that has the name.
    """

    who: WorkerIdentity
    ago_s: float
    holder: NameHolder


def note_refused_name(store: Store, who: WorkerIdentity) -> None:
    """Record that a worker was refused its machine's name just now."""
    store.runner.run(Operation("note_refused_name", {"record": who._asdict()}))


def refused_names(store: Store) -> list[RefusedName]:
    """Return, by machine, the worker refused within the last day because another held the name."""
    noted = hash_of(store.client.call("HGETALL", keys.REFUSED_NAMES))
    told = {text_of(name): dict_or_empty(text) for name, text in noted.items()}
    if not told:
        return []
    now_s = server_time(store.client)
    found = []
    for machine, one in sorted(told.items()):
        ago_s, holder = now_s - finite_or_zero(one.get("at")), store.roles.name_holder(machine)
        who = NameHolder.of(one).who
        if ago_s < _LASTS_S and holder and not holder.left and holder.who.worker != who.worker:
            found.append(RefusedName(who, max(0.0, ago_s), holder))
    return found
