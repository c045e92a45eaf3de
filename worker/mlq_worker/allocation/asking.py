"""Asks the batch system of an allocation when it ends; the only code here that starts a program.

A controller that is busy may not answer for minutes, so the worker asks in a background thread and
goes on with what it knows (`ending.End`).
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mlq.files.shims import real_program
from mlq_worker.allocation.ending import Told, question, told
from mlq_worker.allocation.systems import Allocation, files_of, notice

ANSWER_S = 20.0
_MOST_BYTES = 1 << 20


def look(environ: Mapping[str, str]) -> Allocation | None:
    """Return the allocation around this process; None if there is none."""
    texts = {}
    for name, path in files_of(environ).items():
        with suppress(OSError, ValueError), Path(path).open(encoding="utf-8") as file:
            texts[name] = file.read(_MOST_BYTES)
    return notice(environ, texts)


def ask(allocation: Allocation) -> Told:
    """Return what the system says; nothing if it cannot be asked."""
    for command in question(allocation):
        with suppress(OSError, subprocess.SubprocessError, UnicodeError):
            sent_utc_s = time.time()
            # Not mlq's own `squeue`, which may be first in PATH: it knows no allocation.
            program = real_program(command[0], os.environ.get("PATH", os.defpath))
            if not program:
                continue
            done = subprocess.run(
                [program, *command[1:]],
                capture_output=True,
                text=True,
                check=True,
                timeout=ANSWER_S,
            )
            answer = told(command[0], done.stdout, sent_utc_s)
            if answer != Told():
                return answer
    return Told()
