"""A tree of /proc, /sys, /dev and logind's files, from a machine's recorded lists.

`desks/NAME.devices` and `NAME.interrupts` are in the formats of Linux 5.10 to 6.12. What the
machine counts is moved by `transfer`, `interrupt` and `read_tty`.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from mlq_worker.guest.desk.desk_reader import DeskReader
from mlq_worker.guest.desk.seat import LogindFiles

DESKS = Path(__file__).parent / "desks"
NAMES = sorted(path.stem for path in DESKS.glob("*.devices"))
_USB = re.compile(r"\d+-[\d.]+|usb\d+")
_CLIENT = re.compile(r"i2c-(\w+:\d+)|\d-00(..)")
_CLIENT_NAMES = {"2c": "rmi4_smbus", "15": "elan_i2c"}


class RecordedDesk:
    """A machine with a desk below a folder."""

    def __init__(self, root: Path, machine: str) -> None:
        self.root = root
        self.devices = root / "proc/bus/input/devices"
        self.interrupts = root / "proc/interrupts"
        self.devices.parent.mkdir(parents=True)
        shutil.copy(DESKS / f"{machine}.devices", self.devices)
        shutil.copy(DESKS / f"{machine}.interrupts", self.interrupts)
        for path in re.findall(r"^S: Sysfs=/(.*)$", self.devices.read_text(), re.MULTILINE):
            self._make(root / "sys" / path)
        (root / "dev/pts").mkdir(parents=True)
        for number in range(64):
            self._write_tty(number, 1.7e9)

    def _make(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for parent in folder.relative_to(self.root).parents:
            if _USB.fullmatch(parent.name):
                (self.root / parent / "urbnum").write_text("1020\n")
            if client := _CLIENT.fullmatch(parent.name):
                name = client[1] or _CLIENT_NAMES[client[2]]
                (self.root / parent / "name").write_text(f"{name}\n")

    def _write_tty(self, number: int, when: float) -> None:
        path = self.root / f"dev/tty{number}"
        path.touch()
        os.utime(path, (when, 0))

    @property
    def run(self) -> Path:
        return self.root / "run/systemd"

    def reader(self) -> DeskReader:
        below = (str(self.root / name) for name in ("proc", "sys", "dev"))
        return DeskReader(*below, seat=LogindFiles(self.run))

    def with_irq_files(self) -> None:
        """Have the files below /sys/kernel/irq, as kernels with sparse interrupts do."""
        for line in self.interrupts.read_text().splitlines()[1:]:
            number, _, rest = line.partition(":")
            if number.strip().isdigit():
                self._per_cpu(number.strip()).parent.mkdir(parents=True)
                counts = re.match(r"[\s\d]*\d(?=\s)", rest)
                assert counts
                self._per_cpu(number.strip()).write_text(",".join(counts[0].split()) + "\n")

    def _per_cpu(self, number: str) -> Path:
        return self.root / f"sys/kernel/irq/{number}/per_cpu_count"

    def transfer(self, port: str, by: int = 1) -> None:
        """Move the counter of a USB device: `1-3`."""
        for path in (self.root / "sys").rglob(f"{port}/urbnum"):
            overwrite(path, f"{int(path.read_text()) + by}\n")

    def interrupt(self, number: int, by: int = 1) -> None:
        """Move the counter of an interrupt, on its second processor if it has one."""
        lines = self.interrupts.read_text().splitlines()
        cpus = len(lines[0].split())
        for at, line in enumerate(lines):
            if line.strip().startswith(f"{number}:"):
                label, *words = line.split()
                words[cpus > 1] = str(int(words[cpus > 1]) + by)
                lines[at] = f"{label:>5} {'   '.join(words)}"
        overwrite(self.interrupts, "\n".join(lines) + "\n")
        path = self._per_cpu(str(number))
        if path.exists():
            counts = path.read_text().split(",")
            counts[-1] = f"{int(counts[-1]) + by}\n"
            path.write_text(",".join(counts))

    def show_console(self, number: int) -> None:
        """Have this text console in front; before the first call it is unknown which is."""
        path = self.root / "sys/class/tty/tty0/active"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"tty{number}\n")

    def unplug(self, port: str) -> None:
        blocks = self.devices.read_text().split("\n\n")
        self.devices.write_text("\n\n".join(b for b in blocks if f"/{port}/" not in b))
        for path in list((self.root / "sys").rglob(port)):
            shutil.rmtree(path, ignore_errors=True)

    def plug_in(self, name: str, port: str, urbnum: int = 30) -> None:
        """Plug a keyboard in."""
        sysfs = f"/devices/pci0000:00/0000:00:14.0/usb1/{port}/{port}:1.0/0003:1234:0001.0009"
        self._make(self.root / f"sys{sysfs}")
        (self.root / f"sys{sysfs}").parents[1].joinpath("urbnum").write_text(f"{urbnum}\n")
        self.devices.write_text(
            self.devices.read_text() + "I: Bus=0003 Vendor=1234 Product=0001 Version=0111\n"
            f'N: Name="{name}"\nP: Phys=usb-0000:00:14.0-{port}/input0\n'
            f"S: Sysfs={sysfs}/input/input33\nU: Uniq=\nH: Handlers=sysrq kbd event33 leds \n"
            "B: PROP=0\nB: EV=120013\nB: KEY=1000000000007 ff9f207ac14057ff febeffdfffefffff "
            "fffffffffffffffe\nB: MSC=10\nB: LED=1f\n\n"
        )

    def read_tty(self, number: int, when: float) -> None:
        self._write_tty(number, when)

    def seat(self, session: str = "", uid: int = 0, kind: str = "user") -> None:
        """Have a seat that shows this session; "" for none."""
        for folder in ("seats", "sessions"):
            (self.run / folder).mkdir(parents=True, exist_ok=True)
        shown = f"ACTIVE={session}\nACTIVE_UID={uid}\n" if session else ""
        (self.run / "seats/seat0").write_text(
            "# This is private data. Do not parse.\nIS_SEAT0=1\nCAN_MULTI_SESSION=1\nCAN_TTY=1\n"
            f"CAN_GRAPHICAL=1\n{shown}SESSIONS={session}\nUIDS={uid}\n"
        )
        if session:
            (self.run / "sessions" / session).write_text(
                f"# This is private data. Do not parse.\nUID={uid}\nUSER=somebody\nACTIVE=1\n"
                f"IS_DISPLAY=1\nSTATE=active\nREMOTE=0\nTYPE=x11\nORIGINAL_TYPE=x11\nCLASS={kind}\n"
                "SCOPE=session-2.scope\nSEAT=seat0\nVTNR=2\nLEADER=1822\n"
            )


def overwrite(path: Path, text: str) -> None:
    """Change a file in one step, as the kernel does, and leave it where it is mounted."""
    descriptor = os.open(path, os.O_WRONLY)
    os.pwrite(descriptor, text.encode(), 0)
    os.close(descriptor)
