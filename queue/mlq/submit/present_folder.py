"""The folder that a process is in, as its user knows it.

`/vol/me`, a link to `/mnt/disk3/me` here, may lead elsewhere on another machine; so the path that
was typed is what a job is given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def present_folder(environ: Mapping[str, str]) -> str:
    """Return the present folder: $PWD if that is it, else its path without links, as `pwd -L` does.

    Raises:
        OSError: there is no present folder.
    """
    typed = environ.get("PWD", "")
    if typed.startswith("/") and not {".", ".."} & set(typed.split("/")):
        try:
            if os.path.samestat(os.stat(typed), os.stat(".")):  # noqa: PTH116 - speed
                return typed
        except (OSError, ValueError):
            pass  # PWD names nothing: an older shell's
    return str(Path.cwd())
