"""Makes the signing key and the password where they are missing, and copies them on request.

Both lie in 0600 files and travel inside ssh only. Invariant: a secret that exists, here or there,
is never replaced.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from mlq.files.paths import write_secret
from mlq.jobs.signing import create_key, load_key
from mlq.settings.settings import Settings
from mlq_cli.remote.ssh import Ssh
from mlq_cli.setup import discovery
from mlq_cli.setup.discovery import Account


def secrets_here(settings: Settings) -> list[str]:
    """Make the signing key unless it exists; return what was done.

    Raises:
        UnsafePathError: the existing key file is open to others.
        SignatureError: the existing file holds no key.
    """
    existed = settings.key_file.exists()
    create_key(settings.key_file)
    lines = [f"signing key: {settings.key_file}{'' if existed else ' (made now)'}"]
    if not settings.password_file.exists():
        lines.append("next: `mlq server start` makes the password and starts the queue")
    return lines


def shared_secrets(settings: Settings, there: Account, *, share: bool) -> list[str]:
    """Copy the secrets of a queue on another host; return what was done and what is still to do.

    Args:
        settings: they name the host and the files here.
        there: names the files there.
        share: whether to copy a secret that only one side has.
    """
    ssh, host = Ssh(settings), settings.queue_host
    key_there, password_there = discovery.exist(ssh, host, there.key_file, there.password_file)
    key, password = settings.key_file, settings.password_file
    lines = []
    if not key.exists() and key_there:
        lines.append(_fetched(ssh, host, there.key_file, key, share=share))
    elif not key_there:
        lines += secrets_here(settings)[:1]
        if share:
            discovery.put(ssh, host, there.key_file, load_key(key).hex().encode() + b"\n")
            lines.append(f"copied it to {host}:{there.key_file}")
        else:
            lines.append(_to_copy(str(key), f"{host}:{there.key_file}"))
    if not password.exists() and password_there:
        lines.append(_fetched(ssh, host, there.password_file, password, share=share))
    elif not password_there:
        lines.append(
            f"next: `mlq deploy`, then `mlq server start --on {host}`, which makes the password; "
            "then `mlq init --share-secrets` fetches it"
        )
    return lines


def _fetched(ssh: Ssh, host: str, remote: str, path: Path, *, share: bool) -> str:
    if not share:
        return _to_copy(f"{host}:{remote}", str(path))
    write_secret(path, discovery.fetch(ssh, host, remote))
    return f"copied {path} from {host}"


def _to_copy(source: str, target: str) -> str:
    return f"to do: scp -p {shlex.quote(source)} {shlex.quote(target)}"
