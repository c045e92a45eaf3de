"""Which other projects a Python environment has installed editable: a job needs their code, too.

An editable install leaves a folder in `direct_url.json` (PEP 610) or in a `.pth` file, and Python
imports from there, live. Searching an environment takes a while on NFS; so the result is remembered
until the folder of packages, or one of these files, changes.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlq.code.memory import is_racy
from mlq.code.project import root_above
from mlq.errors import UnsafePathError
from mlq.files.layout import write_atomically
from mlq.files.paths import private_dir, read_secret

_MOST_BYTES = 1 << 20


def prefixes_of(python_env: str, programs: Iterable[str], start: str, home: str) -> tuple[str, ...]:
    """Return the environments whose Python a job may run.

    Args:
        python_env: the active environment; "" for none.
        programs: its program, as a path or as typed.
        start: the folder where it starts.
        home: of the user, whose `.local` a Python outside environments uses.
    """
    found = dict.fromkeys([python_env] if python_env else [])
    for program in programs:
        if program == "uv":
            found[f"{start}/.venv"] = None
        folder, slash, _ = os.path.join(start, program).rpartition("/bin/")  # noqa: PTH118
        if slash and "/" in program:
            found[folder] = None
    named = tuple(one.rstrip("/") for one in found if _is_environment(one))
    return named or (f"{home}/.local",)


def _is_environment(folder: str) -> bool:
    return any(os.path.lexists(f"{folder}/{one}") for one in ("pyvenv.cfg", "conda-meta"))


def editable_folders(
    prefix: str, runtime_dir: Path, now_ns: Callable[[], int] = time.time_ns
) -> tuple[str, ...]:
    """Return the folders that an environment imports live.

    Args:
        prefix: the environment.
        runtime_dir: the setting of that name, where it is remembered.
        now_ns: unix time.
    """
    found: dict[str, None] = {}
    for site in _sites(prefix):
        try:
            memory = private_dir(private_dir(runtime_dir) / "code") / f"{_name(site)}.site.json"
        except UnsafePathError:
            memory = None
        known = _recalled(memory, site) if memory else None
        if known is None:
            known, looked_at = _looked_through(site)
            if memory and looked_at and not any(is_racy(one, now_ns()) for one in looked_at[1]):
                with suppress(OSError):
                    text = json.dumps([site, looked_at[0], known])
                    write_atomically(memory, text.encode(), flush=False)
        found.update(dict.fromkeys(known))
    return tuple(found)


def _sites(prefix: str) -> list[str]:
    with suppress(OSError):
        names = sorted(os.listdir(f"{prefix}/lib"))  # noqa: PTH208 - names, not paths
        sites = [f"{prefix}/lib/{one}/site-packages" for one in names if one.startswith("python3")]
        return [one for one in sites if os.path.isdir(one)]  # noqa: PTH112 - speed
    return []


def _name(site: str) -> str:
    return f"{zlib.crc32(os.fsencode(site)):08x}"


def _recalled(memory: Path, site: str) -> list[str] | None:
    try:
        of, marks, known = json.loads(read_secret(memory))
        if of == site and all(_mark(path) == mark for path, mark in marks.items()):
            return [str(one) for one in known]
    except (UnsafePathError, OSError, ValueError, TypeError, AttributeError):
        pass  # the file is missing, or not one of ours: it is made anew
    return None


def _mark(path: str) -> list[int]:
    found = Path(path).stat()
    return [found.st_mtime_ns, found.st_ctime_ns, found.st_size]


def _looked_through(site: str) -> tuple[list[str], tuple[dict[str, list[int]], list[Any]] | None]:
    """Return the folders, and the marks and states by which a later look detects a change."""
    try:
        states = {site: Path(site).stat()}
        names = sorted(os.listdir(site))  # noqa: PTH208 - names, not paths
    except OSError:
        return [], None
    found: list[str] = []
    for name in names:
        path = f"{site}/{name}"
        if name.endswith(".pth"):
            with suppress(OSError):
                states[path] = Path(path).stat()
                found += _lines_of(path, site)
        elif name.endswith(".dist-info"):
            found += _of_direct_url(f"{path}/direct_url.json")
    marks = {path: [one.st_mtime_ns, one.st_ctime_ns, one.st_size] for path, one in states.items()}
    return sorted(set(found)), (marks, list(states.values()))


def _lines_of(path: str, site: str) -> list[str]:
    """Return the folders of repositories that a `.pth` file adds.

    A folder outside every repository is skipped: it may be any folder of the machine.
    """
    with Path(path).open("rb") as file:
        text = file.read(_MOST_BYTES).decode(errors="replace")
    lines = [os.path.join(site, line.strip()) for line in text.splitlines() if line.strip()]  # noqa: PTH118
    found = [one for one in lines if not one.startswith(f"{site}/")]
    return [one for one in found if Path(one).is_dir() and root_above(one)]


def _of_direct_url(path: str) -> list[str]:
    try:
        with Path(path).open("rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
        url, is_editable = str(found["url"]), found["dir_info"]["editable"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    if is_editable is not True or not url.startswith("file://"):
        return []
    from urllib.parse import unquote

    folder = unquote(url.removeprefix("file://"))
    return [folder] if Path(folder).is_dir() else []
