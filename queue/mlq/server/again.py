"""A process that restarts a server that has lost its socket (`server_watch` starts it).

Its messages go into the server's own log, because its output is discarded.
"""

from __future__ import annotations

import os

from mlq.errors import MlqError
from mlq.server import control
from mlq.server.files import ServerFiles
from mlq.settings.load import load


def main() -> None:
    """Start the server, as `mlq server start` does."""
    settings = load(os.environ).settings
    files = ServerFiles(settings.server_dir)
    try:
        control.start(settings, say=files.write_log)
    except MlqError as error:
        files.write_log(str(error).replace("\n", "; "))
