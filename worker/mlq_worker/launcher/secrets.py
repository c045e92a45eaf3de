"""Reading the secrets of a job, in the launcher, when its attempt starts.

A secret comes by a file under the results root (`mlq.submit.secrets` writes it), and goes
nowhere but into the environment of the job. A file that another user could have put there or read
is refused: no link is followed, file and folder must be ours and closed to all others. Messages and
results name the variable and never its value.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping

from mlq.files.layout import Layout

_MOST_BYTES = 1 << 17  # as the kernel allows in an environment
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# Errors about a permission or a name; any other is the disk's fault and may pass.
_REFUSALS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOENT: "there is no such file",
    errno.ELOOP: "it is a symbolic link",
    errno.ENOTDIR: "its folder is a link or a file",
    errno.ENXIO: "it is not a file",
}


class SecretError(Exception):
    """A secret must not or cannot be used; the text says which, why and what to do."""


def read_secrets(layout: Layout, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the values of secrets.

    Args:
        layout: where the folder of secrets lies.
        wanted: variable -> name of its file.

    Raises:
        SecretError: a file is missing, or is not ours alone.
        OSError: the disk fails; it names the folder.
    """
    found = {}
    for name, file in wanted.items():
        try:
            found[name] = _value(str(layout.secrets_dir), file)
        except _Refused as refused:
            text = f"secret {name} cannot be read: {refused}; enqueue it again with --secret"
            raise SecretError(text) from None
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(layout.secrets_dir)) from None
    return found


class _Refused(Exception):  # noqa: N818 - becomes part of a sentence
    pass


def _value(folder: str, file: str) -> str:
    opened = _opened(folder, None, _FOLDER)
    try:
        _check_ours(os.fstat(opened), "its folder")
        # Listed before a name is asked for: an NFS client remembers that there was none.
        if file not in os.listdir(opened):  # noqa: PTH208 - of a descriptor
            raise _Refused(_REFUSALS[errno.ENOENT])
        data = _content(file, opened)
    finally:
        os.close(opened)
    try:
        value = data.decode()
    except UnicodeDecodeError:
        value = ""
    if not value or "\0" in value or len(data) > _MOST_BYTES:
        raise _Refused("it is damaged")
    return value


def _content(file: str, folder: int) -> bytes:
    descriptor = _opened(file, folder, _FILE)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _Refused(_REFUSALS[errno.ENXIO])
        _check_ours(status, "it")
        data = b""
        while len(data) <= _MOST_BYTES and (more := os.read(descriptor, _MOST_BYTES)):
            data += more
        return data
    finally:
        os.close(descriptor)


def _opened(path: str, folder: int | None, flags: int) -> int:
    try:
        return os.open(path, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in _REFUSALS:
            raise _Refused(_REFUSALS[error.errno]) from None
        raise


def _check_ours(status: os.stat_result, what: str) -> None:
    if status.st_uid != os.geteuid():
        raise _Refused(f"{what} belongs to user {status.st_uid}")
    if status.st_mode & 0o077:
        raise _Refused(f"{what} is open to others (mode {stat.S_IMODE(status.st_mode):04o})")
