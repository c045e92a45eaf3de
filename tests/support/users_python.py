"""Python environments of users, with real packages from PyPI and without mlq.

Each is made once, in the virtual environment of the tests, and kept. A draft is renamed when it is
whole, so tests side by side may ask for the same one. The scripts in its `bin` name the place where
it will be.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci import require

REPOSITORY = Path(__file__).resolve().parents[2]
_KIND = "2"  # differs from that of environments that an older version of this file made


def users_python(*requirements: str) -> Path:
    """Return the interpreter of an environment that has these; skips the test without PyPI."""
    digest = hashlib.sha256("\n".join((_KIND, sys.version, *requirements)).encode()).hexdigest()[
        :12
    ]
    folder = Path(sys.prefix) / "fetched" / f"users-{digest}"
    if not folder.is_dir():
        folder.parent.mkdir(exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=folder.parent))
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", draft], check=True)
        pip = [sys.executable, "-m", "pip", "--python", draft / "bin" / "python", "install"]
        got = subprocess.run(
            [*pip, "--quiet", *requirements], capture_output=True, text=True, check=False
        )
        require(got.returncode == 0, f"{', '.join(requirements)} from PyPI: {got.stderr[-300:]}")
        _name_the_place(draft, folder)
        if folder.is_dir():
            shutil.rmtree(draft)
        else:
            draft.rename(folder)
    return folder / "bin" / "python"


def _name_the_place(draft: Path, folder: Path) -> None:
    """Let the scripts of a draft be run by the Python that will be in this folder."""
    for script in (draft / "bin").iterdir():
        content = b"" if script.is_symlink() or script.is_dir() else script.read_bytes()
        if content.startswith(b"#!"):
            script.write_bytes(content.replace(bytes(draft), bytes(folder), 1))


def run_suite(python: Path, words: Sequence[str], environ: Mapping[str, str], folder: Path) -> str:
    """Run a package's own tests by pytest in a folder; return what it printed if all passed."""
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={folder}/t", *words],
        env=environ,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
