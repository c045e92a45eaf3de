"""An installation of an ordinary user, made as they would, with a umask that protects nothing.

Only the folders that the system gives a user are made here, and they are open to all. So whatever
protects the rest is mlq's own doing.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leftovers import kill_all
from local_lab import SHORT
from people import Person
from sandbox import Sandbox

PATH = "/usr/local/bin:/usr/bin:/bin"


def home_of(person: Person, folder: Path, mlq: Path, **variables: str) -> Sandbox:
    """Return an installation whose home is a new folder, with all settings at their defaults.

    Args:
        person: whose it is.
        folder: the home; made, and open to all.
        mlq: the program.
        variables: of its environment, over the usual ones.
    """
    folder.mkdir(mode=0o755)
    person.own(folder)
    environ = {
        "PATH": PATH,
        "HOME": str(folder),
        "USER": person.name,
        "LOGNAME": person.name,
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "MLQ_MACHINE": "desk",
        "MLQ_SNAPSHOT": "false",
        **SHORT,
        **variables,
    }
    return Sandbox(folder, environ, program=mlq, identity=person.identity)


@contextmanager
def new_estate() -> Iterator[Path]:
    """Make a short folder that everybody may look into; all that runs of it is ended afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mlq-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        kill_all(folder)
        shutil.rmtree(folder)
