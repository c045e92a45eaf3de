"""What nobody types on purpose, and everybody does once: one message, and never a traceback."""

import os
from pathlib import Path

import pytest
from sandbox import Sandbox

from mlq.api.queue import Queue
from mlq.errors import InvalidInputError
from mlq.files import root
from mlq_cli.main import command_names

pytestmark = pytest.mark.slow

# Takes the place of a module's import, and presses Ctrl-C there.
_INTERRUPTS = """
import os, signal, sys
class At:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPTED_AT"]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, At())
"""


def test_empty_arguments(installation: Sandbox) -> None:
    installation.start_server()
    for name in command_names():
        done = installation.run(name, "")
        assert (done.code, done.out) == (2, ""), done
        assert done.err.startswith("mlq: ")
        assert "Traceback" not in done.err


def test_nobody_reads_what_is_said(installation: Sandbox) -> None:
    for words in (
        ["--help"],
        ["enqueue", "--help"],
        ["server", "start", "--help"],
        ["ls", "--wrong"],
    ):
        reader, writer = os.pipe()
        os.close(reader)
        stream = "stderr" if words == ["ls", "--wrong"] else "stdout"
        with installation.started(*words, **{stream: writer}) as process:
            os.close(writer)
            said = process.communicate(timeout=30)
        assert process.returncode == (2 if stream == "stderr" else 141)
        assert not any(said)


def test_the_disk_is_full_for_the_help(installation: Sandbox) -> None:
    with (
        Path("/dev/full").open("wb") as full,
        installation.started("enqueue", "--help", stdout=full) as process,
    ):
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err == b"mlq: cannot write the output: No space left on device\n"


def test_ctrl_c_while_it_is_loaded(installation: Sandbox) -> None:
    (installation.folder / "sitecustomize.py").write_text(_INTERRUPTS)
    for module in (
        "mlq_cli.main",
        "mlq.errors",
        "mlq_cli.invocation.parser",
        "mlq.api.queue",
        "mlq.submit.submission",
    ):
        environ = {"PYTHONPATH": str(installation.folder), "INTERRUPTED_AT": module}
        done = installation.run("enqueue", "true", environ=environ)
        assert done.code in {-2, 130}  # killed by the signal, or the same in the words of a shell
        assert (done.out, done.err) == ("", ""), module


@pytest.mark.parametrize("empty", ["", "\n"])
def test_an_empty_password(installation: Sandbox, empty: str) -> None:
    secret = installation.folder / "config/mlq/redis.password"
    secret.parent.mkdir(mode=0o700)
    secret.write_text(empty)
    secret.chmod(0o600)
    for words in (["ls"], ["server", "start"]):
        done = installation.run(*words)
        assert done.code == 1
        assert f"{secret} holds no password: it is empty" in done.err


def test_pipes_in_place_of_files(installation: Sandbox) -> None:
    attempt = installation.claim(installation.submit(), log=None)
    log = installation.queue().layout.log_file("1", attempt)
    log.parent.mkdir(parents=True)
    os.mkfifo(log)
    for words in (["logs", "1"], ["logs", "-f", "1"]):
        assert "it is a named pipe" in installation.run(*words).err
    config = installation.folder / "config/mlq/config.toml"
    os.mkfifo(config)
    done = installation.run("ls")
    assert (done.code, "it is a named pipe" in done.err) == (2, True)
    config.unlink()


WRONG = (
    lambda queue: queue.enqueue(None),
    lambda queue: queue.enqueue(5),
    lambda queue: queue.enqueue(["true"], after=1),
    lambda queue: queue.enqueue(["true"], after="12"),
    lambda queue: queue.enqueue(["true"], env=["A=1"]),
    lambda queue: queue.enqueue(["true"], secrets=[1]),
    lambda queue: queue.enqueue(["true"], machine=5),
    lambda queue: queue.enqueue(["true"], name="\udcff"),
    lambda queue: queue.enqueue(["true"], time=float("nan")),
    lambda queue: queue.enqueue_many(None),
    lambda queue: queue.enqueue_many("true"),
    lambda queue: queue.select(5),
    lambda queue: queue.select([None]),
    lambda queue: queue.views("12"),
    lambda queue: queue.views([1]),
    lambda queue: queue.cancel("12"),
    lambda queue: queue.cancel(1),
    lambda queue: queue.retry([1]),
    lambda queue: queue.wait(1),
    lambda queue: queue.wait(["1"], timeout_s="5"),
    lambda queue: queue.wait(["1"], timeout_s=float("nan")),
    lambda queue: queue.result("1"),
)


def test_wrong_types_in_python(installation: Sandbox) -> None:
    installation.submit()
    queue = Queue.connect(installation.environ)
    for wrong in WRONG:
        with pytest.raises(InvalidInputError):
            wrong(queue)
    assert [job.id for job in queue.every()] == ["1"]
    assert queue.views(["1"])[0].state == "queued"


def test_infinite_scores(installation: Sandbox) -> None:
    installation.claim(installation.submit(), "gpu07")
    installation.submit()
    installation.know("gpu07", cores_total=4)
    client = installation.queue().store.client
    for score in ("inf", "-inf"):
        for key in ("mlq:jobs", "mlq:unended", "mlq:leases", "mlq:machines"):
            for member in client.call("ZRANGE", key, 0, -1):
                client.call("ZADD", key, score, member)
        for words in ("ls", "ls --json", "machines", "explain 2", "show 1"):
            done = installation.run(*words.split())
            assert (done.code, done.err) == (0, ""), words


def test_a_full_root_keeps_no_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_full(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", is_full)
    with pytest.raises(OSError, match="No space left"):
        root._probe(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_machine_that_is_gone_is_forgotten(installation: Sandbox) -> None:
    installation.know("gpu07", cores_total=4)
    living = installation.run("machines", "forget", "gpu07")
    assert (living.code, "machine gpu07 is not forgotten: it was heard" in living.err) == (1, True)
    installation.queue().store.client.call("ZADD", "mlq:machines", 1, "gpu07")
    assert installation.run("machines", "forget", "gpu07").err == "mlq: gpu07 is forgotten\n"
    assert "gpu07" not in installation.ok("machines")
    assert installation.run("machines", "forget", "gpu07").code == 2
