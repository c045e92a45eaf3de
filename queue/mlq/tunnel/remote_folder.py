"""The folder of the queue's socket on its own host: only we may have put a socket there.

After a reboot /tmp is empty, and the first user makes the folder of our name and listens in it. A
tunnel would lead there, and the next command would tell it the password. So the folder is looked at
before a tunnel is used, by the same rules as here (`mlq.files.paths.check_socket_folder`). A host
that runs no commands cannot be asked; there it is the choice of `remote_socket` that counts.
"""

from __future__ import annotations

import posixpath
import shlex

from mlq.errors import UnsafePathError
from mlq.tunnel.target import Target

NOT_OURS = 94

# In `sh`: whether the folder $d is ours, no link, and closed to others.
OURS_ALONE = '[ -O "$d" ] && case $(ls -ldn "$d") in d???------*) ;; *) false;; esac'
_SCRIPT = (
    f'd=$1; if [ -e "$d" ] || [ -L "$d" ]; then {{ {OURS_ALONE}; }} || exit {NOT_OURS}; fi; exit 0'
)


def command(target: Target) -> str:
    """Return what to run there; it ends with `NOT_OURS` if the folder is not ours alone."""
    return shlex.join(["sh", "-c", _SCRIPT, "sh", posixpath.dirname(target.socket)])


def not_ours(target: Target) -> UnsafePathError:
    """Return the error of a folder that is not ours alone."""
    folder = posixpath.dirname(target.socket)
    return UnsafePathError(
        f"the folder {folder} on {target.host} is not yours alone",
        why="the user who made it, or can write to it, could take the queue's place and be told "
        "the password",
        fix=f"look at it there (`ls -ld {folder}`); if it is another user's, set redis_socket "
        "there and remote_socket here to a folder elsewhere",
    )
