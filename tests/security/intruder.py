"""What another user of the machine tries; run as that user, by `python -I -c`, with no rights.

Standard library only: it is given to a Python that can see nothing of the clone. Reads a JSON
object, `{"mode": ..., "paths": [...]}`, and answers with a JSON list of what succeeded.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys


def tried(path: str) -> list[str]:
    """Return which of all attempts on one path succeeded."""
    attempts = {
        "look at": lambda: os.lstat(path),
        "list": lambda: os.listdir(path),
        "read": lambda: os.read(os.open(path, os.O_RDONLY | os.O_NONBLOCK), 1),
        "write": lambda: os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK),
        "create in": lambda: os.unlink(_made(f"{path}/intruder")),
        "rename": lambda: (os.rename(path, path + "x"), os.rename(path + "x", path)),
        "open to all": lambda: os.chmod(path, 0o777),
        "connect": lambda: connected(path),
    }
    return [what for what, attempt in attempts.items() if succeeds(attempt)]


def succeeds(attempt: object) -> bool:
    """Whether an attempt raises no OSError."""
    try:
        attempt()  # type: ignore[operator]
    except OSError:
        return False
    return True


def _made(path: str) -> str:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    return path


def connected(path: str) -> None:
    """Connect to a unix socket of any type."""
    last = OSError()
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        with socket.socket(socket.AF_UNIX, kind) as one:
            try:
                one.connect(path)
            except OSError as error:
                last = error
            else:
                return
    raise last


def walk(paths: list[str]) -> list[list[str]]:
    """Try everything on every path."""
    return [[path, what] for path in paths for what in tried(path)]


def lie_in_wait(paths: list[str]) -> list[list[str]]:
    """Try to connect, to list and to read again and again until standard input ends."""
    found: dict[str, str] = {}
    rounds = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        rounds += 1
        for path in paths:
            if succeeds(lambda path=path: connected(path)):
                found[path] = "connect"
            elif succeeds(lambda path=path: os.stat(path)):
                found.setdefault(path, "look at")
    return [["rounds", str(rounds)], *([path, what] for path, what in found.items())]


def hear(names: list[str]) -> list[list[str]]:
    """Say hello by each name of the kernel, `@...`; tell what was heard in 2 s."""
    found = []
    for name in names:
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(2)
            one.connect("\0" + name[1:])
            try:
                one.sendall(b'{"type": "hello", "protocol": 1}\n')
                found.append([name, one.recv(65536).decode(errors="replace")])
            except (BrokenPipeError, ConnectionResetError, TimeoutError):
                found.append([name, ""])
    return found


def pose(paths: list[str]) -> list[list[str]]:
    """Serve unix sockets as the queue would, until standard input ends; tell what was heard."""
    listeners = []
    for path in paths:
        one = socket.socket(socket.AF_UNIX)
        one.bind(path)
        os.chmod(path, 0o777)
        one.listen()
        listeners.append(one)
    print("ready", flush=True)
    heard = []
    while True:
        ready = select.select([sys.stdin, *listeners], [], [])[0]
        if sys.stdin in ready:
            return heard
        for one in ready:
            connection = one.accept()[0]
            connection.settimeout(2)
            try:
                heard.append([one.getsockname(), connection.recv(65536).decode(errors="replace")])
                connection.sendall(b"+OK\r\n")
            except OSError:
                heard.append([one.getsockname(), ""])
            connection.close()


MODES = {"walk": walk, "lie in wait": lie_in_wait, "pose": pose, "hear": hear}

if __name__ == "__main__":
    wish = json.loads(sys.stdin.readline())
    umask = os.umask(0)
    print(json.dumps(MODES[wish["mode"]](wish["paths"])), flush=True)
