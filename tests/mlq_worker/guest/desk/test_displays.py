"""Which GPUs drive a display, from recorded trees of procfs and sysfs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlq_worker.guest.desk.displays import Displays, find_displays

INFORMATION = """\
Model: \t\t NVIDIA GeForce RTX 2080 Ti
IRQ:   \t\t 142
GPU UUID: \t {uuid}
Video BIOS: \t 90.02.17.00.76
Bus Type: \t PCIe
DMA Size: \t 47 bits
Bus Location: \t {bus}
Device Minor: \t 0
GPU Excluded:\t No
"""


class Machine:
    def __init__(self, folder: Path) -> None:
        self.proc, self.sys = folder / "proc", folder / "sys"

    def gpu(self, uuid: str, bus: str, *connectors: str, boot_vga: str = "0\n") -> None:
        information = self.proc / "driver/nvidia/gpus" / bus / "information"
        information.parent.mkdir(parents=True)
        information.write_text(INFORMATION.format(uuid=uuid, bus=bus))
        device = self.sys / "bus/pci/devices" / bus
        device.mkdir(parents=True)
        (device / "boot_vga").write_text(boot_vga)
        for number, status in enumerate(connectors):
            connector = device / "drm/card1" / f"card1-DP-{number}"
            connector.mkdir(parents=True)
            (connector / "status").write_text(f"{status}\n")

    def look(self) -> Displays:
        return find_displays((str(self.proc), str(self.sys)))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_monitor_tells(machine: Machine) -> None:
    machine.gpu("GPU-a", "0000:01:00.0", "disconnected", "connected", boot_vga="1\n")
    machine.gpu("GPU-b", "0000:02:00.0", "disconnected", "disconnected", boot_vga="1\n")
    machine.gpu("GPU-c", "0000:03:00.0", "unknown")
    assert machine.look() == Displays(frozenset({"GPU-a", "GPU-c"}), frozenset({"GPU-b"}))


def test_without_connectors_the_firmware_tells(machine: Machine) -> None:
    machine.gpu("GPU-a", "0000:01:00.0", boot_vga="1\n")
    machine.gpu("GPU-b", "0000:02:00.0")
    assert machine.look() == Displays(frozenset({"GPU-a"}), frozenset({"GPU-b"}))


def test_a_card_that_only_computes_has_no_display(machine: Machine) -> None:
    machine.gpu("GPU-a", "0000:1a:00.0")
    device = machine.sys / "bus/pci/devices/0000:1a:00.0"
    (device / "boot_vga").unlink()  # the kernel shows it for VGA devices only
    (device / "class").write_text("0x030200\n")
    assert machine.look() == Displays(frozenset(), frozenset({"GPU-a"}))


def test_what_is_unknown_counts_as_driving_one(machine: Machine) -> None:
    machine.gpu("GPU-????????-????-????-????-????????????", "0000:01:00.0")
    found = machine.look()
    assert found.drives("GPU-a")
    assert not found.drives("MIG-a")
    (machine.sys / "bus/pci/devices/0000:01:00.0/boot_vga").unlink()
    machine.gpu("GPU-d", "0000:04:00.0", boot_vga="")
    assert machine.look().drives("GPU-d")


def test_without_a_driver_nothing_is_known(machine: Machine) -> None:
    assert machine.look() == Displays()
