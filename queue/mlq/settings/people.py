"""The user that this process runs as, for people: a user may lack a name and a home.

In a container, or while a lab's directory service is away, a user number has no entry in the
system's list of accounts. Then the number serves as the name, and only HOME says where the home
folder is.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from mlq.errors import SettingsError


def user_name(environ: Mapping[str, str] = os.environ) -> str:
    """Return the name of this user, or the number if there is no name."""
    named = environ.get("USER") or environ.get("LOGNAME")
    if named:
        return named
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the home folder.

    Raises:
        SettingsError: HOME is not set, and the user has no account that says where it is.
    """
    named = environ.get("HOME")
    if named:
        return Path(named)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        raise SettingsError(
            "this user has no home folder",
            why=f"HOME is not set, and user {os.getuid()} has no account on this machine",
            fix="set HOME to a folder of yours",
        ) from None
