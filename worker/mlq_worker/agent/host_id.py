"""The ids of this host and this process.

A host's id stays the same after a reboot, and no other host has it.

Neither the host's name nor /etc/machine-id is enough: laboratories clone their machines, id and
all. Nor is one file beside the settings, since all hosts may share a home folder. So each host
makes an id once and keeps it beside the settings, in a file named after the host's name, its
machine id and the addresses of its network cards. If that file cannot be written, its name is the
id.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from mlq.errors import MlqError
from mlq.files.paths import read_secret, write_secret
from mlq.store.machine_names import WorkerIdentity
from mlq_worker.ipc import procfs

_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_CARDS = Path("/sys/class/net")


def host_id(settings_folder: Path) -> str:
    """Return the id of this host; make it if there is none.

    Args:
        settings_folder: where the settings are.
    """
    key = hashlib.blake2s("\0".join(_traits()).encode(), digest_size=16).hexdigest()
    kept = settings_folder / "hosts" / key
    with suppress(MlqError, OSError, ValueError):
        with suppress(FileExistsError):
            if not kept.exists():
                write_secret(kept, secrets.token_hex(16).encode() + b"\n")
        return read_secret(kept).decode("ascii").strip() or key
    return key


def _traits() -> list[str]:
    return [os.uname().nodename, _machine_id(), *_addresses()]


def _machine_id() -> str:
    for path in _MACHINE_IDS:
        with suppress(OSError, ValueError):
            return path.read_text(encoding="ascii").strip()
    return ""


def _addresses() -> list[str]:
    """Return the addresses of the real network cards; others may change with each boot."""
    found = []
    with suppress(OSError):
        for card in sorted(_CARDS.iterdir()):
            with suppress(OSError, ValueError):
                # A card on the USB bus can be unplugged.
                if "usb" not in str((card / "device").resolve(strict=True)):
                    found.append((card / "address").read_text(encoding="ascii").strip())
    return found


def identity_of(machine: str, boot_id: str, settings_folder: Path) -> WorkerIdentity:
    """Return the identity of this process as a worker of that machine."""
    pid = os.getpid()
    seen = procfs.look_at(pid)
    return WorkerIdentity(
        machine,
        secrets.token_hex(8),
        host_id(settings_folder),
        boot_id,
        os.uname().nodename,
        pid,
        seen.start if seen is not None else 0,
        os.readlink("/proc/self/ns/pid"),  # noqa: PTH115 - no path
    )


def is_alive(who: WorkerIdentity) -> bool:
    """Return whether a process of this host and boot still lives."""
    seen = procfs.look_at(who.pid)
    return seen is not None and seen.start == who.pid_start and seen.state not in "ZX"
