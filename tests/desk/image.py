"""The disk of the virtual machine: Debian with a login screen, built once and never changed.

It lies in `.lab/` of the clone. Its recipe names the folder, so another recipe or other
dependencies of mlq make a new one. Each machine writes into a file of its own over it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from debian_tree import (
    MIRROR,
    SMALLER,
    SUITE,
    Say,
    built_once,
    put_dependencies,
    told,
    what_mlq_needs,
)

TOOLS = ("setpriv", "qemu-system-x86_64", "qemu-img", "mmdebstrap", "mkfs.ext4", "ssh-keygen")
# Name and number of each account; the first one's is mlq. All have the same password.
PEOPLE = {"kt42": 5001, "ab12": 5002, "cd34": 5003}
PASSWORD = "desk"
HOST = "lab07"
DISK_SIZE = "6G"

_PACKAGES = (
    *("linux-image-amd64", "initramfs-tools", "lz4", "udev", "systemd", "systemd-sysv", "dbus"),
    *("libpam-systemd", "polkitd", "openssh-server", "openssh-client", "cron", "iproute2"),
    *("procps", "python3", "redis-server", "lightdm", "lightdm-gtk-greeter", "openbox", "xterm"),
    *("xserver-xorg-core", "xserver-xorg-input-libinput"),
)
_ENABLED = ("systemd-networkd", "lightdm")
_MASKED = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer"),
    *("fstrim.timer", "systemd-networkd-wait-online.service", "systemd-timesyncd.service"),
    "redis-server.service",
)
_NETWORK = """\
[Match]
Name=e*
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
LinkLocalAddressing=no
"""
_FILES = {
    "etc/hostname": f"{HOST}\n",
    "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {HOST}\n",
    "etc/fstab": "/dev/vda / ext4 rw,noatime 0 1\n",
    "etc/systemd/network/20-desk.network": _NETWORK,
    # Who logs in types a name and a password.
    "etc/lightdm/lightdm.conf": "[Seat:*]\ngreeter-hide-users=true\nuser-session=openbox\n",
    "etc/initramfs-tools/conf.d/desk": "MODULES=list\nCOMPRESS=lz4\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
}


class Image(NamedTuple):
    """What a virtual machine boots from, and the key that all its accounts let in."""

    disk: Path
    kernel: Path
    initrd: Path
    key: Path


def desk_image(say: Say) -> Image:
    """Return the image, built first if it is not there yet: about three minutes.

    Args:
        say: is told how far the building has come.

    Raises:
        CalledProcessError: a tool failed; `say` has been told its last words.
    """
    needed = what_mlq_needs()
    recipe = (SUITE, _PACKAGES, _ENABLED, _MASKED, _FILES, PEOPLE, PASSWORD, sorted(needed))

    def build(new: Path) -> None:
        say("building the disk of a virtual machine, once: about three minutes")
        new.mkdir()
        _build(new, needed, say)

    folder = built_once("desk", recipe, build)
    return Image(folder / "disk.ext4", folder / "kernel", folder / "initrd", folder / "key")


def _build(folder: Path, needed: list[str], say: Say) -> None:
    tree = folder / "tree"
    told(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], say)
    told(
        [
            *("mmdebstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", *SMALLER),
            *(f"--customize-hook={hook}" for hook in _accounts(folder / "key.pub")),
            f"--customize-hook=systemctl --root=$1 --quiet enable {' '.join(_ENABLED)}",
            f"--customize-hook=systemctl --root=$1 --quiet mask {' '.join(_MASKED)}",
            *(SUITE, str(tree), MIRROR),
        ],
        say,
    )
    for name, text in _FILES.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    put_dependencies(tree, needed, say)
    told(["chroot", tree, "update-initramfs", "-u"], say)
    for name, kept in (("vmlinuz", "kernel"), ("initrd.img", "initrd")):
        (found,) = (tree / "boot").glob(f"{name}-*")
        shutil.copy(found, folder / kept)
    new_disk = ["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-d", tree]
    told([*new_disk, folder / "disk.ext4", DISK_SIZE], say)
    shutil.rmtree(tree)


def _accounts(key: Path) -> list[str]:
    hooks = [f"install -D --mode=600 {key} $1/root/.ssh/authorized_keys"]
    for name, uid in PEOPLE.items():
        own = f"--owner={uid} --group={uid}"
        hooks += [
            f"useradd --root=$1 --uid={uid} --user-group --create-home --shell=/bin/bash {name}",
            f"echo {name}:{PASSWORD} | chpasswd --root=$1",
            f"install --directory --mode=700 {own} $1/home/{name}/.ssh",
            f"install --mode=600 {own} {key} $1/home/{name}/.ssh/authorized_keys",
        ]
    return hooks
