"""Python environments of users, with real packages from PyPI and without mlq.

Each is made once, in the virtual environment of the tests, and kept. A draft is renamed when it is
whole, so tests side by side may ask for the same one. It must then not know its own path: programs
are started by its `python`, never by scripts of its `bin`.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ci import require

REPOSITORY = Path(__file__).resolve().parents[2]


def users_python(*requirements: str) -> Path:
    """Return the interpreter of an environment that has these; skips the test without PyPI."""
    digest = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:12]
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
        if folder.is_dir():
            shutil.rmtree(draft)
        else:
            draft.rename(folder)
    return folder / "bin" / "python"
