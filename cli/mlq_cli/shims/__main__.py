"""Where each of Slurm's commands begins: `python -m mlq_cli.shims sbatch ...`.

Invariant: an error is one line that begins as Slurm's own do (`sbatch: error: ...`), and the exit
code is not 0. Programs read both. `srun` starts the ranks of jobs, so nothing is imported before it
is known which command it is.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from mlq.errors import MlqError
from mlq_cli.shims.version import VERSION, VersionAsked

_INTERRUPTED, _BROKEN_PIPE = 130, 141


def run(name: str, words: list[str]) -> int:
    """Run a command and return its exit code.

    Args:
        name: of the command; it has a module of this name here.
        words: what was typed after it.
    """
    try:
        code = int(import_module(f"mlq_cli.shims.{name}").main(words))
        sys.stdout.flush()
    except VersionAsked:
        print(VERSION, flush=True)
        return 0
    except MlqError as error:
        _tell(name, error)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _BROKEN_PIPE
    return code


def _tell(name: str, error: MlqError) -> None:
    from mlq_cli.render.clean import clean

    line = ": ".join(filter(None, (error.what, error.why)))
    line = "; ".join(filter(None, (line, error.fix)))
    with suppress(OSError):
        print(clean(f"{name}: error: {line}"), file=sys.stderr, flush=True)


def _end() -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = run(sys.argv[1], sys.argv[2:])
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(code)  # as `mlq` itself: Python's own clean-up takes time and frees nothing


if __name__ == "__main__":
    _end()
