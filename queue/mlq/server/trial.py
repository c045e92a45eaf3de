"""Tries whether a server program keeps what it acknowledged, before it gets the queue's data.

Programs differ in ways that silently lose a queue: most replay their log as the user `default`, and
drop what `default` is not allowed to do. No list of good versions would stay right for long, so
each program is tried once on this machine: it gets our configuration in a scratch folder, a script
writes as the queue's user, the server is killed, and a second server must have everything that was
written. A client without the password must not get in. A program that passed is not tried again
until it, or its configuration, changes.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import tempfile
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlq.errors import MlqError, QueueRefusedError, QueueUnreachableError
from mlq.files.layout import last_line, write_atomically
from mlq.jobs.lifecycle import State
from mlq.server.config import acl_text, config_text
from mlq.server.programs import Program
from mlq.store import keys
from mlq.store.wire import UnixClient

_UP_S = 30.0
_POLL_S = 0.005
_LONGEST_BASE = 70
_USER = "mlq"
_LIST = keys.registry(State.QUEUED, "trial")
# A script, because its writes are logged as one transaction; a single command is not.
_SCRIPT = f"""
for number = 1, 3 do
  redis.call('HSET', '{keys.job("")}' .. number, 'status', ARGV[1])
  redis.call('RPUSH', '{_LIST}', number)
end
redis.call('PUBLISH', '{keys.WAKE}', 'work')
return redis.call('INCR', '{keys.LAST_NUMBER}')
"""
_ASKED: tuple[tuple[str, ...], ...] = (
    ("HGET", keys.job("3"), "status"),
    ("LRANGE", _LIST, "0", "-1"),
    ("GET", keys.LAST_NUMBER),
    ("GET", "mlq:trial"),
)


class Trials:
    """The results of the programs that were tried on this machine.

    Args:
        path: the file that remembers it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, dict[str, Any]] = {}
        with suppress(OSError, ValueError):
            known = json.loads(path.read_bytes())
            self._known = known if isinstance(known, dict) else {}

    def fault(self, program: Program) -> str:
        """Return why a program must not be used, "" if it passes; try it if need be.

        Raises:
            OSError: there is no room for the trial; that says nothing of the program.
        """
        name, state = str(program.path.resolve()), _state(program)
        known = self._known.get(name)
        if known == state | {"fault": ""}:
            return ""
        fault = try_program(program)
        self._known[name] = state | {"fault": fault}
        with suppress(OSError):
            write_atomically(self._path, json.dumps(self._known, indent=1).encode())
        return fault

    def faults(self) -> list[str]:
        """Return, in words, which programs failed when they were last tried; start no trial."""
        return [
            f"{path} ({one.get('version', '')}) is not used: {one['fault']}"
            for path, one in self._known.items()
            if isinstance(one, dict) and one.get("fault") and Path(path).exists()
        ]


def try_program(program: Program) -> str:
    """Return what a program does wrong, "" if it keeps its promises.

    Raises:
        OSError: the scratch folder cannot be written.
    """
    # A socket's path must be short.
    base = tempfile.gettempdir()
    base = base if len(base) <= _LONGEST_BASE else "/tmp"  # noqa: S108 - made there with mode 0700
    with tempfile.TemporaryDirectory(prefix="mlq-trial-", dir=base) as name:
        folder, password = Path(name), secrets.token_hex(16)
        socket = folder / "s"
        (folder / "users.acl").write_text(acl_text(_USER, password), encoding="utf-8")
        config = folder / "redis.conf"
        config.write_text(_told(program, folder, socket), encoding="utf-8")
        try:
            with _Life(program, config, socket, password) as first:
                first.call("EVAL", _SCRIPT, 0, "written")
                first.call("SET", "mlq:trial", "written")
                told = first.call_many(_ASKED)
                if _lets_in(socket):
                    return "it lets in clients that have no password"
            with _Life(program, config, socket, password) as second:
                kept = second.call_many(_ASKED)
        except MlqError as error:
            return f"it does not do what mlq needs: {error.why or error.what}"
        return "" if kept == told else "it lost what it had acknowledged when it was killed"


class _Life:
    """One run of a server; it is killed at the end."""

    def __init__(self, program: Program, config: Path, socket: Path, password: str) -> None:
        self._command = [str(program.path), str(config), "--daemonize", "no"]
        self._config, self._socket, self._password = config, socket, password

    def __enter__(self) -> UnixClient:
        log = self._config.with_name("out").open("wb")
        with log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._config.parent,
                umask=0o077,
                start_new_session=True,
            )
        try:
            return self._until_up()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _until_up(self) -> UnixClient:
        until_s = time.monotonic() + _UP_S
        while True:
            try:
                wire = UnixClient(self._socket, _USER, self._password)
                wire.call("PING")
            except QueueUnreachableError as error:
                if self._process.poll() is not None:
                    raise QueueRefusedError("the server ended", why=self._last_line()) from None
                if time.monotonic() > until_s:
                    raise QueueRefusedError("it does not answer", why=error.why) from None
                time.sleep(_POLL_S)
            else:
                return wire

    def _last_line(self) -> str:
        for name in ("redis.log", "out"):
            if said := last_line(self._config.with_name(name)):
                return said
        return f"it ended with {self._process.returncode} and said nothing"


def _lets_in(socket: Path) -> bool:
    for user, password in ("default", ""), (_USER, ""):
        stranger = UnixClient(socket, user, password)
        try:
            stranger.call("PING")
        except QueueRefusedError:
            continue
        finally:
            stranger.close()
        return True
    return False


def _state(program: Program) -> dict[str, Any]:
    found = os.stat(program.path)  # noqa: PTH116 - of what a link leads to
    told = acl_text("user", "password") + _told(program, Path("/folder"), Path("/s"))
    return {
        "version": program.version,
        "size": found.st_size,
        "changed_ns": found.st_mtime_ns,
        "told": f"{zlib.crc32((told + _SCRIPT).encode()):08x}",
    }


def _told(program: Program, folder: Path, socket: Path) -> str:
    return config_text(folder, socket, "always", one_log=program.one_log)
