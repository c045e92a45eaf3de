"""Keyboards and mice of recorded machines, and what moves when they are used."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded_desk import NAMES, RecordedDesk

from mlq_worker.guest.desk import counters as counting
from mlq_worker.guest.desk.counters import RELIST_S, InputCounters
from mlq_worker.guest.desk.input_devices import input_devices, interrupts


def counters(desk: RecordedDesk) -> InputCounters:
    return InputCounters(str(desk.root / "proc"), str(desk.root / "sys"))


LISTED = {
    "desktop": {
        "Dell KB216 Wired Keyboard (USB 1-3)",
        "Logitech USB Optical Mouse (USB 1-4)",
        "Plantronics Blackwire 3220 Series (USB 1-9)",
    },
    "receiver": {"Logitech USB Receiver (USB 3-2.1)"},
    "laptop": {
        "PS/2 keyboard (IRQ 1)",
        "PS/2 mouse (IRQ 12)",
        "ELAN1200:00 04F3:3022 Mouse (IRQ 137)",
        "Integrated Camera: Integrated C (USB 1-7)",
    },
    "thinkpad": {
        "PS/2 keyboard (IRQ 1)",
        "PS/2 mouse (IRQ 12)",
        "Synaptics TM3289-002 (IRQ 136)",
        "TPPS/2 Elan TrackPoint (IRQ 139)",
    },
    "amd_laptop": {"PS/2 keyboard (IRQ 1)", "SYNA7DB5:00 06CB:CD7E Touchpad (IRQ 71)"},
    "qemu": {"PS/2 keyboard (IRQ 1)", "PS/2 mouse (IRQ 12)"},
    "server": set(),
    "surface": {"Logitech USB Optical Mouse (USB 1-1)"},
}
HIDDEN = {"surface", "amd_laptop"}  # a keyboard on a serial bus; Bluetooth without its adapter


def test_all_recorded_machines_are_told_of() -> None:
    assert set(LISTED) == set(NAMES)


@pytest.mark.parametrize("irq_files", [True, False])
@pytest.mark.parametrize("machine", LISTED)
def test_what_counts_and_what_is_hidden(tmp_path: Path, machine: str, irq_files: bool) -> None:
    desk = RecordedDesk(tmp_path, machine)
    if irq_files:
        desk.with_irq_files()
    found = counters(desk).read(0)
    assert found.values.keys() == LISTED[machine]
    assert found.hidden == (machine in HIDDEN)


@pytest.mark.parametrize("irq_files", [True, False])
def test_keys_and_motion(tmp_path: Path, irq_files: bool) -> None:
    desk = RecordedDesk(tmp_path, "laptop")
    if irq_files:
        desk.with_irq_files()
    reader = counters(desk)
    before = reader.read(0).values
    assert before["PS/2 keyboard (IRQ 1)"] == 18310
    desk.interrupt(1, 2)
    desk.interrupt(137, 30)
    desk.interrupt(16, 1000)  # the bus of the pad, and of other things
    desk.transfer("1-7", 5)
    after = reader.read(1).values
    moved = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert moved == {
        "PS/2 keyboard (IRQ 1)": 2,
        "ELAN1200:00 04F3:3022 Mouse (IRQ 137)": 30,
        "Integrated Camera: Integrated C (USB 1-7)": 5,
    }


def test_a_pad_without_a_line_counts_by_its_bus(tmp_path: Path) -> None:
    desk = RecordedDesk(tmp_path, "laptop")
    text = desk.interrupts.read_text().replace("ELAN1200:00", "other")
    desk.interrupts.write_text(text)
    found = counters(desk).read(0)
    assert found.values["ELAN1200:00 04F3:3022 Mouse (IRQ 16)"] == 912331
    assert not found.hidden


def test_a_pad_whose_name_only_its_folder_tells(tmp_path: Path) -> None:
    desk = RecordedDesk(tmp_path, "laptop")
    for path in tmp_path.rglob("i2c-ELAN1200:00/name"):
        path.unlink()
    assert "ELAN1200:00 04F3:3022 Mouse (IRQ 137)" in counters(desk).read(0).values


def test_a_pad_named_as_newer_kernels_do(tmp_path: Path) -> None:
    desk = RecordedDesk(tmp_path, "laptop")
    text = desk.interrupts.read_text().replace("ELAN1200:00", "i2c-ELAN1200:00")
    desk.interrupts.write_text(text)
    assert "ELAN1200:00 04F3:3022 Mouse (IRQ 137)" in counters(desk).read(0).values


def test_bluetooth_counts_by_its_adapter(tmp_path: Path) -> None:
    desk = RecordedDesk(tmp_path, "amd_laptop")
    adapter = tmp_path / "sys/devices/pci0000:00/0000:00:08.1/usb3/3-3/3-3:1.0/bluetooth/hci0"
    adapter.mkdir(parents=True)
    (adapter.parents[2] / "urbnum").write_text("77\n")
    (tmp_path / "sys/class/bluetooth").mkdir(parents=True)
    (tmp_path / "sys/class/bluetooth/hci0").symlink_to(adapter)
    reader = counters(desk)
    found = reader.read(0)
    assert (found.values["Logitech M720 Triathlon (USB 3-3)"], found.hidden) == (77, False)
    desk.transfer("3-3")
    assert reader.read(1).values["Logitech M720 Triathlon (USB 3-3)"] == 78


def test_plugging_in_and_out(tmp_path: Path) -> None:
    desk = RecordedDesk(tmp_path, "desktop")
    reader = counters(desk)
    assert reader.read(0).values.keys() == LISTED["desktop"]
    desk.plug_in("Cherry", "1-6")
    assert reader.read(1).values["Cherry (USB 1-6)"] == 30
    desk.unplug("1-3")
    found = reader.read(2)
    assert "Dell KB216 Wired Keyboard (USB 1-3)" not in found.values
    assert not found.hidden
    reader.close()


def test_plugged_in_again_before_the_list_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = RecordedDesk(tmp_path, "desktop")
    monkeypatch.setattr(counting._ListFile, "changed", lambda _: False)
    reader = counters(desk)
    reader.read(0)
    (counter,) = tmp_path.rglob("1-3/urbnum")
    counter.write_text("")  # as of a device that is gone
    assert "Dell KB216 Wired Keyboard (USB 1-3)" not in reader.read(1).values
    counter.unlink()
    counter.write_text("7\n")
    assert reader.read(2).values["Dell KB216 Wired Keyboard (USB 1-3)"] == 7
    desk.plug_in("Cherry", "1-6")
    assert "Cherry (USB 1-6)" not in reader.read(3).values
    assert "Cherry (USB 1-6)" in reader.read(2 + RELIST_S).values


def test_unreadable_counter(tmp_path: Path) -> None:
    desk = RecordedDesk(tmp_path, "desktop")
    for path in tmp_path.rglob("1-3/urbnum"):
        path.write_text("no number\n")
    found = counters(desk).read(0)
    assert found.hidden
    assert found.values.keys() == LISTED["desktop"] - {"Dell KB216 Wired Keyboard (USB 1-3)"}


def test_no_list_of_devices(tmp_path: Path) -> None:
    desk = RecordedDesk(tmp_path, "qemu")
    desk.devices.unlink()
    reader = counters(desk)
    found = reader.read(0)
    assert found.hidden
    assert found.values == {"PS/2 keyboard (IRQ 1)": 9, "PS/2 mouse (IRQ 12)": 15}
    RecordedDesk(tmp_path / "again", "qemu").devices.rename(desk.devices)
    assert reader.read(RELIST_S + 1) == ({**found.values}, False), "it is looked for again"


def test_nothing_at_all(tmp_path: Path) -> None:
    reader = InputCounters(str(tmp_path / "proc"), str(tmp_path / "sys"))
    assert reader.read(0) == ({}, True)
    assert reader.read(1) == ({}, True)
    reader.close()


def test_folders_instead_of_files(tmp_path: Path) -> None:
    for name in ("proc/bus/input/devices", "proc/interrupts"):
        (tmp_path / name).mkdir(parents=True)
    assert InputCounters(str(tmp_path / "proc"), str(tmp_path / "sys")).read(0) == ({}, True)


def test_this_machine() -> None:
    """The real kernel tells when its list changes, so that it is not read each second."""
    reader = InputCounters()
    first = reader.read(0)
    assert not reader._list.changed()
    listed_at = reader._listed_at
    assert reader.read(1).values.keys() == first.values.keys()
    assert reader._listed_at == listed_at
    reader.close()


def test_a_list_of_a_kernel_of_32_bits() -> None:
    text = (
        "I: Bus=0011 Vendor=0001 Product=0001 Version=ab41\n"
        'N: Name="AT Translated Set 2 keyboard"\nP: Phys=isa0060/serio0/input0\n'
        "S: Sysfs=/devices/platform/i8042/serio0/input/input4\nU: Uniq=\n"
        "H: Handlers=kbd event4 \nB: EV=120013\n"
        "B: KEY=4 2000000 3803078 f800d001 feffffdf ffefffff ffffffff fffffffe\n"
    )
    (device,) = input_devices(text)
    assert device.is_real
    assert device.name == "AT Translated Set 2 keyboard"


def test_a_mouse_without_the_handler_mouse() -> None:
    text = (
        'I: Bus=0003 Vendor=046d Product=c52f Version=0111\nN: Name="Receiver"\n'
        "S: Sysfs=/devices/platform/soc/usb1/1-1/1-1:1.0/input/input2\nH: Handlers=event2\n"
        "B: EV=17\nB: KEY=ffff0000 0 0 0 0\nB: REL=1943\n"
    )
    assert [one.is_real for one in input_devices(text)] == [True]


def test_lines_of_old_kernels() -> None:
    text = (
        "           CPU0       CPU1       \n"
        "  1:       3559        736   IO-APIC-edge      i8042\n"
        "NMI:          0          0   Non-maskable interrupts\nERR:          0\n"
    )
    assert interrupts(text) == {"1": (4295, frozenset({"IO-APIC-edge", "i8042"}))}


@given(st.text(alphabet='INPSHB: =\n"kbdmouse0123456789abcdefKEYRELHandlersSysfs/-.\0é'))
def test_any_text(text: str) -> None:
    input_devices(text)
    interrupts(text)
