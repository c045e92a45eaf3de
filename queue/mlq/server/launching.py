"""Starts the server on its data: with the right program, after a check of the data.

The order of the steps keeps two promises. First, no program that would lose data opens them: each
program is tried first, and one older than the data is not used. Second, no client meets a queue
that has lost jobs: unless the files are just as the last orderly stop left them, the server is
first started where no client finds it, and asked what it holds. A start that fails leaves the data
as they were found.
"""

from __future__ import annotations

import os
import secrets
import socket as sockets
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mlq.errors import QueueUnreachableError, ServerError
from mlq.files.layout import write_atomically
from mlq.files.paths import read_password, write_secret
from mlq.jobs.signing import create_key
from mlq.server import choice, known, torn
from mlq.server.config import acl_text, config_text
from mlq.server.data import DataFiles, damaged, find_data, set_aside
from mlq.server.files import ServerFiles, kept
from mlq.server.programs import Program, find_programs
from mlq.server.trial import Trials
from mlq.server.witness import Count, Expected, Witness, count, shortfall
from mlq.settings.settings import Settings
from mlq.store.wire import UnixClient

_POLL_S = 0.01
_DYING_S = 1.0
_HIDDEN = "look.sock"  # no longer than `redis.sock`
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Launch:
    """The parameters of a start.

    Args:
        settings: of this installation.
        files: its server's files.
        lock: the descriptor of the lock, which the server holds as long as it lives.
        deadline_s: when to give up, on the monotonic clock.
        extra_users: see `mlq.server.config.acl_text`.
        accept_loss: whether to accept data that hold less than they did, or none.
        afresh: whether to set aside what is there and begin without data.
        say: called with each message that the user should see.
    """

    settings: Settings
    files: ServerFiles
    lock: int
    deadline_s: float
    extra_users: Sequence[str]
    accept_loss: bool
    afresh: bool
    say: Say


def launch(told: Launch) -> None:
    """Start the server on its data; it may still be loading them.

    Raises:
        ServerError: it cannot be started, or its data are not what they must be.
    """
    settings, files = told.settings, told.files
    _refuse_foreign_server(settings.redis_socket)
    data = _data(told)
    program = _program(told, data)
    password = _password(settings.password_file)
    create_key(settings.key_file)
    witness = Witness(files.folder)
    try:
        files.pid_file.unlink(missing_ok=True)
        users = acl_text(settings.redis_user, password, told.extra_users)
        write_atomically(files.users, users.encode())
        files.log.touch(mode=0o600)
        if not data.exist:
            if not told.accept_loss:
                _refuse_to_begin_anew(settings, witness.expected())
        elif _is_as_left(files, data, program, witness):
            _check(told, witness.noted())
        else:
            with _mended(told, data):
                _write_config(told, program, settings.redis_socket.with_name(_HIDDEN))
                _check(told, _look(told, program))
        _write_config(told, program, settings.redis_socket)
        choice.note_writer(files.writer, program)
        _run(told, program)
    except OSError as error:
        raise ServerError(
            f"cannot start {program.path} in {files.folder}", why=error.strerror or str(error)
        ) from None


def settle(settings: Settings, files: ServerFiles, found: Count, *, accept_loss: bool) -> None:
    """Check that a server that has just started holds all that it must, and note what it holds.

    Raises:
        ServerError: it holds less.
    """
    witness = Witness(files.folder)
    error = shortfall(found, witness.expected(), files.folder)
    if error and not accept_loss:
        raise error
    witness.note(found, accept_loss=accept_loss)
    if not found.is_empty:
        known.remember(settings, found.queue_id)


def _data(told: Launch) -> DataFiles:
    if told.afresh:
        for aside in set_aside(told.files.folder):
            told.say(f"what was left of the queue's data is in {aside}")
    return find_data(told.files.folder)


def _program(told: Launch, data: DataFiles) -> Program:
    """Return the first program that may be used here and passes its trial."""
    files = told.files
    noted = choice.read_writer(files.writer) if data.exist else None
    based = data.writer()
    writer = max((one for one in (noted, based) if one), key=_newness, default=None)
    programs = choice.with_writers_own(find_programs(), noted)
    trials = Trials(files.trials)
    failed: list[str] = []
    for program in choice.in_order(programs.usable, writer):
        try:
            fault = trials.fault(program)
        except OSError as error:
            raise ServerError(
                f"{program.path} cannot be tried", why=error.strerror or str(error)
            ) from None
        if not fault:
            for one in failed:
                told.say(f"warning: {one}")
            return program
        failed.append(f"{program.path} ({program.version}) is not used: {fault}")
    raise choice.none_left(programs, failed, writer, files.folder)


