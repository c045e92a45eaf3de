"""`mlq init`: what is asked, checked, written, and left alone."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import stat
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from ci import require
from far_lab import FarLab
from sandbox import Sandbox, new_sandbox
from waiting import wait_for

from mlq.settings.load import load
from mlq_cli.invocation.prompts import Asker
from mlq_cli.setup.discovery import account_of
from mlq_cli.setup.steps import Flags, set_up

pytestmark = pytest.mark.slow


@pytest.fixture
def laptop() -> Iterator[Sandbox]:
    """An installation whose root is not set by a variable."""
    with new_sandbox() as sandbox:
        del sandbox.environ["MLQ_ROOT"]
        yield sandbox


def config_dir(sandbox: Sandbox) -> Path:
    return Path(sandbox.environ["XDG_CONFIG_HOME"]) / "mlq"


def written(sandbox: Sandbox) -> dict[str, object]:
    return tomllib.loads((config_dir(sandbox) / "config.toml").read_text())


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_queue_of_this_machine(laptop: Sandbox) -> None:
    root = laptop.folder / "results" / "mlq"
    done = laptop.run("init", "--root", str(root), "--machines", "gpu01,gpu02")
    assert (done.code, done.err) == (0, ""), done
    assert written(laptop) == {"root": str(root), "machines": ["gpu01", "gpu02"]}
    folder = config_dir(laptop)
    assert {path.name for path in folder.iterdir()} == {"config.toml", "signing.key"}
    assert [mode(path) for path in (*folder.iterdir(), root)] == [0o600, 0o600, 0o700]
    assert list(root.iterdir()) == []
    assert "mlq server start" in done.out
    key = (folder / "signing.key").read_text().strip()
    assert key not in done.out


def test_a_second_time_nothing_changes_and_the_key_stays(laptop: Sandbox) -> None:
    laptop.ok("init", "--root", str(laptop.folder / "root"))
    before = everything(config_dir(laptop))
    assert "says all that already" in laptop.ok("init")
    assert everything(config_dir(laptop)) == before


def test_what_is_in_the_file_stays(laptop: Sandbox) -> None:
    config_dir(laptop).mkdir(mode=0o700)
    file = config_dir(laptop) / "config.toml"
    file.write_text('# mine\nroot = "~/results"\nbeat_s = 5  # slower\n')
    file.chmod(0o644)
    laptop.ok("init", "--machines", "gpu01")
    assert file.read_text() == (
        '# mine\nroot = "~/results"\nbeat_s = 5  # slower\nmachines = ["gpu01"]\n'
    )
    assert mode(file) == 0o600


def test_a_config_file_that_is_a_link_stays_one(laptop: Sandbox) -> None:
    dotfiles = laptop.folder / "dotfiles.toml"
    dotfiles.write_text("beat_s = 5\n")
    config_dir(laptop).mkdir(mode=0o700)
    (config_dir(laptop) / "config.toml").symlink_to(dotfiles)
    laptop.ok("init", "--root", str(laptop.folder / "root"))
    assert (config_dir(laptop) / "config.toml").is_symlink()
    assert dotfiles.read_text().startswith("beat_s = 5\nroot = ")


def refused(laptop: Sandbox, words: list[str], says: str) -> None:
    done = laptop.run("init", *words)
    assert done.code in {1, 2}
    assert says in done.err
    assert "Traceback" not in done.err
    assert not config_dir(laptop).exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--queue-host=-oProxyCommand=x"], "the queue host '-oProxyCommand=x' cannot be used"),
        (["--root", "results"], "the results root 'results' cannot be used"),
        (["--root", "/proc/mlq"], "the results root /proc/mlq cannot be written"),
        (["--machines", "a;b"], "'a;b' cannot be used"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(
    laptop: Sandbox, words: list[str], says: str
) -> None:
    refused(laptop, words, says)


def test_a_queue_host_of_which_nobody_knows_is_refused(laptop: Sandbox) -> None:
    require(shutil.which("ssh"), "ssh (package openssh-client)")
    refused(laptop, ["--queue-host", "nowhere.invalid"], "there is no host nowhere.invalid")


@pytest.fixture
def behind(lab: FarLab, laptop: Sandbox) -> Sandbox:
    """A laptop, and a queue on the lab's host gpu01 behind the gateway shell1."""
    lab.world.host("shell1", ForceCommand="false")
    lab.machine("gpu01")
    laptop.environ["MLQ_SSH_CONFIG"] = str(lab.world.config)
    return laptop


