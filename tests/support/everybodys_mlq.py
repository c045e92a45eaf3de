"""A copy of this mlq that every user of the box can run.

The clone under test, its virtual environment or even its Python may lie where only root may look,
such as below /root. So a virtual environment is made that is open to all: with mlq itself as the
wheel that `mlq deploy` makes, copies of the distributions it requires, and a Python that all share.
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

from ci import require

from mlq_cli.remote import wheel

_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_SCRIPT = """#!{python}
import sys
from mlq_cli.main import main
sys.exit(main())
"""


def copy_mlq(folder: Path) -> Path:
    """Copy mlq and all it needs into an empty folder; returns the `mlq` to run.

    Args:
        folder: everybody may look into it and its parents.
    """
    base = _everybodys_python()
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
    program.write_text(_SCRIPT.format(python=python))
    program.chmod(0o755)
    _open_to_all(folder)
    return program


def _everybodys_python() -> Path:
    """Return a Python of this version that everybody may run: this one, or the system's."""
    for folder in (f"{sys.base_prefix}/bin", "/usr/local/bin", "/usr/bin"):
        python = Path(folder, _PYTHON)
        if python.exists() and all(one.stat().st_mode & 0o001 for one in python.resolve().parents):
            return python
    require(False, f"a {_PYTHON} that every user may run")
    raise AssertionError


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
