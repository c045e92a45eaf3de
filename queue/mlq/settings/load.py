"""Loads the settings: defaults, a config file, the environment, in that order.

Checking them takes pydantic, whose import alone takes longer than a whole `mlq ls` should. So a
checked result is kept in a private file that also holds everything it was made from: all raw
values, the defaults and the version of mlq. The file is therefore never out of date, and without it
only the speed suffers.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlq.errors import SettingsError, UnsafePathError
from mlq.files.layout import write_atomically
from mlq.files.paths import private_dir, read_secret
from mlq.settings.people import home, user_name
from mlq.settings.settings import CONFIG_VARIABLE, JOB_VARIABLES, PARAMETERS, Settings, variable
from mlq.version import __version__

_LOCATION_VARIABLES = ("HOME", "USER", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
_LAB_VOLUME = Path("/vol/bitbucket")
_LINGER = Path("/var/lib/systemd/linger")


class Loaded(NamedTuple):
    """Settings, and where each comes from.

    Args:
        settings: the settings.
        origin: name -> "default", "environment MLQ_BEAT_S" or "/path/config.toml line 7".
        config_file: the config file, which need not exist.
    """

    settings: Settings
    origin: dict[str, str]
    config_file: Path


def load(environ: Mapping[str, str]) -> Loaded:
    """Return the settings of this environment.

    Raises:
        SettingsError: a key is unknown or a value cannot be used; the message names file and line,
            or the variable.
    """
    path = config_path(environ)
    content = _content(path, required=bool(environ.get(CONFIG_VARIABLE)))
    defaults = default_settings(environ, path.parent)
    made_from = _made_from(environ, path, content, defaults)
    memory = _memory_file(environ, defaults, made_from)
    remembered = _recall(memory, made_from, defaults) if memory else None
    if remembered:
        return Loaded(*remembered, path)
    from mlq.settings.check import check

    settings, origin = check(environ, path, content, defaults)
    if memory:
        # If the file cannot be written (disk full), the next command takes 0.1 s longer, nothing
        # else.
        with suppress(OSError):
            whole = [made_from, settings._asdict(), origin]
            write_atomically(memory, json.dumps(whole, default=str).encode())
    return Loaded(settings, origin, path)


def config_path(environ: Mapping[str, str]) -> Path:
    """Return where the config file is, or would be."""
    named = environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named).absolute()
    return _base(environ, "XDG_CONFIG_HOME", ".config") / "mlq" / "config.toml"


def default_settings(environ: Mapping[str, str], config_dir: Path) -> Settings:
    """Return the default settings."""
    data = _base(environ, "XDG_DATA_HOME", ".local/share") / "mlq"
    user = user_name(environ)
    volume = _LAB_VOLUME / user
    runtime = _runtime_dir(environ, lingers=_is_there(_LINGER / user))
    return Settings(
        root=volume / "mlq" if _is_there(volume) else data,
        runtime_dir=runtime,
        server_dir=data / "server",
        redis_socket=runtime / "redis.sock",
        password_file=config_dir / "redis.password",
        key_file=config_dir / "signing.key",
        machine=os.uname().nodename.split(".")[0],
        cache_dir=Path(f"/var/tmp/mlq-{os.getuid()}"),  # noqa: S108 - as above
    )


def _is_there(path: Path) -> bool:
    with suppress(OSError):  # a file in a folder that we cannot enter does not exist for us
        return path.exists()
    return False


def _runtime_dir(environ: Mapping[str, str], *, lingers: bool) -> Path:
    """Return the default runtime folder; the one in use stays, also when lingering is switched.

    Otherwise `mlq worker install`, which has the user linger, would lose sight of what runs.
    """
    preferred = default_runtime_dir(environ, lingers=lingers)
    other = default_runtime_dir(environ, lingers=not lingers)
    moved = other != preferred and is_in_use(other) and not is_in_use(preferred)
    return other if moved else preferred


def is_in_use(runtime: Path) -> bool:
    """Return whether a queue's server or a worker of ours has its files in a runtime folder."""
    try:
        found = os.lstat(runtime)
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return False
    return os.path.lexists(runtime / "redis.sock") or any(runtime.glob("m/*/*.pid"))


