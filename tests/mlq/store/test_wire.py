"""The connection of short commands: what travels together, and what a first question may meet."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlq.errors import QueueRefusedError, QueueUnreachableError
from mlq.settings.load import load
from mlq.store.client import ScriptMissingError
from mlq.store.wire import UnixClient
from mlq_cli.invocation.lazy_client import LazyClient


@pytest.fixture
def place() -> Iterator[Path]:
    """A private folder whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="mlq-") as folder:
        yield Path(folder)


class Server:
    """Listens at a socket; a test says what it answers to the next question."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(20)
        self._pool = ThreadPoolExecutor(1)
        self.heard: list[bytes] = []

    def will_answer(self, *replies: bytes) -> None:
        """Let the next connection be answered so, a reply for each go; then it is closed."""
        self._pool.submit(self._answer, replies)

    def _answer(self, replies: tuple[bytes, ...]) -> None:
        with self._listener.accept()[0] as connection:
            for reply in replies:
                self.heard.append(connection.recv(65536))
                connection.sendall(reply)

    def close(self) -> None:
        self._pool.shutdown()
        self._listener.close()


@pytest.fixture
def server(place: Path) -> Iterator[Server]:
    server = Server(place / "sock")
    yield server
    server.close()


@pytest.fixture
def client(place: Path) -> LazyClient:
    settings = load({"HOME": str(place), "MLQ_REDIS_SOCKET": str(place / "sock")}).settings
    return LazyClient(settings, lambda path: UnixClient(path, "mlq", "secret"))


def test_the_password_travels_with_the_first_question(server: Server, client: LazyClient) -> None:
    server.will_answer(b"+OK\r\n+PONG\r\n", b":7\r\n")
    assert client.call("PING") == b"PONG"
    assert client.call("DBSIZE") == 7
    first, second = server.heard
    assert b"AUTH\r\n" in first
    assert b"secret\r\n" in first
    assert b"PING\r\n" in first
    assert b"AUTH" not in second


def test_a_refused_password_is_what_is_told(server: Server, client: LazyClient) -> None:
    server.will_answer(b"-WRONGPASS invalid\r\n-NOAUTH first\r\n")
    with pytest.raises(QueueRefusedError) as raised:
        client.call("PING")
    assert "refused the password" in raised.value.what
    assert raised.value.why == "WRONGPASS invalid"


def test_a_refused_question_leaves_the_connection_open(server: Server, client: LazyClient) -> None:
    server.will_answer(b"+OK\r\n-NOSCRIPT\r\n", b"+PONG\r\n")
    with pytest.raises(ScriptMissingError):
        client.call("EVALSHA", "x", 0)
    assert client.call("PING") == b"PONG"


def test_a_connection_that_broke_is_not_asked_again(server: Server, client: LazyClient) -> None:
    server.will_answer()
    with pytest.raises(QueueUnreachableError):
        client.call("PING")
    server.will_answer(b"+OK\r\n+PONG\r\n")
    assert client.call("PING") == b"PONG"


def test_nothing_is_connected_before_there_is_a_question(place: Path) -> None:
    settings = load({"HOME": str(place), "MLQ_REDIS_SOCKET": str(place / "sock")}).settings
    client = LazyClient(settings, lambda path: UnixClient(path, "mlq", "secret"))
    client.close()
    with pytest.raises(QueueUnreachableError, match="no queue answers"):
        client.call("PING")
