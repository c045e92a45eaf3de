"""A copy of this mlq that every user of the box can run.

The clone under test, its virtual environment or even its Python may lie where only root may look,
such as below /root. So a virtual environment is made that is open to all: with mlq itself as the
wheel that `mlq deploy` makes, copies of the distributions it requires, and a copy of Python too if
it must be.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import zipfile
from importlib import metadata
from pathlib import Path

from mlq_cli.remote import wheel

_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_NOT_NEEDED = ("test", "tests", "site-packages", "idlelib", "tkinter", "ensurepip", "config-*")
# A copied Python finds its shared library no more where it was built to look.
_SCRIPT = """#!/bin/sh
LD_LIBRARY_PATH={libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}} \\
    exec {python} -m mlq_cli.main "$@"
"""


def copy_mlq(folder: Path) -> Path:
    """Copy mlq and all it needs into an empty folder; returns the `mlq` to run.

    Args:
        folder: everybody may look into it and its parents.
    """
    base = _everybodys_python(folder / "base")
    site = folder / "lib" / _PYTHON / "site-packages"
    site.mkdir(parents=True)
    (folder / "bin").mkdir()
    python = folder / "bin" / "python"
    python.symlink_to(base)
    (folder / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
    with zipfile.ZipFile(io.BytesIO(wheel.build().data)) as ours:
        ours.extractall(site)
    for distribution in _required("mlq-lab"):
        _copy(distribution, site)
    program = folder / "bin" / "mlq"
    program.write_text(_SCRIPT.format(python=python, libraries=base.parent.parent / "lib"))
    program.chmod(0o755)
    _open_to_all(folder)
    return program


def _everybodys_python(copy: Path) -> Path:
    """Return this Python, or a copy of it if not everybody may run it where it lies."""
    base = Path(sys.base_prefix)
    python = base / "bin" / _PYTHON
    if all(one.stat().st_mode & 0o001 for one in python.resolve().parents):
        return python
    (copy / "bin").mkdir(parents=True)
    (copy / "lib").mkdir()
    shutil.copy2(python, copy / "bin")
    for library in (base / "lib").glob("libpython*.so*"):
        shutil.copy2(library, copy / "lib")
    ignored = shutil.ignore_patterns(*_NOT_NEEDED)
    shutil.copytree(base / "lib" / _PYTHON, copy / "lib" / _PYTHON, ignore=ignored)
    return copy / "bin" / _PYTHON


def _required(name: str) -> list[metadata.Distribution]:
    """Return all that a distribution requires, at second hand too, as far as it is installed."""
    found: dict[str, metadata.Distribution] = {}
    names = [name]
    while names:
        one = re.sub(r"[-_.]+", "-", names.pop()).lower()
        try:
            found.setdefault(one, distribution := metadata.distribution(one))
        except metadata.PackageNotFoundError:  # for another system
            continue
        for requirement in distribution.requires or ():
            wanted = re.match(r"[\w.-]+", requirement)
            if wanted and "extra ==" not in requirement:
                plain = re.sub(r"[-_.]+", "-", wanted[0]).lower()
                names += [] if plain in found else [plain]
    del found[name]
    return list(found.values())


def _copy(distribution: metadata.Distribution, site: Path) -> None:
    for file in distribution.files or ():
        source = Path(str(distribution.locate_file(file)))
        if ".." not in file.parts and source.is_file():  # scripts lie outside
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _open_to_all(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        Path(parent).chmod(0o755)
        for path in (Path(parent, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
