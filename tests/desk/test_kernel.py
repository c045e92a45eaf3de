"""What mlq believes of a desk holds on a real kernel with a real systemd.

If one of these fails on a newer Debian, the watch over the desk must change, not the test.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from waiting import wait_for

from desk.image import PEOPLE
from desk.seat import Active, Seat
from desk.vm import Inputs, Vm

NOBODY = -61  # ENODATA: a seat, and no session on it
_COUNTERS = """
import json, pathlib
files = pathlib.Path("/sys/bus/usb/devices").glob("[0-9]*-*/urbnum")
found = {one.parent.name: int(one.read_text()) for one in files}
for line in open("/proc/interrupts"):
    if "i8042" in line:
        words = line.split()
        found["irq " + words[0]] = sum(int(word) for word in words[1:] if word.isdigit())
print(json.dumps(found))
"""


def counters(vm: Vm) -> dict[str, int]:
    """Return the counters of all keyboards and mice, by name."""
    return dict(json.loads(vm.python(_COUNTERS)))


def moved(vm: Vm, touch: Callable[[], None]) -> set[str]:
    """Touch the desk; return which counters have moved at once."""
    before = counters(vm)
    touch()
    wait_for(lambda: counters(vm) != before, 20, "a counter to move")
    after = counters(vm)
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("inputs", "keyboard", "mouse"),
    [("usb", "1-1", "1-2"), ("ps2", "irq 1:", "irq 12:")],
)
def test_counters_move_with_each_key_and_each_motion(
    boot: Callable[[Inputs], Vm], inputs: Inputs, keyboard: str, mouse: str
) -> None:
    vm = boot(inputs)
    assert set(counters(vm)) == {keyboard, mouse}
    assert keyboard in moved(vm, lambda: vm.hands.press("shift"))
    assert mouse in moved(vm, lambda: vm.hands.move(5))


def test_who_is_at_the_seat(vm: Vm, seat: Seat) -> None:
    assert seat.until("greeter").code >= 0
    seat.log_in("ab12")
    assert seat.active() == Active(0, "user", PEOPLE["ab12"])
    seat.log_in_at_console("cd34")
    assert seat.active() == Active(0, "user", PEOPLE["cd34"])
    vm.hands.press("ctrl", "d")
    assert seat.until("").code == NOBODY  # the console asks for the next name
    seat.show_screen()
    assert seat.until("user").uid == PEOPLE["ab12"]
    seat.log_out()


def test_a_login_by_ssh_is_nobody_at_the_seat(vm: Vm, seat: Seat) -> None:
    before = seat.active()
    assert vm.run(["loginctl", "show-user", "--property=State", "--value", "ab12"], "ab12")
    assert seat.active() == before
