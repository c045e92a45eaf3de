"""Workers that were refused their machine's name: noted, so that two of one name can be shown.

The one that is refused says it where the user may never look: in its own log. So the queue keeps
the last one of each machine, and `mlq doctor` tells it from anywhere.
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
    """A worker that was refused a machine's name, and who holds that.

    Args:
        who: the worker.
        ago_s: how long ago it asked last, on the server's clock.
        holder: the worker that has the name.
    """

    who: WorkerIdentity
    ago_s: float
    holder: NameHolder


def note_refused_name(store: Store, who: WorkerIdentity) -> None:
    """Note that a worker is refused its machine's name just now."""
    store.runner.run(Operation("note_refused_name", {"record": who._asdict()}))


def refused_names(store: Store) -> list[RefusedName]:
    """Return who was refused within the last day while another worker held the name, by machine."""
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
