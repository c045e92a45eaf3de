"""The files that hold the queue's data, and whether they belong together.

Servers since Redis 7 write a base, a log of later changes, and a manifest that names both. Without
the manifest, such a server would silently start empty. Older servers write a single file.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from mlq.errors import LostDataError, ServerError
from mlq.server.choice import Writer
from mlq.server.programs import number_of
from mlq.units import utc_stamp

_FOLDER, _NAME = "appendonlydir", "appendonly.aof"
_LINE = re.compile(r'file "?([^"\s]+)"? seq \d+ type ([bhi])')
# The beginning of a base: its format, then the program that wrote it.
_WRITTEN_BY = re.compile(rb"^(?:REDIS|VALKEY)\d+\xfa.(redis|valkey)-ver.(\d+\.\d+\.\d+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DataFiles:
    """The files of the queue's data, as they are now.

    Args:
        files: base and logs, in the order in which they are read.
        manifest: the file that names them; None before Redis 7.
    """

    files: tuple[Path, ...]
    manifest: Path | None

    @property
    def exist(self) -> bool:
        """Whether there are any data."""
        return bool(self.files)

    @property
    def log(self) -> Path | None:
        """The file that the server appended to last."""
        return self.files[-1] if self.files else None

    def fingerprint(self) -> dict[str, list[int]]:
        """Return a value that changes whenever a server writes to the files."""
        named = [*self.files, *([self.manifest] if self.manifest else [])]
        states = [(path.name, path.stat()) for path in named]
        return {name: [state.st_size, state.st_mtime_ns] for name, state in states}

    def writer(self) -> Writer | None:
        """Return the program that wrote the base, as the base says."""
        if not self.files:
            return None
        with self.files[0].open("rb") as file:
            match = _WRITTEN_BY.match(file.read(100))
        if not match:
            return None
        return Writer(match[1].decode().capitalize(), number_of(match[2].decode()))


def find_data(folder: Path) -> DataFiles:
    """Return the files of the queue's data.

    Args:
        folder: server_dir.

    Raises:
        LostDataError: files are missing.
        ServerError: they cannot be read.
    """
    inner, single = folder / _FOLDER, folder / _NAME
    manifest = inner / f"{_NAME}.manifest"
    try:
        if not manifest.exists():
            _refuse_leftovers(inner, manifest)
            files = (single,) if single.exists() and single.stat().st_size else ()
            return DataFiles(files, None)
        named = _LINE.findall(manifest.read_text(encoding="utf-8"))
        files = tuple(inner / name for name, kind in named if kind != "h")
        missing = [path for path in files if not path.exists()]
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ServerError(f"the queue's data in {folder} cannot be read", why=why) from None
    if not files:
        raise damaged(folder, f"{manifest} names no files")
    if missing:
        raise damaged(folder, f"{missing[0]} is missing, which {manifest.name} names")
    return DataFiles(files, manifest)


def damaged(folder: Path, why: str) -> LostDataError:
    """Return the error for damaged data."""
    return LostDataError(
        "the queue's data are damaged, and were left as they are",
        why=why,
        fix=f"put back what is missing in {folder} from a backup; or `mlq server restore` makes "
        "a queue anew from the results root",
    )


def set_aside(folder: Path) -> list[Path]:
    """Rename the queue's data, so that a server starts without them; return the new names.

    Raises:
        OSError: they cannot be renamed.
    """
    stamp = utc_stamp(time.time())
    there = [folder / name for name in (_FOLDER, _NAME) if (folder / name).exists()]
    return [path.rename(folder / f"{path.name}.lost-{stamp}") for path in there]


def _refuse_leftovers(inner: Path, manifest: Path) -> None:
    # The names of files of an unfinished rewrite begin with temp-; such files do not count as data.
    left = [path for path in inner.glob(f"{_NAME}.*") if path.stat().st_size]
    if left:
        raise damaged(inner.parent, f"{manifest} is missing, but {left[0].name} is there")
