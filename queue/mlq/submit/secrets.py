"""Secrets of jobs: each is a private file under the results root and never goes into the queue.

A job's signed text holds only the name of the file. That name is an HMAC of the variable and its
value by the signing key: all jobs that use the same secret share one file, and a reader of the
queue learns nothing from its name, since a guess cannot be checked without the key. The machine
that runs the job reads the file when the attempt starts (`mlq_worker.launcher.secrets`), so retried
and requeued jobs find it again.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlq.errors import InvalidInputError, StorageError
from mlq.files.layout import Layout, write_atomically
from mlq.files.paths import SecretMissingError, private_dir, read_secret
from mlq.submit.python_arguments import texts

# Linux allows no string above 128 KiB in an environment (MAX_ARG_STRLEN, execve(2)).
MOST_BYTES = 64 * 1024

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_DIGEST_BYTES = 16


def chosen(asked: Sequence[str] | Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets asked for, each with its value.

    Args:
        asked: names of variables that are set, or names with values.
        environ: the variables that hold the values of the names.

    Raises:
        InvalidInputError: a name cannot be a variable's, or has no value that could be passed to a
            job. No message shows a value.
    """
    if isinstance(asked, str):
        raise InvalidInputError("secrets is one text", fix=f"a list is needed: [{asked!r}]")
    found = {name: asked[name] for name in asked} if isinstance(asked, Mapping) else {}
    for name in texts("secrets", asked, '["WANDB_API_KEY"]'):
        _check_name(name)
        if not isinstance(asked, Mapping):
            found[name] = environ.get(name, "")
        _check_value(name, found[name])
    return found


def _check_name(name: str) -> None:
    shown, is_pair, _ = name.partition("=")
    if is_pair:
        raise InvalidInputError(
            f"--secret {shown}=... cannot be used",
            why="everybody on this machine can read command lines",
            fix=f"export {shown} (or `read -rs {shown}` first), then: --secret {shown}",
        )
    if not _NAME.fullmatch(name):
        raise InvalidInputError(f"--secret {name} names no variable", fix="--secret WANDB_API_KEY")
    if name.startswith("MLQ_"):
        raise InvalidInputError(f"--secret {name} cannot be used", why="mlq sets it for each job")


def _check_value(name: str, value: object) -> None:
    why = ""
    if not isinstance(value, str):
        why = "it is not text"
    elif not value:
        raise InvalidInputError(
            f"--secret {name} has no value",
            why=f"{name} is not set here",
            fix=f"export {name} (or `read -rs {name}; export {name}`), then try again",
        )
    elif "\0" in value or not _is_utf8(value):
        why = "its value is not UTF-8 text without NUL"
    elif len(value.encode()) > MOST_BYTES:
        why = f"its value is longer than {MOST_BYTES // 1024} KiB"
    if why:
        raise InvalidInputError(f"--secret {name} cannot be used", why=why)


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def file_name(key: bytes, name: str, value: str) -> str:
    """Return the name of the file of a secret: `WANDB_API_KEY-` and 32 hexadecimal digits.

    Args:
        key: the signing key.
        name: the variable; no NUL is in it.
        value: its value.
    """
    # Distinct from the signed texts of jobs, which use the same key: those are JSON objects.
    text = f"mlq secret\0{name}\0{value}".encode()
    return f"{name}-{hmac.digest(key, text, 'sha256')[:_DIGEST_BYTES].hex()}"


def keep(layout: Layout, key: bytes, secrets: Mapping[str, str], queue_id: str) -> dict[str, str]:
    """Write secrets to files where the machines find them; return the file name of each.

    An existing file is kept and touched: its time says when a job was last enqueued with it.

    Args:
        layout: the results root.
        key: the signing key.
        secrets: names and values.
        queue_id: of the queue that the root must belong to.

    Raises:
        StorageError: the root cannot be reached or written from here, or is not this queue's.
        UnsafePathError: the folder of secrets, or a file in it, is open to others.
    """
    check_root(layout, queue_id)
    folder = private_dir(layout.secrets_dir)
    names = {name: file_name(key, name, value) for name, value in secrets.items()}
    for name, value in secrets.items():
        path, data = folder / names[name], value.encode()
        try:
            if _content(path) == data:
                os.utime(path)
            else:
                write_atomically(path, data)
        except OSError as error:
            raise StorageError(
                f"the secret {name} cannot be written to {folder}",
                why=error.strerror or str(error),
                fix="make room there, or enqueue where the results root can be written",
            ) from None
    return names


def _content(path: Path) -> bytes | None:
    try:
        return read_secret(path)
    except SecretMissingError:
        return None


def check_root(layout: Layout, queue_id: str) -> None:
    """Make sure that the results root is mounted here and is the one that this queue's workers use.

    Raises:
        StorageError: it is not; no job would find a secret that is written elsewhere.
    """
    from mlq.files.root import read_owner

    try:
        found = read_owner(layout.root)
    except OSError as error:
        why = error.strerror or str(error)
        raise StorageError(f"{layout.queue_file} cannot be read", why=why) from None
    owner = None if found is None else found.queue_id
    if owner is None:
        raise StorageError(
            f"--secret needs the results root, and {layout.root} is none",
            why="a secret goes to a job by a file there, never through the queue; no worker of "
            "this queue has used that folder",
            fix="enqueue on a machine of the lab, where the root is mounted; if root is wrong, set "
            "it (`mlq config`); if this is the first job, start a worker first",
        )
    if owner != queue_id:
        raise StorageError(
            f"--secret needs this queue's results root, and {layout.root} is another's",
            why=f"it belongs to queue {owner}, this one is {queue_id or 'without workers yet'}",
            fix="set root to the one that the workers use: `mlq config` there shows it",
        )
