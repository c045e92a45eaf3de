"""The queue's own server: started, found, killed, started again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis
from disks import small_disk
from installing import Install
from redis.exceptions import AuthenticationError
from redis_server import installation
from waiting import wait_for

from mlq.errors import MlqError, ServerError, SettingsError, UnsafePathError
from mlq.server import control as server
from mlq.server.status import status
from mlq.settings.settings import Settings
from mlq.store.connection import open_redis


def kill(settings: Settings) -> None:
    pid = status(settings).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not status(settings).running, what="the server to be gone")


def test_start_status_stop(install: Install) -> None:
    settings = install()
    assert not status(settings).running
    assert not server.stop(settings)
    assert server.start(settings)
    assert not server.start(settings)
    found = status(settings)
    assert found.running
    assert found.pid is not None
    assert Path(f"/proc/{found.pid}/exe").readlink() == Path(found.binary).resolve()
    assert re.fullmatch(r"(Redis|Valkey) \d+\.\d+\.\S+", found.version)
    assert (found.fsync, found.aof, found.jobs, found.note) == ("always", "ok", 0, "")
    assert found.memory_mib is not None
    assert 0 < found.memory_mib < 100
    assert os.getsid(found.pid) != os.getsid(0), "it must survive the terminal"
    assert server.stop(settings)
    after = status(settings)
    assert not after.running
    assert "ready to exit" in after.note
    assert not settings.redis_socket.exists()


def test_kill_9_loses_no_acknowledged_write(install: Install) -> None:
    settings = install()
    server.start(settings)
    acknowledged: list[int] = []

    def write() -> None:
        with open_redis(settings) as client:
            client.connection_pool.connection_kwargs["retry"] = None
            while True:
                number = len(acknowledged)
                try:
                    client.rpush("mlq:list", number)
                except (redis.ConnectionError, redis.TimeoutError):
                    return
                acknowledged.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    wait_for(lambda: len(acknowledged) > 200, what="200 writes")
    kill(settings)
    writer.join(timeout=20)
    assert not writer.is_alive()
    assert settings.redis_socket.exists(), "a killed server leaves its socket behind"
    assert server.start(settings)
    with open_redis(settings) as client:
        kept = [int(item) for item in client.lrange("mlq:list", 0, -1)]
    # The write under way at the kill may be kept without having been acknowledged.
    assert kept[: len(acknowledged)] == acknowledged
    assert len(kept) <= len(acknowledged) + 1


def test_a_torn_end_of_the_log_is_cut_off(install: Install) -> None:
    settings = install()
    server.start(settings)
    with open_redis(settings) as client:
        client.set("mlq:x", 1)
    kill(settings)
    whole = log_of(settings).read_bytes()
    for torn in (
        b"*3\r\n$3\r\nSET\r\n$5\r\nmlq",
        b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$5\r\nmlq:x\r\n",
        b"\0" * 4096,
        b"*3\r\n$3\r\nSET\r\n$5\r\nmlq" + b"\0" * 512,
    ):
        log_of(settings).write_bytes(whole + torn)
        said: list[str] = []
        assert server.start(settings, say=said.append)
        with open_redis(settings) as client:
            assert client.get("mlq:x") == b"1"
        kill(settings)
        assert log_of(settings).read_bytes() == whole
        (kept,) = settings.server_dir.glob("*.torn-*")
        assert kept.read_bytes() == torn
        assert [str(kept) in line for line in said] == [True]
        assert said[0] in (settings.server_dir / "redis.log").read_text()
        kept.unlink()


def test_a_damaged_log_is_an_error_that_names_it_and_leaves_it(install: Install) -> None:
    settings = install()
    server.start(settings)
    with open_redis(settings) as client:
        for number in range(100):
            client.set(f"mlq:{number}", "x" * 100)
    server.stop(settings)
    content = log_of(settings).read_bytes()
    damaged = content[:2000] + b"\0garbage\r\n" * 20 + content[2000:]
    log_of(settings).write_bytes(damaged)
    with pytest.raises(ServerError) as caught:
        server.start(settings)
    assert str(log_of(settings)) in caught.value.why
    assert log_of(settings).read_bytes() == damaged
    assert "damaged" in caught.value.what
    assert "mlq server restore" in caught.value.fix
    assert not status(settings).running


def log_of(settings: Settings) -> Path:
    (log,) = (one for one in settings.server_dir.rglob("*.aof") if ".base." not in one.name)
    return log


def test_two_installations_live_side_by_side(install: Install) -> None:
    one, other = install(), install()
    assert server.start(one)
    assert server.start(other)
    with open_redis(one) as client:
        client.set("mlq:x", "one")
    with open_redis(other) as client:
        assert client.get("mlq:x") is None
    server.stop(one)
    assert status(other).running
    with pytest.raises(AuthenticationError):
        open_redis(other._replace(password_file=one.password_file)).ping()


def test_of_many_that_start_it_at_once_one_does(install: Install) -> None:
    settings = install()
    code = "import os; from mlq.settings.load import load; from mlq.server import control;"
    code += "print(control.start(load(os.environ).settings))"
    home = str(settings.root.parent)
    environ = os.environ | installation(Path(home))
    starters = [
        subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    answers = [starter.communicate(timeout=60)[0].strip() for starter in starters]
    assert sorted(answers) == [b"False", b"False", b"False", b"True"]
    assert status(settings).running


@pytest.mark.one_server
def test_a_server_that_hangs_is_reported_and_not_waited_for(install: Install) -> None:
    settings = install()
    server.start(settings)
    pid = status(settings).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(ServerError, match=f"has not ended(.|\n)*kill -9 {pid}"):
            server.stop(settings, timeout_s=0.2)
        with pytest.raises(ServerError, match=f"does not answer(.|\n)*kill -9 {pid}"):
            server.start(settings, timeout_s=3600)
        assert "does not answer" in status(settings).note
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: not status(settings).running, what="the server to obey")


def test_another_server_at_the_socket_is_not_pushed_aside(install: Install) -> None:
    one, other = install(), install()
    server.start(one)
    with pytest.raises(ServerError, match="another server answers"):
        server.start(other._replace(redis_socket=one.redis_socket))
    assert status(one).note == ""


def test_the_last_breath_of_a_killed_server_is_taken_for_no_other(install: Install) -> None:
    settings = install()
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(str(settings.redis_socket))
        dying.listen()

        def die() -> None:
            dying.accept()[0].close()
            dying.close()

        last_breath = threading.Thread(target=die)
        last_breath.start()
        assert server.start(settings)
        last_breath.join()


def test_a_running_server_with_another_password_is_reported(install: Install) -> None:
    one, other = install(), install()
    server.start(one)
    server.start(other)
    mixed = one._replace(password_file=other.password_file)
    assert "WRONGPASS" in status(mixed).note
    with pytest.raises(ServerError, match="refuses"):
        server.start(mixed)
    one.password_file.unlink()
    with pytest.raises(UnsafePathError, match="there is no"):
        server.start(one)


def test_unusable_folders_are_refused_before_anything_is_made(
    install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = install()
    too_long = settings.runtime_dir / ("a" * 100) / "redis.sock"
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "file").write_text("")
    cases: list[tuple[Settings, type[MlqError], str]] = [
        (settings._replace(redis_socket=too_long), SettingsError, "MLQ_RUNTIME_DIR"),
        (settings._replace(server_dir=tmp_path / "open"), UnsafePathError, "chmod 700"),
        (settings._replace(redis_socket=tmp_path / "open/s"), UnsafePathError, "chmod 700"),
        (settings._replace(server_dir=tmp_path / "file"), UnsafePathError, "it is a file"),
    ]
    for wrong, kind, said in cases:
        with pytest.raises(kind, match=said):
            server.start(wrong)
    monkeypatch.setattr(server, "network_file_system", lambda _: "nfs4")
    with pytest.raises(ServerError, match=r"network file system \(nfs4\)"):
        server.start(settings)
    assert not settings.password_file.exists()


@pytest.mark.root
def test_a_full_disk_is_an_error_and_loses_nothing(install: Install, tmp_path: Path) -> None:
    settings = install()._replace(server_dir=tmp_path / "small")
    settings.server_dir.mkdir()
    with small_disk(settings.server_dir, "size=2m,mode=700"):
        filler = settings.server_dir / "filler"
        with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 512)
        with pytest.raises(ServerError, match="No space left"):
            server.start(settings)
        filler.unlink()
        server.start(settings)
        acknowledged = 0
        with open_redis(settings) as client, pytest.raises(redis.RedisError):
            while acknowledged < 1000:
                client.rpush("mlq:list", "x" * 10_000)
                acknowledged += 1
        # With fsync `always` a server that cannot write its log ends rather than break its word.
        wait_for(lambda: not status(settings).running, what="the server to give up")
        assert "AOF write error" in status(settings).note
        subprocess.run(["mount", "-o", "remount,size=20m", settings.server_dir], check=True)
        server.start(settings)
        with open_redis(settings) as client:
            assert client.llen("mlq:list") >= acknowledged > 0
        server.stop(settings)
