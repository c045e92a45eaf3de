"""What a tunnel leads to, and whether the socket's folder at its end is ours.

A target is the part of the settings by which tunnels differ.

After a reboot /tmp is empty, and the first user makes the folder of our name and listens in it. A
tunnel would lead there, and the next command would send that user the password. So the folder is
checked before a tunnel is used, by the same rules as here (`mlq.files.paths.check_socket_folder`).
A host that runs no commands cannot be asked; there, safety depends on the choice of
`remote_socket`.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import shlex
from dataclasses import asdict, dataclass

from mlq.errors import UnsafePathError
from mlq.settings.settings import Settings

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Target:
    """The far end of a tunnel and the way there; it holds no secret.

    Args:
        host: the ssh host of the queue's server.
        gateway: the ssh host to jump through; "": as the ssh configuration says.
        socket: the server's socket there.
        port: the server's port on the loopback interface there, instead of the socket; 0: none.
        how: `auto`, `openssh` or `sshtunnel`.
        ssh_config: the ssh configuration; "": the user's.
    """

    host: str
    gateway: str
    socket: str
    port: int = 0
    how: str = "auto"
    ssh_config: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Target:
        """Return the target of these settings."""
        return cls(
            host=settings.queue_host,
            gateway=settings.gateway,
            socket=settings.remote_socket or str(settings.redis_socket),
            port=settings.redis_port if settings.redis_tcp else 0,
            how=settings.tunnel,
            ssh_config=settings.ssh_config,
        )

    @classmethod
    def from_json(cls, text: str) -> Target:
        """Return what `to_json` wrote."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))

    @property
    def remote(self) -> str:
        """The far end in ssh's notation."""
        return f"{LOOPBACK}:{self.port}" if self.port else self.socket

    @property
    def way(self) -> str:
        """The host, and the gateway if there is one, in words."""
        return f"{self.host} (through {self.gateway})" if self.gateway else self.host

    @property
    def by_hand(self) -> str:
        """The command that goes the same way on a terminal, for messages."""
        import shlex

        config = ["-F", self.ssh_config] if self.ssh_config else []
        jump = ["-J", self.gateway] if self.gateway else []
        return shlex.join(["ssh", *config, *jump, self.host])

    @property
    def folder_name(self) -> str:
        """A short name for the folder of this tunnel, different for each target."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def __str__(self) -> str:
        return f"{self.host}:{self.remote}"


NOT_OURS = 94

# In `sh`: whether the folder $d is ours, no link, and closed to others.
OURS_ALONE = '[ -O "$d" ] && case $(ls -ldn "$d") in d???------*) ;; *) false;; esac'
_SCRIPT = (
    f'd=$1; if [ -e "$d" ] || [ -L "$d" ]; then {{ {OURS_ALONE}; }} || exit {NOT_OURS}; fi; exit 0'
)


def ask_folder(target: Target) -> str:
    """Return the command to run there; it exits with `NOT_OURS` if the folder is not ours alone."""
    return shlex.join(["sh", "-c", _SCRIPT, "sh", posixpath.dirname(target.socket)])


def not_ours(target: Target) -> UnsafePathError:
    """Return the error for a folder that is not ours alone."""
    folder = posixpath.dirname(target.socket)
    return UnsafePathError(
        f"the folder {folder} on {target.host} is not yours alone",
        why="the user who made it, or can write to it, could take the queue's place and be told "
        "the password",
        fix=f"look at it there (`ls -ld {folder}`); if it is another user's, set redis_socket "
        "there and remote_socket here to a folder elsewhere",
    )
