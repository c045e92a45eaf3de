"""People at the desk of the virtual machine: they log in and out by keys, on screen or console."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from waiting import wait_for

from desk.image import PASSWORD
from desk.vm import Vm

INSIDE = Path(__file__).with_name("inside")
_LOG = "/var/log/lightdm/lightdm.log"
_ACTIVE = """
import ctypes, json
library = ctypes.CDLL("libsystemd.so.0")
session, uid, kind, name = ctypes.c_char_p(), ctypes.c_uint(), ctypes.c_char_p(), ""
code = library.sd_seat_get_active(b"seat0", ctypes.byref(session), ctypes.byref(uid))
if code >= 0:
    library.sd_session_get_class(session, ctypes.byref(kind))
    name = (kind.value or b"").decode()  # it may end meanwhile
print(json.dumps([code, name, uid.value if code >= 0 else None]))
"""


class Active(NamedTuple):
    """Whose session the seat shows, as libsystemd says it; `code` is its own."""

    code: int
    kind: str
    uid: int | None


class Seat:
    """The desk of a virtual machine."""

    def __init__(self, vm: Vm) -> None:
        self._vm, self._hands = vm, vm.hands

    def active(self) -> Active:
        """Return whose session is shown."""
        return Active(*json.loads(self._vm.python(_ACTIVE)))

    def until(self, kind: str) -> Active:
        """Wait until a session of this class is shown; "": none."""

        def shown() -> Active | None:
            active = self.active()
            return active if active.kind == kind else None

        return wait_for(shown, 90, f"a session of class {kind!r} at the seat")

    def log_in(self, name: str) -> None:
        """Type name and password at a new login screen, until the desktop is shown."""
        self._vm.run(["systemctl", "restart", "lightdm"])  # with nothing half typed
        self.until("greeter")
        ready = ["grep", "-q", "Prompt greeter", _LOG]  # of its own accord, for a name
        wait_for(lambda: self._vm.try_run(ready).code == 0, 60, "the login screen to be drawn")
        self._hands.press("ctrl", "a")
        self._hands.type(f"{name}\n")
        self._until_asked(name)
        self._hands.type(f"{PASSWORD}\n")
        self.until("user")
        wait_for(self._is_settled, 60, "the desktop to have its console")

    def _is_settled(self) -> bool:
        """Tell whether the desktop has been put in front, after which keys may switch consoles."""
        then = "/Greeter stopped/ { desktop = 1 } desktop && /is already active/ { settled = 1 }"
        return self._vm.try_run(["awk", f"{then} END {{ exit !settled }}", _LOG]).code == 0

    def _until_asked(self, name: str) -> None:
        """Wait until the login screen wants a password of this user."""
        prompted = f"tail -n 3 {_LOG} | grep -q 'Prompt greeter'"
        asks = f"{prompted} && tail -n 9 {_LOG} | grep -qw {name}"
        wait_for(lambda: self._vm.try_run(["sh", "-c", asks]).code == 0, 60, "to be asked")

    def log_out(self) -> None:
        """End the session that is shown, as its menu does, until the login screen is back."""
        session = self._vm.run(["loginctl", "show-seat", "seat0", "-p", "ActiveSession", "--value"])
        self._vm.run(["loginctl", "terminate-session", session.strip()])
        self.until("greeter")

    def log_in_at_console(self, name: str) -> None:
        """Switch to the second console and log in there."""
        self._hands.press("ctrl", "alt", "f2")
        wait_for(lambda: self._reads("agetty"), 60, "the console's login")
        self._hands.type(f"{name}\n")
        wait_for(lambda: self._reads("login"), 60, "the console to ask for a password")
        self._hands.type(f"{PASSWORD}\n")
        self.until("user")
        wait_for(lambda: self._reads("bash"), 60, "the console's shell")

    def log_out_of_console(self) -> None:
        """Leave the console's shell, and go back to the screen."""
        self._hands.press("ctrl", "d")
        wait_for(lambda: not self._reads("bash"), 60, "the console's shell to end")
        self.show_screen()

    def show_screen(self) -> None:
        """Go back from a console to the screen."""
        self._hands.press("ctrl", "alt", "f7")
        wait_for(
            lambda: self._vm.run(["cat", "/sys/class/tty/tty0/active"]).strip() == "tty7",
            60,
            "the screen",
        )

    def _reads(self, program: str) -> bool:
        """Tell whether such a program has the second console."""
        return self._vm.try_run(["pgrep", "--terminal", "tty2", "--exact", program]).code == 0
