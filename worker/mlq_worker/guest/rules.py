"""The settings of a good guest, as the supervisor gets them from its worker.

Standard library only. A worker sends them at each greeting, so changed settings hold without a new
supervisor. A field that the other side does not know is passed over; one that is missing keeps its
default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Mode = Literal["polite", "night", "mine"]
DeskAction = Literal["pause", "half"]


class GuestRules(NamedTuple):
    """What `docs/configuration.md` says of the settings with these names.

    Args:
        guest: the mode.
        hours: when jobs may run in the mode `night`.
        desk_action: what somebody at the desk means for the jobs.
        desk_idle_s, desk_resume_s, desk_evict_s, desk_keep_s: the spans of the desk.
        reserve_cores, reserve_mem_mib: what is left free while anybody else is active.
        enforce: which limits are enforced: `all`, `none`, or some of `cores,mem,vram`.
        patience_s: how long a promise counts before use does.
        is_granted: whether the worker runs in an allocation of a batch system: then the machine's
            desk and other users are the system's business, and nothing here looks at them.
    """

    guest: Mode = "polite"
    hours: str = ""
    desk_action: DeskAction = "pause"
    desk_idle_s: float = 900.0
    desk_resume_s: float = 300.0
    desk_evict_s: float = 600.0
    desk_keep_s: float = 14400.0
    reserve_cores: int = 1
    reserve_mem_mib: int = 2048
    enforce: str = "all"
    patience_s: float = 1800.0
    is_granted: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return them as they are sent."""
        return self._asdict()

    def enforces(self, what: Literal["cores", "mem", "vram"]) -> bool:
        """Return whether this limit is enforced."""
        return self.enforce == "all" or what in self.enforce.split(",")


GUEST_SETTINGS = tuple(name for name in GuestRules._fields if name != "is_granted")
"""The rules that are settings of the same name."""


def parse_rules(told: object) -> GuestRules:
    """Return the rules that a message holds; what cannot be read keeps its default."""
    if not isinstance(told, Mapping):
        return GuestRules()
    defaults = GuestRules()._asdict()
    found = {
        name: told[name]
        for name, default in defaults.items()
        if name in told and _is_like(told[name], default)
    }
    return GuestRules(**found)


def _is_like(value: object, default: object) -> bool:
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)
