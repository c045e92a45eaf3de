"""The settings of one installation: defaults, a config file, the environment, in that order.

Checking them takes pydantic, whose import alone costs more than a whole `mlq ls` may. So a checked
result is remembered in a private file that also holds everything it was made from: all raw values,
the defaults and the version of mlq. A memory is therefore never out of date, and without one
nothing changes but the speed.
"""

from __future__ import annotations

import errno
import json
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from mlq import __version__
from mlq.errors import SettingsError, UnsafePathError
from mlq.files.layout import write_atomically
from mlq.files.paths import private_dir, read_secret
from mlq.settings.people import home, user_name

if TYPE_CHECKING:
    # Only the checker (`mlq.settings.check`) evaluates the annotations.
    from annotated_types import Ge, Gt, Le

# Set by a worker for its jobs; a job that calls mlq is not misconfigured.
JOB_VARIABLES = frozenset(
    (
        "MLQ_JOB_ID",
        "MLQ_ATTEMPT",
        "MLQ_MARK",
        "MLQ_OUTPUT_DIR",
        "MLQ_CHECKPOINT_DIR",
        "MLQ_PROGRESS_FILE",
        "MLQ_JOB_FILE",
        "MLQ_RETURN_FILE",
    )
)
CONFIG_VARIABLE = "MLQ_CONFIG"