WAY = ("--queue-host", "gpu01", "--gateway", "shell1")


def test_a_queue_on_another_host(lab: FarLab, behind: Sandbox) -> None:
    """The socket is found, and the secrets of a queue that runs are fetched."""
    lab.desk.start_server()
    lab.install()
    done = behind.run("init", *WAY, "--root", str(lab.root), "--share-secrets")
    assert (done.code, done.err) == (0, ""), done
    socket = json.loads(lab.desk.ok("config", "--json"))
    (expected,) = [one["value"] for one in socket if one["name"] == "redis_socket"]
    assert written(behind) == {
        "root": str(lab.root),
        "queue_host": "gpu01",
        "gateway": "shell1",
        "remote_socket": expected,
    }
    for name in ("signing.key", "redis.password"):
        ours, theirs = config_dir(behind) / name, config_dir(lab.desk) / name
        assert ours.read_bytes() == theirs.read_bytes()
        assert mode(ours) == 0o600
        assert ours.read_text().strip() not in done.out
    behind.environ["MLQ_TUNNEL_IDLE_S"] = "1"
    assert "no job" in behind.ok("ls")


def test_the_root_of_the_queues_host_is_proposed(lab: FarLab, behind: Sandbox) -> None:
    """It is the one that its configuration names, or else its default."""
    behind.ok("init", *WAY)
    assert written(behind)["root"] == f"{lab.desk.environ['XDG_DATA_HOME']}/mlq"
    config_dir(behind).joinpath("config.toml").unlink()
    folder = config_dir(lab.desk)
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "config.toml").write_text('# ours\nroot = "~/results of mine"\n')
    behind.ok("init", *WAY)
    assert written(behind)["root"] == f"{lab.desk.environ['HOME']}/results of mine"


def test_without_leave_no_secret_travels(lab: FarLab, behind: Sandbox) -> None:
    lab.desk.start_server()
    done = behind.run("init", *WAY, "--root", str(lab.root))
    assert done.code == 0, done
    assert {path.name for path in config_dir(behind).iterdir()} == {"config.toml"}
    assert f"scp -p gpu01:{config_dir(lab.desk)}/signing.key" in done.out


def test_a_key_made_here_is_put_there_and_never_over_another(lab: FarLab, behind: Sandbox) -> None:
    behind.ok("init", *WAY, "--root", str(lab.root), "--share-secrets")
    there = config_dir(lab.desk) / "signing.key"
    assert there.read_bytes() == (config_dir(behind) / "signing.key").read_bytes()
    assert mode(there) == 0o600
    there.write_text("f" * 64)
    behind.ok("init", *WAY, "--root", str(lab.root), "--share-secrets")
    assert there.read_text() == "f" * 64


def test_a_root_that_cannot_be_written_there(lab: FarLab, behind: Sandbox) -> None:
    done = behind.run("init", *WAY, "--root", "/proc/nowhere")
    assert done.code == 1
    assert "the results root /proc/nowhere cannot be written on gpu01" in done.err
    assert not config_dir(behind).exists()


def test_a_root_that_others_can_use(lab: FarLab, behind: Sandbox, laptop: Sandbox) -> None:
    shared = lab.root / "shared"
    shared.mkdir()
    shared.chmod(0o775)
    for words in ((), WAY):
        done = laptop.run("init", *words, "--root", str(shared))
        assert done.code == 1
        assert f"{shared} is open to others" in done.err
        assert f"chmod 700 {shared}" in done.err
    assert not config_dir(laptop).exists()


def ctrl_c(process: subprocess.Popen[bytes], _: int) -> int:
    """Press again if nothing happens: Python misses one between its question and its reading."""

    def left() -> bool:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        return process.returncode is not None

    wait_for(left, 30, "mlq init to be left")
    return 130


def ctrl_d(_: subprocess.Popen[bytes], keyboard: int) -> int:
    os.write(keyboard, b"\x04")
    return 1


Leave = Callable[[subprocess.Popen[bytes], int], int]