def _newness(writer: choice.Writer) -> tuple[bool, tuple[int, int, int], bool]:
    return writer.kind == "Valkey", writer.number, bool(writer.path)


def _is_as_left(files: ServerFiles, data: DataFiles, program: Program, witness: Witness) -> bool:
    wrote = choice.read_writer(files.writer)
    same = wrote and (wrote.kind, wrote.number) == (program.kind, program.number)
    return bool(same) and witness.is_untouched(data)


def _check(told: Launch, found: Count) -> None:
    """Make sure that the server holds all that it must."""
    if told.accept_loss:
        return
    if found.is_empty:
        known.refuse_second(told.settings)
    copied = known.copied(told.settings, found.queue_id)
    error = shortfall(found, Witness(told.files.folder).expected(*copied), told.files.folder)
    if error:
        raise error


def _refuse_to_begin_anew(settings: Settings, expected: Expected) -> None:
    error = shortfall(Count(), expected, settings.server_dir)
    if error:
        raise error
    known.refuse_second(settings)


@contextmanager
def _mended(told: Launch, data: DataFiles) -> Iterator[None]:
    """Cut off a torn end of the log; put it back if the body of the `with` fails."""
    log, cut = data.log, None
    verdict = torn.examine(log) if log else None
    if log and isinstance(verdict, torn.Damaged):
        raise damaged(told.files.folder, f"{log} holds no command at byte {verdict.at}")
    if log and isinstance(verdict, torn.Torn):
        cut = torn.cut_off(log, verdict.at, told.files.folder)
    try:
        yield
    except BaseException:
        if cut:
            cut.undo()
        raise
    if cut:
        told.files.write_log(str(cut))
        told.say(str(cut))


def _look(told: Launch, program: Program) -> Count:
    """Start the server where no client finds it, and return what it holds."""
    settings, files = told.settings, told.files
    socket = settings.redis_socket.with_name(_HIDDEN)
    said_before = files.log_size()
    password = read_password(settings.password_file)
    aside = ["--daemonize", "no", "--auto-aof-rewrite-percentage", "0"]
    with files.log.open("ab") as log:
        server = subprocess.Popen(
            [program.path, files.config, *aside],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=files.folder,
            umask=0o077,
            pass_fds=[told.lock],
            start_new_session=True,
        )
    try:
        while True:
            try:
                wire = UnixClient(socket, settings.redis_user, password)
                try:
                    return count(wire)
                finally:
                    wire.close()
            except QueueUnreachableError as error:
                if server.poll() is not None:
                    raise files.why_ended(said_before) from None
                if time.monotonic() >= told.deadline_s:
                    raise ServerError(
                        "the queue's server is not ready", why=error.why, fix=f"see {files.log}"
                    ) from None
                time.sleep(_POLL_S)
    finally:
        with suppress(ProcessLookupError):
            server.terminate()
        server.wait()
        socket.unlink(missing_ok=True)
        files.pid_file.unlink(missing_ok=True)


def _write_config(told: Launch, program: Program, socket: Path) -> None:
    settings, hidden = told.settings, socket != told.settings.redis_socket
    config = config_text(
        told.files.folder,
        socket,
        program.fsync(settings.redis_fsync),
        settings.redis_port if settings.redis_tcp and not hidden else 0,
        one_log=program.one_log,
    )
    write_atomically(told.files.config, os.fsencode(config))


def _run(told: Launch, program: Program) -> None:
    files = told.files
    said_before = files.log_size()
    with files.log.open("ab") as log, kept(told.settings.redis_socket.parent) as held:
        ran = subprocess.run(
            [program.path, files.config],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=files.folder,
            umask=0o077,
            pass_fds=[told.lock, *held],
            check=False,
        )
    if ran.returncode != 0:
        raise files.why_ended(said_before)


def _password(path: Path) -> str:
    # An existing password stays: it outlives the server, and other machines have copies of it.
    with suppress(FileExistsError):
        write_secret(path, secrets.token_hex(32).encode() + b"\n")
    return read_password(path)


def _refuse_foreign_server(path: Path) -> None:
    # When a server is killed, the kernel may release its lock before its socket.
    until_s = time.monotonic() + _DYING_S
    while _answers(path):
        if time.monotonic() >= until_s:
            raise ServerError(
                f"another server answers at {path}",
                why="it keeps its data in another folder than server_dir",
                fix="stop it first, or set redis_socket or server_dir; see `mlq config`",
            )
        time.sleep(_POLL_S)


def _answers(path: Path) -> bool:
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
