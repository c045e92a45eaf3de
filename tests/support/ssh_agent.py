"""An ssh agent that holds a key, and can be locked: a real ssh-agent process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waiting import wait_for

_PASSPHRASE = "a passphrase"


class Agent:
    """A running agent.

    Args:
        socket: where it listens.
        folder: for the program that answers when a passphrase is asked for.
    """

    def __init__(self, socket: Path, folder: Path) -> None:
        self._socket = socket
        self._answers = folder / "askpass"
        self._answers.write_text(f"#!/bin/sh\necho '{_PASSPHRASE}'\n")
        self._answers.chmod(0o700)

    def take_over(self, key: Path) -> None:
        """Hold this key; its file is of no use without the passphrase from now on."""
        self._add(str(key))
        words = ["ssh-keygen", "-q", "-p", "-P", "", "-N", _PASSPHRASE, "-f", str(key)]
        subprocess.run(words, check=True, capture_output=True)

    def lock(self) -> None:
        """Answer as if it held no key."""
        self._add("-x")

    def unlock(self) -> None:
        """Answer again."""
        self._add("-X")

    def _add(self, word: str) -> None:
        environ = {
            **os.environ,
            "SSH_AUTH_SOCK": str(self._socket),
            "SSH_ASKPASS": str(self._answers),
            "SSH_ASKPASS_REQUIRE": "force",
        }
        subprocess.run(["ssh-add", "-q", word], env=environ, check=True, capture_output=True)


@contextmanager
def running_agent(folder: Path) -> Iterator[tuple[Agent, Path]]:
    """Run an agent; yields it and its socket."""
    socket = folder / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(socket.exists, what="the agent")
            yield Agent(socket, folder), socket
        finally:
            process.terminate()
