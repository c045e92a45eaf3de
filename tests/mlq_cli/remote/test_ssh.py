"""One command on one machine: its output, its time, and what is said when the way is closed."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from far_lab import FarLab
from waiting import wait_for

from mlq.errors import MlqError, TunnelError
from mlq.settings.load import load
from mlq_cli.remote.ssh import Ran, Ssh

pytestmark = pytest.mark.slow


@pytest.fixture
def ssh(lab: FarLab) -> Ssh:
    lab.machine("gpu01")
    return Ssh(load(lab.desk.environ).settings)


def run(ssh: Ssh, *words: str, host: str = "gpu01", timeout_s: float = 30) -> Ran:
    return ssh.run(host, words, timeout_s=timeout_s)


def test_words_arrive_as_they_are(ssh: Ssh) -> None:
    words = ["a b", "$HOME", "'", '"', "!x", "\\", ";", "*", "-n", ""]
    assert run(ssh, "printf", "%s|", *words).out == "|".join([*words, ""])


def test_input_output_and_exit_code(ssh: Ssh) -> None:
    data = os.urandom(300_000)
    ran = ssh.run("gpu01", ["sh", "-c", "wc -c; echo no >&2; exit 7"], stdin=data, timeout_s=30)
    assert (ran.code, ran.out.strip(), ran.err) == (7, "300000", "no\n")


def test_it_is_told_when_the_machine_lets_us_in_and_every_line(ssh: Ssh) -> None:
    heard: list[str] = []
    ssh.run(
        "gpu01",
        ["sh", "-c", "echo one; echo two"],
        timeout_s=30,
        connected=lambda: heard.append("in"),
        told=heard.append,
    )
    assert heard == ["in", "one", "two"]


@pytest.mark.parametrize("says", ["echo welcome", r"printf '\033]0;x\007'", "printf welcome"])
def test_what_a_login_script_says_is_not_taken_for_the_answer(
    lab: FarLab, ssh: Ssh, says: str
) -> None:
    (Path(lab.desk.environ["HOME"]) / ".bashrc").write_text(f"{says}\n")
    assert run(ssh, "echo", "answer").out == "answer\n"


def test_a_command_that_hangs_is_given_up(ssh: Ssh) -> None:
    began_s = time.monotonic()
    with pytest.raises(MlqError, match="gpu01 is not through after 5 s"):
        run(ssh, "sleep", "300", timeout_s=5)
    assert time.monotonic() - began_s < 60


def test_a_machine_that_falls_silent_before_it_lets_us_in(lab: FarLab, ssh: Ssh) -> None:
    lab.world.hosts["gpu01"].wire.cut()
    with pytest.raises(TunnelError, match="gpu01 cannot be reached: it has not let us in"):
        run(ssh, "true", timeout_s=2)


def test_a_name_that_is_unknown(ssh: Ssh) -> None:
    with pytest.raises(TunnelError, match=r"there is no host nowhere\.invalid"):
        run(ssh, "true", host="nowhere.invalid")


def test_a_machine_that_is_off(lab: FarLab, ssh: Ssh) -> None:
    lab.world.hosts["gpu01"].end()
    with pytest.raises(TunnelError, match="cannot be reached: Connection refused"):
        run(ssh, "true")


def test_a_host_key_that_is_not_known(lab: FarLab, ssh: Ssh) -> None:
    lab.world.known_hosts.write_text("")
    with pytest.raises(TunnelError) as caught:
        run(ssh, "true")
    assert "is not known" in caught.value.what
    assert lab.world.hosts["gpu01"].fingerprint in caught.value.why
    assert lab.world.known_hosts.read_text() == ""


def test_a_host_key_that_has_changed(lab: FarLab, ssh: Ssh) -> None:
    host = lab.world.hosts["gpu01"]
    host.stop()
    host.new_key()
    host.start()
    with pytest.raises(TunnelError, match="has changed: connecting is refused") as caught:
        run(ssh, "true")
    assert host.fingerprint in caught.value.why
    assert "ssh-keygen -R" in caught.value.fix


def test_a_machine_that_does_not_let_us_in(lab: FarLab, ssh: Ssh) -> None:
    (lab.world.folder / "authorized_keys").write_text("")
    with pytest.raises(TunnelError, match="does not let you in") as caught:
        run(ssh, "true")
    assert "permission denied" in caught.value.why.lower()


def test_a_host_that_runs_no_commands(lab: FarLab) -> None:
    lab.world.host("gateway", ForceCommand="echo this host is for jumps only >&2; exit 1")
    ssh = Ssh(load(lab.desk.environ).settings)
    with pytest.raises(MlqError, match="gateway runs no commands: this host is for jumps only"):
        run(ssh, "true", host="gateway")


def test_the_way_leads_through_the_gateway(lab: FarLab) -> None:
    lab.machine("gpu01")
    gateway = lab.world.host("gateway", ForceCommand="false")
    lab.world.host("gpu02")
    environ = {**lab.desk.environ, "MLQ_GATEWAY": "gateway"}
    assert run(Ssh(load(environ).settings), "echo", "hello").out == "hello\n"
    assert "Accepted publickey" in gateway.log
    gateway.end()
    with pytest.raises(TunnelError):
        run(Ssh(load(environ).settings), "true")


def test_ending_ends_what_runs_and_lets_nothing_begin(ssh: Ssh) -> None:
    failures: list[MlqError] = []
    inside = threading.Event()

    def work() -> None:
        try:
            ssh.run("gpu01", ["sleep", "60"], timeout_s=None, connected=inside.set)
        except MlqError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(20)
    ssh.end()
    thread.join(20)
    assert not thread.is_alive()
    with pytest.raises(MlqError, match="interrupted"):
        run(ssh, "true")


def test_no_word_of_a_secret_is_needed_by_ssh(lab: FarLab, ssh: Ssh) -> None:
    """The command line of the ssh that runs holds the command, and names files only."""
    inside = threading.Event()
    thread = threading.Thread(
        target=lambda: ssh.run("gpu01", ["sleep", "7"], timeout_s=60, connected=inside.set)
    )
    lab.desk.start_server()
    secrets = [
        path.read_text().strip()
        for path in (lab.desk.folder / "config/mlq").iterdir()
        if path.suffix in {".key", ".password"}
    ]
    thread.start()
    assert inside.wait(20)
    lines = wait_for(lambda: [one for one in _command_lines() if "sleep" in one and "ssh" in one])
    assert len(secrets) == 2
    assert not any(secret in line for secret in secrets for line in lines)
    thread.join()


def _command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # ended meanwhile
    return found
