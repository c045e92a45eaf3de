"""The real PyTorch, without a GPU, fetched once into the virtual environment.

Only its data loader's own workers show what a signal to the whole job does to a training.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ci import require

_REQUIREMENT = "torch==2.13.0+cpu"  # the builds for CPUs are a tenth of the others' size
_INDEX = "https://download.pytorch.org/whl/cpu"


def torch_path() -> Path:
    """Return the folder to put in PYTHONPATH; skips the test where it cannot be had."""
    folder = Path(sys.prefix) / "fetched" / _REQUIREMENT
    if folder.is_dir():
        return folder
    folder.parent.mkdir(exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=folder.parent))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--target",
        str(draft),
    ]
    for index in ([], ["--extra-index-url", _INDEX]):
        got = subprocess.run(
            [*pip, *index, _REQUIREMENT], capture_output=True, text=True, check=False
        )
        if got.returncode == 0:
            draft.rename(folder)
            return folder
    shutil.rmtree(draft)
    require(False, f"{_REQUIREMENT} cannot be fetched: {got.stderr[-300:]}")
    raise AssertionError