def default_runtime_dir(environ: Mapping[str, str], *, lingers: bool) -> Path:
    """Return where sockets, locks and pid files go.

    That is $XDG_RUNTIME_DIR/mlq, with one exception: systemd's /run/user/UID is deleted at the
    user's last logout, although a worker should stay, unless the user lingers (see loginctl(1)). A
    lingering user has that folder in cron, too, where the variable is not set.
    """
    run = environ.get("XDG_RUNTIME_DIR", "")
    systemd_folder = f"/run/user/{os.getuid()}"
    if lingers and not run and Path(systemd_folder).is_dir():
        run = systemd_folder
    if run.startswith("/") and (lingers or run.rstrip("/") != systemd_folder):
        return Path(run) / "mlq"
    return Path(f"/tmp/mlq-{os.getuid()}")  # noqa: S108 - checked to be ours and 0700 before use


def _base(environ: Mapping[str, str], name: str, under_home: str) -> Path:
    # The XDG base directory specification says to ignore relative paths.
    value = environ.get(name, "")
    return Path(value) if value.startswith("/") else home(environ) / under_home


def _content(path: Path, *, required: bool) -> bytes | None:
    try:
        return _read(path)
    except FileNotFoundError:
        if not required:
            return None
        raise SettingsError(
            f"there is no config file {path}", why=f"{CONFIG_VARIABLE} names it"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"cannot read the config file {path}", why=error.strerror or str(error)
        ) from None


def _read(path: Path) -> bytes:
    if path.is_fifo():
        raise OSError(errno.EINVAL, "it is a named pipe")  # which would be waited for
    return path.read_bytes()


def _made_from(
    environ: Mapping[str, str], path: Path, content: bytes | None, defaults: Settings
) -> str:
    known = {variable(name) for name in Settings._fields}
    raw = [
        __version__,
        {name: str(kind) for name, kind in Settings.__annotations__.items()},
        defaults,
        [environ.get(name) for name in _LOCATION_VARIABLES],
        # Only the names of the others matter; a value may be anything, even a secret.
        sorted(
            (name, value if name in known else "")
            for name, value in environ.items()
            if name.startswith("MLQ_")
            and name not in JOB_VARIABLES
            and not name.startswith(PARAMETERS)
        ),
        str(path),
        None if content is None else content.decode("latin-1"),
    ]
    return json.dumps(raw, default=str)


def _memory_file(environ: Mapping[str, str], defaults: Settings, made_from: str) -> Path | None:
    # The config file may name another folder, but it has not been read yet.
    set_by_variable = environ.get(variable("runtime_dir"), "")
    runtime = Path(set_by_variable) if set_by_variable.startswith("/") else defaults.runtime_dir
    try:
        folder = private_dir(private_dir(runtime) / "settings")
    except UnsafePathError:
        return None  # what needs the folder for more than speed will say so
    # Not hashlib: its import takes longer than all the rest of this module. The name only keeps
    # several memories apart; whether one fits is told by what it holds.
    return folder / f"{zlib.crc32(made_from.encode()):08x}.json"


def _recall(
    memory: Path, made_from: str, defaults: Settings
) -> tuple[Settings, dict[str, str]] | None:
    try:
        remembered, values, origin = json.loads(read_secret(memory))
        if remembered != made_from:
            return None
        for name, default in zip(Settings._fields, defaults, strict=True):
            if isinstance(default, Path | tuple):  # values without a JSON type
                values[name] = type(default)(values[name])
        return Settings(**values), origin
    except (UnsafePathError, ValueError, TypeError, KeyError):
        return None  # the file is missing, or not one of ours: it is made anew
