"""Whatever is wrong, the user gets one clear message and never a traceback."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ci import require
from sandbox import MLQ, Completed, Sandbox, new_sandbox

from mlq.submit.submission import Submission

pytestmark = pytest.mark.slow

ASKING = [["ls"], ["machines"], ["show", "1"], ["cancel", "1"], ["wait", "1"], ["explain", "1"]]


def one_message(done: Completed, *parts: str, code: int = 1) -> None:
    assert (done.code, done.out) == (code, ""), done
    assert done.err.startswith("mlq: ")
    assert "Traceback" not in done.err
    assert done.err.count("\n") <= 2
    for part in parts:
        assert part in done.err


@pytest.mark.parametrize("words", [*ASKING, ["enqueue", "true"], ["logs", "1"], ["retry", "1"]])
def test_the_server_is_down(installation: Sandbox, words: list[str]) -> None:
    installation.start_server()
    installation.stop_server()
    socket_path = installation.folder / "run/mlq/redis.sock"
    one_message(
        installation.run(*words),
        f"no queue answers at {socket_path}",
        "is not running",
        "start it with: mlq server start",
    )


def test_a_server_that_hangs_up(installation: Sandbox) -> None:
    installation.start_server()
    installation.stop_server()
    path = installation.folder / "run/mlq/redis.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with installation.started("ls") as process:
            listener.accept()[0].close()
            _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.decode().startswith(f"mlq: the queue at {path} does not answer: ")


def test_a_wrong_password(installation: Sandbox) -> None:
    installation.start_server()
    secret = installation.folder / "config/mlq/redis.password"
    secret.write_text("guess\n")
    one_message(installation.run("ls"), "refused the password", "password_file", "mlq config")


def test_secrets_open_to_others_are_not_used(installation: Sandbox) -> None:
    installation.start_server()
    secret = installation.folder / "config/mlq/redis.password"
    secret.chmod(0o644)
    one_message(installation.run("ls"), f"{secret} is open to others", "chmod 600")


def test_a_socket_folder_open_to_others_is_not_used(installation: Sandbox) -> None:
    folder = installation.folder / "run/mlq"
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)
    one_message(installation.run("server", "start"), f"{folder} is open to others", "0777")


@pytest.mark.parametrize("words", [["ls"], ["config"], ["enqueue", "true"], ["server", "start"]])
def test_a_bad_config_names_file_and_line(installation: Sandbox, words: list[str]) -> None:
    file = installation.folder / "config/mlq/config.toml"
    file.parent.mkdir(mode=0o700)
    file.write_text("beat_s = 5\nlease = 50\n")
    one_message(
        installation.run(*words), f"{file} line 2: there is no setting 'lease'", "lease_s?", code=2
    )
    file.write_text('\n\nbeat_s = "often"\n')
    one_message(installation.run(*words), f"{file} line 3: beat_s", code=2)


def test_a_bad_variable_is_named(installation: Sandbox) -> None:
    done = installation.run("ls", environ={"MLQ_BEAT_S": "soon"})
    one_message(done, "environment MLQ_BEAT_S", "'soon'", code=2)


def test_an_unreadable_config(installation: Sandbox) -> None:
    (installation.folder / "config/mlq/config.toml").mkdir(parents=True)
    one_message(installation.run("ls"), "cannot read the config file", code=2)


def test_whoever_reads_may_leave(installation: Sandbox) -> None:
    queue = installation.queue()
    queue.submit([Submission(argv=("true",), cwd="/", name="n" * 200)] * 2000)
    reader, writer = os.pipe()
    with installation.started("ls", "--json", stdout=writer) as process:
        os.close(writer)
        assert os.read(reader, 1) == b"["
        os.close(reader)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (141, b"")


def test_a_log_nobody_reads_to_its_end(installation: Sandbox) -> None:
    installation.claim(installation.submit(), log=b"line\n" * 1_000_000)
    done = subprocess.run(
        ["/bin/sh", "-c", f"{MLQ} logs 1 | head -1"],
        env=installation.environ,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"line\n", b"")


def test_output_onto_a_full_disk(installation: Sandbox) -> None:
    require(Path("/dev/full").exists(), "/dev/full")
    installation.submit()
    with Path("/dev/full").open("wb") as full, installation.started("ls", stdout=full) as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.decode().startswith("mlq: cannot write the output: No space left on device")
    assert b"Traceback" not in err


def test_names_the_terminal_cannot_spell_are_still_shown(installation: Sandbox) -> None:
    installation.submit(name="模型-é")
    out = installation.ok(
        "ls",
        environ={
            "LANG": "C",
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONIOENCODING": "ascii",
        },
    )
    assert "\\u6a21" in out


@pytest.mark.parametrize("command", ["show", "logs", "cancel", "wait", "explain", "retry"])
def test_ids_that_are_no_text(installation: Sandbox, command: str) -> None:
    installation.start_server()
    done = installation.run(command, b"\xff\xfe")
    one_message(done, "'\\udcff\\udcfe' cannot be used: it is not UTF-8 text", code=2)


@pytest.fixture
def mute(installation: Sandbox) -> Iterator[socket.socket]:
    """Somebody who listens at the queue's socket and says nothing."""
    installation.start_server()
    installation.stop_server()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(installation.folder / "run/mlq/redis.sock"))
        listener.listen()
        yield listener


@pytest.mark.parametrize("words", [["ls"], ["wait", "1"], ["enqueue", "true"], ["logs", "-f", "1"]])
def test_a_queue_that_takes_long_is_told_of_and_can_be_left(
    installation: Sandbox, mute: socket.socket, words: list[str]
) -> None:
    with installation.started(*words) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == (
            b"mlq: the queue has not answered for 2 s; still waiting (Ctrl-C stops that)\n"
        )
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_the_tab_key_does_not_wait_for_a_queue_that_hangs(
    installation: Sandbox, mute: socket.socket
) -> None:
    installation.environ |= {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(installation.folder / "offered"),
        "COMP_LINE": "mlq cancel b",
        "COMP_POINT": "12",
    }
    # The queue would be waited for as long as this test waits at most.
    done = installation.run("cancel", "b", timeout_s=15)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert (installation.folder / "offered").read_text() == ""


def test_two_installations_never_meet(installation: Sandbox) -> None:
    with new_sandbox() as other:
        installation.submit(name="mine")
        other.submit(name="theirs")
        assert "theirs" not in installation.ok("ls")
        assert "mine" not in other.ok("ls")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_done_without(installation: Sandbox, closed: str) -> None:
    installation.start_server()
    for words, code in (("enqueue true", 0), ("ls", 0), ("lss", 2)):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{MLQ} {words} {closed}"],
            env=installation.environ,
            cwd=installation.folder,
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (code, False), done
