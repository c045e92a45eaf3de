"""Begins and ends the live screen: what takes long is begun before textual is imported.

The queue is asked in a thread while textual loads, so the first frame shows what it said. If it
does not answer at all, the user gets the error of any other command, and no screen.
"""

from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mlq.api.queue import Queue
from mlq.errors import MlqError
from mlq.files.layout import Layout
from mlq.settings.settings import Settings
from mlq_cli.invocation.session import open_store
from mlq_cli.root_files import root_files
from mlq_cli.top.job_files import JobFiles
from mlq_cli.top.watches import FilesWatch, QueueWatch

if TYPE_CHECKING:
    from mlq_cli.top.screen.app import TopApp

_PATIENCE_S = 0.1
"""A queue behind a tunnel may take longer; then the screen begins without it."""


class MissingExtraError(MlqError):
    """A command needs a library that is not installed."""


def show(settings: Settings) -> int:
    """Show the screen until the user leaves it; return the exit code.

    Raises:
        MissingExtraError: textual is not installed.
        QueueUnreachableError: the queue does not answer.
    """
    if find_spec("textual") is None:
        raise MissingExtraError(
            "mlq top needs textual",
            why="it is not installed beside mlq",
            fix="pip install 'mlq-lab[top]'; without it: mlq top --once",
        )
    app = new_app(settings)
    crashed: list[BaseException] = []

    def crash(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            crashed.append(args.exc_value)
            app.leave()

    threading.excepthook = crash
    app.run()
    if crashed:
        raise crashed[0]
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0


def new_app(settings: Settings) -> TopApp:
    """Return the screen; the queue is being asked already.

    Raises:
        QueueUnreachableError: the queue does not answer.
    """
    watch = QueueWatch(lambda: Queue(open_store(settings), settings))
    watch.start()
    from mlq_cli.top.screen.app import TopApp

    answer = watch.first(_PATIENCE_S)
    if answer is not None and answer.error is not None:
        raise answer.error
    files = FilesWatch(lambda: JobFiles(root_files(settings), Layout(settings.root)))
    return TopApp(settings, watch, files)
