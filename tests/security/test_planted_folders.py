"""What somebody put into /tmp beforehand, where mlq would have its folder, is refused.

Without $XDG_RUNTIME_DIR the sockets lie in /tmp/mlq-UID, a name that everybody knows. Whoever makes
it first must gain nothing: not the password that a command sends to the queue, not a job.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attack import intruder
from people import Person, remove, strangers
from sandbox import Completed, Sandbox
from victim import home_of, new_estate
from waiting import wait_for

pytestmark = pytest.mark.root
PASSWORD, KEY = b"ab" * 32, b"cd" * 32
COMMANDS = {
    "ls": ["ls"],
    "enqueue": ["enqueue", "--", "true"],
    "server start": ["server", "start"],
    "worker start": ["worker", "start", "--gpus", "none"],
    "worker status": ["worker", "status"],
    "worker stop": ["worker", "stop"],
}
REMOTE = {"MLQ_QUEUE_HOST": "queue.invalid", "MLQ_REMOTE_SOCKET": "/run/mlq/redis.sock"}


@pytest.fixture
def people() -> Iterator[tuple[Person, Person]]:
    """A victim and an attacker; neither leaves anything behind."""
    both = strangers()
    try:
        yield both
    finally:
        for one in both:
            one.kill_all()
            for path in Path("/tmp").glob(f"*mlq-{one.uid}*"):
                remove(path)


@pytest.fixture
def victim(people: tuple[Person, Person], everybodys_mlq: Path) -> Iterator[Sandbox]:
    """The victim's installation: it has its two secrets, and no runtime folder yet."""
    ann = people[0]
    with new_estate() as estate:
        sandbox = home_of(ann, estate / "home", everybodys_mlq)
        config = sandbox.folder / ".config" / "mlq"
        config.mkdir(parents=True)
        for name, secret in (("redis.password", PASSWORD), ("signing.key", KEY)):
            (config / name).write_bytes(secret + b"\n")
            (config / name).chmod(0o600)
        for path in (config.parent, *config.parent.rglob("*")):
            ann.own(path)
        yield sandbox


def runtime_of(person: Person) -> Path:
    return Path(f"/tmp/mlq-{person.uid}")


# --- what can be planted ------------------------------------------------------------------------


def attackers_folder(path: Path, ann: Person, eve: Person) -> None:
    path.mkdir()
    path.chmod(0o777)
    eve.own(path)


def attackers_closed_folder(path: Path, ann: Person, eve: Person) -> None:
    path.mkdir(mode=0o700)
    eve.own(path)


def link_to_attackers_folder(path: Path, ann: Person, eve: Person) -> None:
    attackers_folder(real := path.with_name(f"planted-{path.name}"), ann, eve)
    path.symlink_to(real)
    eve.own(path)


def link_to_victims_folder(path: Path, ann: Person, eve: Person) -> None:
    (real := path.with_name(f"planted-{path.name}")).mkdir(mode=0o700)
    ann.own(real)
    path.symlink_to(real)
    eve.own(path)


def dangling_link(path: Path, ann: Person, eve: Person) -> None:
    path.symlink_to(path.with_name(f"planted-{path.name}"))
    eve.own(path)


def file(path: Path, ann: Person, eve: Person) -> None:
    path.touch()
    eve.own(path)


def victims_open_folder(path: Path, ann: Person, eve: Person) -> None:
    path.mkdir()
    path.chmod(0o777)
    ann.own(path)


def victims_sticky_folder(path: Path, ann: Person, eve: Person) -> None:
    path.mkdir()
    path.chmod(0o1777)
    ann.own(path)


def victims_readable_folder(path: Path, ann: Person, eve: Person) -> None:
    path.mkdir()
    path.chmod(0o755)
    ann.own(path)


Plant = Callable[[Path, Person, Person], None]
PLANTS: list[tuple[Plant, str]] = [
    (attackers_folder, "is not yours"),
    (attackers_closed_folder, "is not yours"),
    (link_to_attackers_folder, "is a symbolic link"),
    (link_to_victims_folder, "is a symbolic link"),
    (dangling_link, "is a symbolic link"),
    (file, "is a file"),
    (victims_open_folder, "open to others"),
    (victims_sticky_folder, "open to others"),
    (victims_readable_folder, "open to others"),
]


