"""Folders, sockets and secrets that no other user may touch.

A user who can write to the queue's socket, password or key can run code as its owner. So before mlq
uses such a path, it checks it without following links, and refuses it if it is not ours alone. It
never repairs it, because a folder that was open to others may already hold their files.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from mlq.errors import InvalidInputError, SettingsError, UnsafePathError, UnsafeSocketError

# A unix socket's address holds 108 bytes on Linux and 104 on macOS, and ssh adds a few to the name
# while it creates a forwarded socket.
LONGEST_SOCKET_PATH = 100

MACHINE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class SecretMissingError(UnsafePathError):
    """There is no such secret file yet."""


def checked_machine(name: str) -> str:
    """Return the name of a machine if it is safe as a file name.

    Raises:
        InvalidInputError: it is not.
    """
    if not MACHINE_NAME.fullmatch(name):
        raise InvalidInputError(
            f"{name!r} cannot be the name of a machine",
            why="it takes up to 64 letters, digits, dots, dashes and underscores",
        )
    return name


def private_dir(path: Path, *, create: bool = True) -> Path:
    """Return the folder after making sure that it is ours alone (0700, no link).

    Args:
        path: an absolute path; missing parents are made 0700 too, as the XDG base directory
            specification has it: a user who can write to a parent can replace the folder.
        create: make it if it does not exist.

    Raises:
        UnsafePathError: it cannot be made, is missing, or is open to others.
    """
    if create:
        try:
            make_private_dirs(path)
        except FileExistsError:
            pass  # a file or a dangling link: the check below reports it
        except OSError as error:
            raise UnsafePathError(f"cannot make the folder {path}", why=_plain(error)) from None
    try:
        found = path.lstat()
    except OSError as error:
        raise UnsafePathError(f"cannot use the folder {path}", why=_plain(error)) from None
    if not stat.S_ISDIR(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "a file"
        raise UnsafePathError(f"{path} is not a folder", why=f"it is {kind}", fix="remove it")
    _check_ours(path, found, "folder", 0o700)
    return path


def check_ours_alone(path: Path) -> None:
    """Make sure that a folder is ours alone; unlike `private_dir` it may be reached by a link.

    Raises:
        UnsafePathError: another user owns it, or can use it.
        OSError: it cannot be looked at.
    """
    _check_ours(path, path.stat(), "folder", 0o700)


def make_private_dirs(path: Path | str) -> bool:
    """Make a folder and its missing parents with mode 0700; those that exist stay as they are.

    Returns:
        Whether the folder was not there before.

    Raises:
        OSError: it cannot be made.
    """
    # Create without checking first: on NFS a check takes as long, and usually nothing exists yet.
    try:
        os.mkdir(path, 0o700)  # noqa: PTH102 - speed
    except FileNotFoundError:
        make_private_dirs(os.path.dirname(path))  # noqa: PTH120 - speed
        # Once: some folders, as those of /proc, are there and yet take no new ones.
        try:
            os.mkdir(path, 0o700)  # noqa: PTH102 - speed
        except FileExistsError:
            return False
    except FileExistsError:
        if not os.path.isdir(path):  # noqa: PTH112 - speed
            raise
        return False
    return True


def machine_dir(runtime_dir: Path, machine: str) -> Path:
    """Return the runtime folder of a machine's worker; make and check every folder above it.

    Raises:
        InvalidInputError: the machine's name cannot be a file name.
        UnsafePathError: see `private_dir`.
    """
    return private_dir(private_dir(private_dir(runtime_dir) / "m") / checked_machine(machine))


def check_socket_path(path: Path) -> Path:
    """Return the path if the system can bind a unix socket to it.

    Raises:
        SettingsError: it is too long.
    """
    length = len(os.fsencode(path))
    if length > LONGEST_SOCKET_PATH:
        raise SettingsError(
            f"the socket path {path} is too long",
            why=f"it has {length} bytes and unix sockets allow {LONGEST_SOCKET_PATH}",
            fix="set MLQ_RUNTIME_DIR to a folder with a shorter path",
        )
    return path


def check_socket_folder(path: Path) -> None:
    """Make sure that only we can have made a socket there, before the password is sent through it.

    Any user can make a folder of our name in /tmp, or make it again after a cleaner removed it, and
    listen there. No folder at all is fine: then there is no socket either.

    Raises:
        UnsafeSocketError: its folder is not ours alone.
    """
    if not os.path.lexists(path.parent):
        return
    try:
        private_dir(path.parent, create=False)
    except UnsafePathError as error:
        raise UnsafeSocketError(error.what, why=error.why, fix=error.fix) from None


def read_secret(path: Path) -> bytes:
    """Return the content of a file that only we can read.

    Raises:
        SecretMissingError: there is no such file.
        UnsafePathError: it cannot be read, is a link, or is open to others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise SecretMissingError(
            f"there is no {path}",
            why="`mlq server start` makes it, on the queue's host",
            fix="start the queue, or copy this file from its host with scp -p",
        ) from None
    except OSError as error:
        why = "it is a symbolic link" if path.is_symlink() else _plain(error)
        raise UnsafePathError(f"cannot read {path}", why=why) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UnsafePathError(f"cannot read {path}", why="it is not a file")
        _check_ours(path, found, "file", 0o600)
        return os.read(descriptor, found.st_size)
    finally:
        os.close(descriptor)


def read_password(path: Path) -> str:
    """Return the password in this file.

    Raises:
        UnsafePathError: as `read_secret`, or the file is empty: a server with an empty password
            would admit every client that reaches it.
    """
    password = read_secret(path).decode(errors="replace").strip()
    if not password:
        raise UnsafePathError(
            f"{path} holds no password",
            why="it is empty",
            fix="copy it anew from another machine with scp -p; or, on the queue's host, delete it:"
            " `mlq server start` makes a new one",
        )
    return password


def write_secret(path: Path, data: bytes) -> None:
    """Make a new file that only we can read; no reader ever sees half of it.

    Raises:
        FileExistsError: there is one already; it is not touched.
        UnsafePathError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    try:
        with suppress(FileExistsError):  # a file is in its place: opening fails below
            make_private_dirs(path.parent)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            # Unlike rename, link refuses to replace a secret that is already in use.
            path.hardlink_to(temporary)
        finally:
            temporary.unlink()
    except FileExistsError:
        raise
    except OSError as error:
        raise UnsafePathError(f"cannot write {path}", why=_plain(error)) from None


_ELSEWHERE = "`mlq config` shows which setting names it; point that elsewhere"


def _check_ours(path: Path, found: os.stat_result, kind: str, mode: int) -> None:
    if found.st_uid != os.geteuid():
        raise UnsafePathError(
            f"the {kind} {path} is not yours",
            why=f"it belongs to user {found.st_uid}",
            fix=_ELSEWHERE,
        )
    if found.st_mode & 0o077:
        # A sticky folder, such as /tmp, is meant for all users.
        shared = bool(found.st_mode & stat.S_ISVTX)
        raise UnsafePathError(
            f"the {kind} {path} is open to others",
            why=f"its mode is {stat.S_IMODE(found.st_mode):04o} instead of {mode:04o}",
            fix=_ELSEWHERE if shared else f"if no other user has used it: chmod {mode:o} {path}",
        )


def _plain(error: OSError) -> str:
    return error.strerror or str(error)
