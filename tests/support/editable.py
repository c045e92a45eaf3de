"""Editable installs as the usual build backends make them, without pip's half a minute.

A backend turns a project into a wheel that leads to it, and an installer unpacks that into the
environment. The backends come from PyPI, once for each virtual environment of the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ci import require

_BACKENDS = ("setuptools>=70", "hatchling", "editables", "flit_core", "uv_build")
_INSTALL = """
import importlib, os, sys, tempfile, zipfile
into, projects = sys.argv[1], sys.argv[2:]
for project in projects:
    os.chdir(project)
    backend = importlib.import_module(open("backend").read())
    with tempfile.TemporaryDirectory() as wheels:
        wheel = backend.build_editable(wheels)
        zipfile.ZipFile(os.path.join(wheels, wheel)).extractall(into)
"""


def install_editable(site_packages: Path, projects: Iterable[Path]) -> None:
    """Install projects, whose file `backend` names the module that builds them."""
    fetched = _fetched()
    shutil.copytree(fetched / "editables", site_packages / "editables")  # needed at run time
    env = {"PYTHONPATH": str(fetched), "PATH": f"{fetched}/bin:{os.environ['PATH']}"}
    command = [sys.executable, "-c", _INSTALL, str(site_packages), *map(str, projects)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _fetched() -> Path:
    folder = Path(sys.prefix) / "fetched" / "build-backends"
    if not folder.is_dir():
        folder.parent.mkdir(exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=folder.parent))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", draft]
        got = subprocess.run([*pip, *_BACKENDS], capture_output=True, text=True, check=False)
        require(got.returncode == 0, f"build backends from PyPI: {got.stderr[-300:]}")
        if not folder.is_dir():
            draft.rename(folder)
    return folder