def refused(done: Completed, path: Path, why: str) -> bool:
    """Whether a command ended with one clear message about a path."""
    (first, *rest) = done.err.splitlines() or [""]
    one_message = first.startswith("mlq: ") and len(rest) <= 1
    return done.code != 0 and one_message and str(path) in first and why in first


@pytest.mark.parametrize("way", [{}, REMOTE], ids=["here", "remote"])
@pytest.mark.parametrize(("plant", "why"), PLANTS, ids=[one.__name__ for one, _ in PLANTS])
def test_a_planted_folder_is_refused_by_every_command(
    victim: Sandbox, people: tuple[Person, Person], plant: Plant, why: str, way: dict[str, str]
) -> None:
    runtime = runtime_of(people[0])
    plant(runtime, *people)
    before = sorted(runtime.parent.glob(f"*mlq-{people[0].uid}*/**"))
    for name, words in COMMANDS.items():
        done = victim.run(*words, environ=way)
        assert refused(done, runtime, why), (name, done)
    # It was neither repaired nor used.
    assert sorted(runtime.parent.glob(f"*mlq-{people[0].uid}*/**")) == before
    assert people[0].processes() == []


@pytest.mark.parametrize("below", ["m", "m/desk", "t", "settings"])
def test_a_folder_open_to_others_below_is_refused(
    victim: Sandbox, people: tuple[Person, Person], below: str
) -> None:
    ann = people[0]
    runtime = runtime_of(ann)
    (runtime / below).mkdir(parents=True)
    for path in (runtime, *runtime.rglob("*")):
        path.chmod(0o700)
        ann.own(path)
    (runtime / below).chmod(0o770)
    words, way = (["ls"], REMOTE) if below == "t" else (COMMANDS["worker start"], {})
    done = victim.run(*words, environ=way)
    if below == "settings":  # only a memory of settings: it is done without
        assert "no queue answers" in done.err
        assert list((runtime / below).iterdir()) == []
    else:
        assert refused(done, runtime / below, "open to others"), done


@pytest.mark.parametrize("name", ["ls", "server status", "worker start"])
def test_a_queue_in_a_planted_folder_is_not_told_the_password(
    victim: Sandbox, people: tuple[Person, Person], name: str
) -> None:
    ann, eve = people
    runtime = runtime_of(ann)
    attackers_folder(runtime, ann, eve)
    with intruder(eve, "pose", runtime / "redis.sock") as poser:
        done = victim.run(*name.split())
        heard = poser.stop()
    assert heard == []
    assert PASSWORD.decode() not in done.out + done.err


def test_the_poser_does_hear_who_connects(people: tuple[Person, Person]) -> None:
    # Else the test before would prove nothing.
    runtime = runtime_of(people[0])
    attackers_folder(runtime, *people)
    with intruder(people[1], "pose", runtime / "redis.sock") as poser:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(runtime / "redis.sock"))
            one.sendall(b"AUTH secret")
            one.recv(10)
        assert poser.stop() == [(str(runtime / "redis.sock"), "AUTH secret")]


def test_a_folder_replaced_while_a_worker_runs_is_not_told_the_password(
    victim: Sandbox, people: tuple[Person, Person]
) -> None:
    # As after a clean-up of /tmp: the worker connects again and again.
    ann, eve = people
    runtime = runtime_of(ann)
    victim.ok("server", "start")
    victim.ok("worker", "start", "--gpus", "none")
    victim.ok("server", "stop")
    remove(runtime)
    attackers_folder(runtime, ann, eve)
    log = Path(f"/proc/{worker_of(ann)}/fd/2")
    with intruder(eve, "pose", runtime / "redis.sock") as poser:
        wait_for(lambda: re.search("is not yours", log.read_text()), what="the worker to refuse")
        assert poser.stop() == []


def worker_of(person: Person) -> int:
    for pid in person.processes():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"mlq_worker" in words:
            return pid
    raise AssertionError("no worker runs")
