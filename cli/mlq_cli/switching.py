"""Writes and removes the files by which anybody switches off every mlq of this machine.

It needs neither a queue nor a configuration: who sits at the desk may have neither. Files of other
users stay as they are; where such a file has the name, the next one is taken.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mlq.errors import InvalidInputError, MlqError
from mlq.units import format_duration, utc_iso
from mlq_worker.guest import off_file
from mlq_worker.guest.login_names import login_name, printable
from mlq_worker.guest.off_file import DEFAULT_S, FOLDER, LONGEST_S, MOST_BYTES, NAMES

_ROOT = 0


class Switch(NamedTuple):
    """A file that switches mlq off now.

    Args:
        path: where it is.
        uid: whose it is; -1: unknown.
        by: the login name of its owner.
        until: the unix time when it ends.
        why: what its owner wrote.
    """

    path: Path
    uid: int
    by: str
    until: float
    why: str

    def as_json(self) -> dict[str, Any]:
        """Return it as one object of `--json`."""
        told = {"file": str(self.path), "by": self.by, "until": utc_iso(self.until)}
        return {"machine": os.uname().nodename.split(".")[0], **told, "why": self.why}


def shared_folder(environ: Mapping[str, str]) -> Path:
    """Return where the users of this machine meet, without reading any configuration."""
    return Path(environ.get("MLQ_SHARED_DIR") or FOLDER)


def standing(folder: Path) -> list[Switch]:
    """Return what switches mlq off now, the longest first."""
    now_s, found = time.time(), []
    for file in off_file.look(str(folder)):
        content = off_file.read(str(folder), file)
        left_s = off_file.left_s(file, content, now_s)
        if left_s > 0:
            by = "somebody" if file.uid < 0 else login_name(file.uid)
            found.append(Switch(folder / file.name, file.uid, by, now_s + left_s, content.why))
    return sorted(found, key=lambda one: -one.until)


def switch_off(folder: Path, lasts_s: float | None, why: str) -> Path:
    """Switch mlq off; return the file that was written.

    Raises:
        InvalidInputError: it would last too long, or the reason is too long.
        MlqError: the file cannot be written.
    """
    lasts_s = DEFAULT_S if lasts_s is None else lasts_s
    if lasts_s > LONGEST_S:
        raise InvalidInputError(
            f"--for {format_duration(lasts_s)} is too long",
            why="mlq can be switched off for at most 24 hours",
            fix="type it again tomorrow",
        )
    content = f"{max(1, round(lasts_s))}s\n{printable(why)}\n".encode()
    if len(content) > MOST_BYTES:
        raise InvalidInputError(
            "the reason is too long", why=f"the file may have {MOST_BYTES} bytes at most"
        )
    try:
        return _written(folder, content)
    except OSError as error:
        raise MlqError(
            f"cannot switch mlq off in {folder}",
            why=error.strerror or str(error),
            fix=f"`touch {folder / NAMES[0]}` does the same, where that may be written",
        ) from None


def _written(folder: Path, content: bytes) -> Path:
    """Write the file whole, so that no supervisor reads half of it."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{NAMES[0]}.", dir=folder)
    try:
        os.write(descriptor, content)
        os.fchmod(descriptor, 0o644)  # others must be able to read it
        return _placed(folder, draft)
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            os.unlink(draft)  # noqa: PTH108 - a text


def _placed(folder: Path, draft: str) -> Path:
    for name in NAMES:
        path = folder / name
        try:
            os.link(draft, path)  # it fails if anything has that name
        except FileExistsError:
            found = os.lstat(path)
            if found.st_uid != os.geteuid():
                continue
            if stat.S_ISDIR(found.st_mode):
                path.rmdir()
            os.replace(draft, path)  # noqa: PTH105 - a text
        return path
    raise FileExistsError(0, f"other users have files of all names, {NAMES[0]} to {NAMES[-1]}")


def switch_on(folder: Path) -> None:
    """Remove what we switched off; root removes everybody's.

    Raises:
        MlqError: it cannot be removed, or another user keeps mlq switched off.
    """
    for file in list(off_file.look(str(folder))):
        if os.geteuid() in (_ROOT, file.uid):
            try:
                _remove(folder / file.name)
            except OSError as error:
                path = folder / file.name
                raise MlqError(
                    f"cannot remove {path}", why=error.strerror or str(error), fix=f"rm -r {path}"
                ) from None
    left = standing(folder)
    if left:
        keeps = left[0]
        said = f" ({keeps.why})" if keeps.why else ""
        raise MlqError(
            f"{keeps.by} keeps mlq switched off until {local_time(keeps.until)}{said}",
            why=f"{keeps.path} is theirs, and only they and root can remove it",
            fix=f"ask {keeps.by}; or wait: it ends by itself",
        )


def _remove(path: Path) -> None:
    if stat.S_ISDIR(os.lstat(path).st_mode):
        path.rmdir()
    else:
        path.unlink()


def local_time(unix_s: float) -> str:
    """Return a time of this or the next day as people read it: `22:00`, `tomorrow 02:00`."""
    at = time.localtime(unix_s)
    day = "" if at.tm_yday == time.localtime().tm_yday else "tomorrow "
    return f"{day}{at.tm_hour:02}:{at.tm_min:02}"