def left_at(sandbox: Sandbox, dialogue: list[tuple[str, bytes]], last: str, leave: Leave) -> str:
    """Answer questions of `mlq init` on a terminal, leave at the last; returns what it showed."""
    ours, theirs = pty.openpty()
    with sandbox.started("init", stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        screen = Screen(ours)
        for question, answer in dialogue:
            screen.wait_for(question)
            os.write(ours, answer)
        screen.wait_for(last)
        code = leave(process, ours)
        assert process.wait(30) == code
        screen.read()
    os.close(ours)
    assert not config_dir(sandbox).exists(), last
    assert "Traceback" not in screen.shown
    return screen.shown


@pytest.mark.parametrize("leave", [ctrl_c, ctrl_d])
def test_who_leaves_at_any_question_leaves_nothing(
    lab: FarLab, behind: Sandbox, leave: Leave
) -> None:
    dialogue = [
        ("Queue host", b"gpu01\n"),
        ("Gateway", b"shell1\n"),
        ("Results root", os.fsencode(lab.root) + b"\n"),
        ("Machines", b"gpu01\n"),
        ("Copy key and password", b"\n"),
    ]
    for at, (question, _) in enumerate(dialogue):
        shown = left_at(behind, dialogue[:at], question, leave)
        assert "interrupted" in shown or "no answer was given" in shown


@pytest.mark.parametrize("leave", [ctrl_c, ctrl_d])
def test_or_at_the_question_whether_to_try_again(laptop: Sandbox, leave: Leave) -> None:
    shown = left_at(laptop, [("Queue host", b"-\n"), ("root", b"relative\n")], "again", leave)
    assert "the results root 'relative' cannot be used" in shown


def test_without_a_terminal_nothing_is_asked(laptop: Sandbox) -> None:
    # Standard input is empty: every answer is its default, and none is missed.
    laptop.environ["HOME"] = str(laptop.folder / "home")
    done = laptop.run("init")
    assert (done.code, done.err) == (0, ""), done
    assert "?" not in done.out
    assert mode(config_dir(laptop) / "config.toml") == 0o600


class Screen:
    """What a terminal shows."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor, self.shown = descriptor, ""

    def read(self) -> None:
        try:
            self.shown += os.read(self._descriptor, 65536).decode(errors="replace")
        except OSError:
            return

    def wait_for(self, text: str) -> None:
        def is_shown() -> bool:
            self.read()
            return text in self.shown

        wait_for(is_shown, timeout_s=40, what=f"the question {text!r} in {self.shown!r}")


def test_a_wrong_answer_is_asked_for_again(laptop: Sandbox) -> None:
    root = laptop.folder / "root"
    typed = iter(["-", "relative", "", str(root), "a;b", "y", "-"])
    asked: list[str] = []

    def read(question: str) -> str:
        asked.append(question)
        return next(typed)

    lines = set_up(load(laptop.environ), Flags(), Asker(True, read), laptop.environ)
    assert lines[0].startswith("wrote ")
    assert written(laptop) == {"root": str(root)}
    assert asked.count("try again [Y/n]: ") == 2


def test_what_is_shown_for_another_machine_holds_no_secret(laptop: Sandbox) -> None:
    laptop.ok("init", "--root", str(laptop.folder / "root"), "--machines", "gpu01")
    laptop.start_server()
    shown = laptop.ok("init", "--show")
    for name in ("signing.key", "redis.password"):
        assert f"scp -p {config_dir(laptop) / name} OTHER:.config/mlq/{name}" in shown
        assert (config_dir(laptop) / name).read_text().strip() not in shown
    pasted = tomllib.loads(shown.partition("\n\n")[0])
    assert pasted["root"] == str(laptop.folder / "root")
    assert pasted["queue_host"] == os.uname().nodename
    assert pasted["remote_socket"] == str(laptop.folder / "run/mlq/redis.sock")


@pytest.mark.parametrize(
    ("found", "socket"),
    [
        ({"uid": "7", "run": "/run/user/7"}, "/tmp/mlq-7/redis.sock"),
        ({"uid": "7", "run": ""}, "/tmp/mlq-7/redis.sock"),
        ({"uid": "7", "run": "", "linger": "yes"}, "/run/user/7/mlq/redis.sock"),
        ({"uid": "7", "run": "/data/run"}, "/data/run/mlq/redis.sock"),
    ],
)
def test_the_socket_there_follows_the_rules_of_the_settings(
    found: dict[str, str], socket: str
) -> None:
    assert account_of(found).socket == socket
