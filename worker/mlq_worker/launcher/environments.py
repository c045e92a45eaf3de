"""Which Python environment an attempt had: its kind, its Python, and what was installed.

Packages change while jobs wait, so the launcher looks where and when an attempt starts: at the
names in a few folders; it opens no file but `pyvenv.cfg`. Attempts share a record that is named by
its content (`environments/<hash>.json` on the results root); the attempt's own note names the
record.
Invariant: unknown facts are left out, and keep no job from starting.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mlq.files.layout import Layout, write_atomically
from mlq.files.paths import make_private_dirs

_MOST_NAMES = 20_000
_BELIEF_S = 1.0  # hundreds of short jobs may start in it
_CONFIG_BYTES = 1 << 16
# PEP 376 and 427; an egg's name may go on with a tag of Python.
_INSTALLED = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")
_CONDA = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)-[^-]+\.json")
_VERSION = re.compile(r"^version(?:_info)?\s*=\s*(\S+)", re.MULTILINE)
_UV = re.compile(r"^uv\s*=", re.MULTILINE)

State = tuple[tuple[str, int], ...]


class _Known(NamedTuple):
    """An environment as last seen, the name of its record, and until when that holds."""

    state: State
    name: str
    until_s: float


def state_of(prefix: str) -> State:
    """Return a state that changes with each install or removal; empty if nothing is there."""
    found = []
    for path in (*_site_packages(prefix), f"{prefix}/conda-meta", f"{prefix}/pyvenv.cfg"):
        with suppress(OSError):
            found.append((path, os.lstat(path).st_mtime_ns))
    return tuple(found)


def describe(prefix: str) -> dict[str, Any]:
    """Return what is known of an environment, as JSON."""
    config = _text(f"{prefix}/pyvenv.cfg")
    packages = dict(_matches(f"{prefix}/conda-meta", _CONDA))
    installed: dict[str, str] = {}
    for folder in _site_packages(prefix):
        installed |= dict(_matches(folder, _INSTALLED))
    found = _VERSION.search(config)
    return {
        "kind": _kind(prefix, config),
        "prefix": prefix,
        "python": found[1] if found else packages.get("python", ""),
        "distributions": dict(sorted(installed.items())),
        "conda_packages": dict(sorted(packages.items())),
    }


class Environments:
    """The environments of one machine's attempts; may be used by several threads.

    Args:
        clock: seconds that only run forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def record(self, prefix: str, root: Layout) -> str:
        """Return the name of an environment's record, written if it is new; "" if there is none.

        Args:
            prefix: the environment, "" for none.
            root: the results root, opened.
        """
        if not prefix:
            return ""
        known, now_s = self._known.get(prefix), self._clock()
        if known is not None and now_s < known.until_s:
            return known.name
        state = state_of(prefix)
        if known is not None and known.state == state:
            self._known[prefix] = known._replace(until_s=now_s + _BELIEF_S)
            return known.name
        text = json.dumps(describe(prefix), sort_keys=True, indent=1).encode()
        name = hashlib.sha256(text).hexdigest()[:20]
        path = f"{root.root}/environments/{name}.json"
        try:
            if not os.path.lexists(path):
                make_private_dirs(os.path.dirname(path))  # noqa: PTH120 - text
                write_atomically(path, text, flush=False)
        except OSError:
            return ""
        self._known[prefix] = _Known(state, name, now_s + _BELIEF_S)
        return name


def _kind(prefix: str, config: str) -> str:
    if "/.pixi/envs/" in f"{prefix}/" or os.path.lexists(f"{prefix}/conda-meta/pixi"):
        return "pixi"
    if Path(prefix, "conda-meta").is_dir():
        return "conda"
    if _UV.search(config):
        return "uv"
    return "venv" if config else ""


def _site_packages(prefix: str) -> list[str]:
    return [f"{prefix}/lib/{name}/site-packages" for name in _listed(f"{prefix}/lib", "python3")]


def _matches(folder: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    for name in _listed(folder):
        if match := pattern.fullmatch(name):
            yield match["name"], match["version"]


def _listed(folder: str, start: str = "") -> list[str]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names
    except OSError:
        return []
    return sorted(name for name in names[:_MOST_NAMES] if name.startswith(start))


def _text(path: str) -> str:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(file, _CONFIG_BYTES).decode(errors="replace")
        finally:
            os.close(file)
    except OSError:
        return ""
