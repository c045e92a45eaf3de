"""Settings of a private installation in a temporary folder, without asking the environment."""

from __future__ import annotations

from pathlib import Path

from mlq.settings.settings import Settings


def private_settings(folder: Path, machine: str = "lab01") -> Settings:
    """Return settings all of whose paths lie in a folder."""
    return Settings(
        root=folder / "root",
        runtime_dir=folder / "run",
        server_dir=folder / "server",
        redis_socket=folder / "run" / "redis.sock",
        password_file=folder / "config" / "redis.password",
        key_file=folder / "config" / "signing.key",
        machine=machine,
        snapshot=False,
        cache_dir=folder / "cache",
        shared_dir=folder / "shared",
    )