_LOCATION_VARIABLES = ("HOME", "USER", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
_LAB_VOLUME = Path("/vol/bitbucket")
_LINGER = Path("/var/lib/systemd/linger")


class Settings(NamedTuple):
    """Every setting; each is a key of the config file and a variable MLQ_<NAME>.

    Args:
        root: the results root; usually NFS.
        runtime_dir: sockets, locks and pid files; local, 0700.
        server_dir: the data of the queue's Redis server; local, never NFS.
        redis_socket: the unix socket on which the queue answers.
        password_file: the password of `redis_user`.
        key_file: the key that signs jobs.
        machine: the name of this machine.
        redis_user: the ACL user of the queue.
        redis_fsync: when the server flushes its log: before each reply, or once a second.
        beat_s: between two heartbeats on NFS and two renewals of leases.
        lease_s: how long a lease in Redis lasts without renewal.
        fence_s: out of touch on both channels for so long, a supervisor pauses its jobs.
        dead_s: a beat that stands still for so long, with its lease expired, is a dead machine.
        patience_s: a job that waited so long has a machine reserved.
        max_losses: more machines than that lost under a job fail it.
        retry_pause_s: before a failed job's first retry; three times as long before each next one.
        stop_grace_s: from SIGTERM to SIGKILL, for jobs without `--grace`.
        poll_s: between two looks of a worker at what it cannot be told of.
        keep_days: how long ended jobs stay listed.
        forget_machines_days: a machine not heard of for so long leaves the list.
        default_mem_mib: main memory of a job that does not say.
        capture_env: whether jobs are given the variables of the shell they are enqueued from.
        allow_unsigned: whether workers run functions enqueued with plain rq, unsigned.
        yield_to_others: whether cores that other people keep busy count as taken.
        cuda_devices: how jobs are told their GPUs; `index`: for programs that want numbers.
        queue_host: the host of the queue's server, as typed after `ssh`; empty: this machine.
        gateway: the ssh host to jump through on the way there; empty: as the ssh config says.
        remote_socket: `redis_socket` as `mlq config` shows it there; empty: the same as here.
        tunnel: `openssh` runs `ssh`, `sshtunnel` is all Python; `auto`: `openssh` where it is.
        tunnel_idle_s: how long the commands' tunnel stays up after the last of them.
        ssh_config: the ssh config file to use instead of `~/.ssh/config`.
        redis_tcp: only if sshd forwards no unix sockets: loopback TCP; first see docs/tunnels.md.
        redis_port: that port.
        machines: the lab's machines for `--all`, as typed after `ssh`; a variable has commas.
    """

    root: Path
    runtime_dir: Path
    server_dir: Path
    redis_socket: Path
    password_file: Path
    key_file: Path
    machine: str
    redis_user: str = "mlq"
    redis_fsync: Literal["always", "everysec"] = "always"
    beat_s: Annotated[float, Gt(0), Le(86400)] = 10
    lease_s: Annotated[float, Gt(0), Le(86400)] = 45
    fence_s: Annotated[float, Gt(0), Le(86400)] = 60
    dead_s: Annotated[float, Gt(0), Le(86400)] = 90
    patience_s: Annotated[float, Ge(0), Le(366 * 86400)] = 1800
    max_losses: Annotated[int, Ge(0), Le(10**6)] = 5
    retry_pause_s: Annotated[float, Ge(0), Le(86400)] = 5
    stop_grace_s: Annotated[float, Ge(0), Le(86400)] = 10
    poll_s: Annotated[float, Gt(0), Le(3600)] = 2
    keep_days: Annotated[int, Ge(1), Le(10**5)] = 90
    forget_machines_days: Annotated[int, Ge(1), Le(10**5)] = 30
    default_mem_mib: Annotated[int, Ge(1), Le(2**30)] = 2048
    capture_env: bool = True
    allow_unsigned: bool = False
    yield_to_others: bool = True
    cuda_devices: Literal["uuid", "index"] = "uuid"
    queue_host: str = ""
    gateway: str = ""
    remote_socket: str = ""
    tunnel: Literal["auto", "openssh", "sshtunnel"] = "auto"
    tunnel_idle_s: Annotated[float, Ge(1), Le(86400)] = 900
    ssh_config: str = ""
    redis_tcp: bool = False
    redis_port: Annotated[int, Ge(1024), Le(65535)] = 7379
    machines: tuple[str, ...] = ()

    @property
    def courtesy_s(self) -> float:
        """How long a machine under which a job failed or was lost lets others go first."""
        return 2 * self.poll_s  # in which each other machine has looked at what waits


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


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"MLQ_{name.upper()}"


def load(environ: Mapping[str, str]) -> Loaded:
    """Return the settings of this environment.

    Raises:
        SettingsError: a key is unknown or a value cannot be used; it names file and line, or the
            variable.
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
        # A memory that cannot be written (disk full) costs the next command 0.1 s, nothing else.
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
    """Return the settings if nobody sets anything."""
    data = _base(environ, "XDG_DATA_HOME", ".local/share") / "mlq"
    user = user_name(environ)
    volume = _LAB_VOLUME / user
    runtime = default_runtime_dir(environ, lingers=_is_there(_LINGER / user))
    return Settings(
        root=volume / "mlq" if _is_there(volume) else data,
        runtime_dir=runtime,
        server_dir=data / "server",
        redis_socket=runtime / "redis.sock",
        password_file=config_dir / "redis.password",
        key_file=config_dir / "signing.key",
        machine=os.uname().nodename.split(".")[0],
    )


def _is_there(path: Path) -> bool:
    with suppress(OSError):  # what lies in a closed folder is not there for us
        return path.exists()
    return False


def default_runtime_dir(environ: Mapping[str, str], *, lingers: bool) -> Path:
    """Return where sockets, locks and pid files go.

    That is $XDG_RUNTIME_DIR/mlq, with one exception: systemd's /run/user/UID is deleted at the
    user's last logout, under the feet of a worker that should stay, unless the user lingers (see
    loginctl(1)). And who lingers has it in cron, too, where the variable is not set.
    """
    run = environ.get("XDG_RUNTIME_DIR", "")
    systemd_folder = f"/run/user/{os.getuid()}"
    if lingers and not run and Path(systemd_folder).is_dir():
        run = systemd_folder
    if run.startswith("/") and (lingers or run.rstrip("/") != systemd_folder):
        return Path(run) / "mlq"
    return Path(f"/tmp/mlq-{os.getuid()}")  # noqa: S108 - checked to be ours and 0700 before use


def _base(environ: Mapping[str, str], name: str, under_home: str) -> Path:
    # The XDG base directory specification has relative paths ignored.
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
        # Of the others only the names matter; a value may be anything, even a secret.
        sorted(
            (name, value if name in known else "")
            for name, value in environ.items()
            if name.startswith("MLQ_") and name not in JOB_VARIABLES
        ),
        str(path),
        None if content is None else content.decode("latin-1"),
    ]
    return json.dumps(raw, default=str)


def _memory_file(environ: Mapping[str, str], defaults: Settings, made_from: str) -> Path | None:
    # Where the config file would put it is not known before the file is read.
    set_by_variable = environ.get(variable("runtime_dir"), "")
    runtime = Path(set_by_variable) if set_by_variable.startswith("/") else defaults.runtime_dir
    try:
        folder = private_dir(private_dir(runtime) / "settings")
    except UnsafePathError:
        return None  # whoever needs the folder for more than speed will say so
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
            if isinstance(default, Path | tuple):  # what JSON has no type for
                values[name] = type(default)(values[name])
        return Settings(**values), origin
    except (UnsafePathError, ValueError, TypeError, KeyError):
        return None  # there is none, or it is not one of ours: made anew
