"""Whether somebody is at the desk of this machine, from looks at it once a second.

Pure: looks and times are arguments. A look holds counters that move with each key and each motion
of the mouse, when text consoles were last read, and whose session the seat shows. A user's own
hands do not count: neither while their session is shown, nor at the login screen just before.

Invariant: times are boot time and are only ever compared with boot time. The wall clock, which can
jump, enters as the access times of consoles, and only whether one has changed matters.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mlq_worker.guest.desk.device import SETTLE_S, Device

# "In every look" means looks that are about a second apart.
STREAK_GAP_S = 5.0
# After a longer gap (the machine was suspended) what moved meanwhile says nothing of now.
AWAY_S = 60.0

# From a logout to the login screen.
_LOGOUT_S = 60.0

# Classes of sessions behind which no person has logged in. See sd_session_get_class(3).
_NOBODY = frozenset({"greeter", "lock-screen", "background", "background-light", "manager"})

# How the desk is watched: by counters; by who is logged in, as counters are hidden; not at all.
How = Literal["counters", "sessions", "nothing"]


@dataclass(frozen=True, slots=True)
class Session:
    """The session that the seat shows; `kind` is logind's class of it, "" if unknown."""

    uid: int
    kind: str = "user"


@dataclass(frozen=True, slots=True)
class DeskLook:
    """What one look at the desk saw.

    Args:
        counters: for each keyboard and mouse, by name, a number that moves when it is used.
        consoles: for each text console, when it was last read, in s of UTC.
        seat: whether the machine has a seat.
        active: the session that the seat shows; None: no session, or unknown.
        hidden: whether a keyboard or mouse may be in use without one of the counters moving.
    """

    counters: Mapping[str, int]
    consoles: Mapping[str, float]
    seat: bool = False
    active: Session | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class DeskState:
    """What is known of the desk.

    Args:
        exists: whether there is a desk.
        touched_at: when anybody but our own user last touched it, in s of boot time; None: not
            since we watch.
        seated_uid: whose session the seat shows, also if it is our own; None: nobody's.
        somebody: whether that is another user.
        chattering: the devices that count without being touched: all of it is ignored, or what
            comes `every 30s`.
        how: how the desk is watched.
    """

    exists: bool = False
    touched_at: float | None = None
    seated_uid: int | None = None
    somebody: bool = False
    chattering: tuple[str, ...] = ()
    how: How = "nothing"

    def as_json(self) -> dict[str, Any]:
        """Return it as the supervisor tells it to `mlq doctor`."""
        return {**asdict(self), "chattering": list(self.chattering)}


class Desk:
    """Folds looks into what is known of the desk.

    Args:
        own_uid: the user whose jobs run here; their hands do not count.
    """

    def __init__(self, own_uid: int) -> None:
        self._own_uid = own_uid
        self._devices: dict[str, Device] = {}
        self._consoles: Mapping[str, float] = {}
        self._looked_at: float | None = None
        self._seated: int | None = None
        self._left_at = float("-inf")  # when somebody was last seen logged in
        self._is_greeting = True  # whether the last look saw a login screen; the first is no news
        self._touched_at: float | None = None
        self._touched_before: float | None = None  # the latest one that was over `SETTLE_S` ago
        self._touches: deque[float] = deque()  # those since
        self._touched_before_login: float | None = None

    def look(self, look: DeskLook, at: float) -> DeskState:
        """Take in one look.

        Args:
            look: what was seen.
            at: when, in s of boot time.
        """
        gap_s = None if self._looked_at is None else at - self._looked_at
        anew = gap_s is None or not 0 <= gap_s <= AWAY_S
        seated = _seated(look.active)
        self._greet(look.active, at)
        moved = self._moved(look, at, anew=anew, streak=gap_s is not None and gap_s <= STREAK_GAP_S)
        self._attribute_login(seated)
        if self._is_touch(look, seated, moved=moved, anew=anew):
            self._touched_at = at
            self._touches.append(at)
        elif self._touched_at is not None:
            self._touched_at = min(self._touched_at, at)
        self._looked_at, self._seated = at, seated
        return self._state(look, seated)

    def _moved(self, look: DeskLook, at: float, *, anew: bool, streak: bool) -> bool:
        """Return whether anything has moved that does not move by itself."""
        nobody = _seated(look.active) is None
        moved = False
        for name, value in look.counters.items():
            device = self._devices.get(name)
            if device is None:
                self._devices[name] = device = Device(value, at)
                if self._looked_at is not None:
                    device.settle(at)
            elif anew or not device.is_before(value):  # resumed, or plugged in again
                device.restart(value, at)
            else:
                moved |= device.count(value, at, nobody=nobody, streak=streak)
        for name in self._devices.keys() - look.counters.keys():
            del self._devices[name]
        read = not anew and any(
            self._consoles.get(name, when) != when for name, when in look.consoles.items()
        )
        self._consoles = look.consoles
        return moved or read

    def _greet(self, active: Session | None, at: float) -> None:
        """Forget what moved just before a login screen came up: the screen did that itself.

        It comes up at each boot, when jobs that ran before are to go on and nobody need be there.
        After a logout somebody was.
        """
        while self._touches and self._touches[0] <= at - SETTLE_S:
            self._touched_before = self._touches.popleft()
        if _seated(active) is not None:
            self._left_at = at
        is_greeting = active is not None and active.kind == "greeter"
        if is_greeting and not self._is_greeting and at - self._left_at > _LOGOUT_S:
            if self._touches and self._touched_at == self._touches[-1]:
                self._touched_at = self._touched_before
            self._touches.clear()
            for device in self._devices.values():
                device.settle(at)
        self._is_greeting = is_greeting

    def _attribute_login(self, seated: int | None) -> None:
        """Forget the keys at the login screen when it turns out that they were our own user's."""
        if seated is None and (self._seated is not None or self._looked_at is None):
            self._touched_before_login = self._touched_at
        elif seated == self._own_uid and self._seated is None and self._looked_at is not None:
            self._touched_at = self._touched_before_login

    def _is_touch(self, look: DeskLook, seated: int | None, *, moved: bool, anew: bool) -> bool:
        if seated == self._own_uid:
            return False
        if seated is not None and (anew or look.hidden or seated != self._seated):
            return True
        # What our own user moved while leaving is seen in the look that sees them gone.
        return moved and self._seated != self._own_uid

    def _state(self, look: DeskLook, seated: int | None) -> DeskState:
        watched = bool(look.counters)
        guarded = look.seat and (look.hidden or seated is not None)
        exists = watched or guarded or self._touched_at is not None
        how: How = "nothing"
        if exists:
            how = "sessions" if look.hidden or not watched else "counters"
        return DeskState(
            exists=exists,
            touched_at=self._touched_at,
            seated_uid=seated,
            somebody=seated not in (None, self._own_uid),
            chattering=self._chattering(),
            how=how,
        )

    def _chattering(self) -> tuple[str, ...]:
        named = ((name, device.ignored) for name, device in self._devices.items())
        return tuple(sorted(f"{name} {when}".rstrip() for name, when in named if when is not None))


def _seated(active: Session | None) -> int | None:
    """Return whose session the seat shows; None for a login screen."""
    return None if active is None or active.kind in _NOBODY else active.uid
