"""The real PyTorch, without a GPU, fetched once into the virtual environment.

Only its data loader's own workers show what a signal to the whole job does to a training.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

_REQUIREMENT = "torch==2.13.0+cpu"  # the builds for CPUs are a tenth of the others' size
_FETCH_S = 50  # both tries fit into the time a test may take
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
    why = ""
    for index in ([], ["--extra-index-url", _INDEX]):
        try:
            got = subprocess.run(
                [*pip, *index, _REQUIREMENT],
                capture_output=True,
                text=True,
                check=False,
                timeout=_FETCH_S,
            )
        except subprocess.TimeoutExpired:
            why = f"it takes longer than {_FETCH_S} s"
            continue
        if got.returncode == 0:
            draft.rename(folder)
            return folder
        why = got.stderr[-300:]
    shutil.rmtree(draft)
    # Everywhere, in CI too: 200 MB from another index than PyPI are not to be had in every network.
    pytest.skip(f"{_REQUIREMENT} cannot be fetched: {why}")
