"""A conda environment, made and activated by rattler, the engine of pixi.

conda's own channels cannot be had everywhere; rattler comes from PyPI as one wheel (25 MB), and is
fetched once into the virtual environment. What it does is what conda does: it solves, installs a
package of a channel (here a folder, with one tiny package that has a script to run at activation)
and writes the commands by which a shell activates the prefix.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from ci import require

_RATTLER = "py-rattler==0.28.0"
_MAKER = Path(__file__).with_name("standins") / "conda_prefix.py"


class Prefix(NamedTuple):
    """A conda environment.

    Args:
        path: where it is.
        activation: what a shell has to do to activate it.
    """

    path: Path
    activation: str


def make_prefix(path: Path) -> Prefix:
    """Make a conda environment with a `python`, and a script that sets GDAL_DATA on activation."""
    with tempfile.TemporaryDirectory(prefix="mlq-channel-") as channel:
        done = subprocess.run(
            [sys.executable, _MAKER, channel, path, sys.executable],
            env={"PYTHONPATH": str(_fetched()), "HOME": channel, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done
    return Prefix(path, done.stdout)


def _fetched() -> Path:
    folder = Path(sys.prefix) / "fetched" / _RATTLER
    if not folder.is_dir():
        folder.parent.mkdir(exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=folder.parent))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", draft]
        got = subprocess.run([*pip, _RATTLER], capture_output=True, text=True, check=False)
        require(got.returncode == 0, f"{_RATTLER} from PyPI: {got.stderr[-300:]}")
        if not folder.is_dir():
            draft.rename(folder)
    return folder
