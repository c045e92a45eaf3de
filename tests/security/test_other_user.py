"""Another user of the machine sees nothing, opens nothing, and reaches no socket.

The owner works with a umask of 000, so whatever keeps others out is mlq's own doing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attack import heard, successes
from leftovers import processes_of
from listening import listening
from lived_in import KINDS, LivedIn, new_lived_in
from people import Person, accounts

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def stranger() -> Person:
    """The attacker."""
    return accounts()[1]


@pytest.fixture(scope="module")
def lived_in(stranger: Person, everybodys_mlq: Path) -> Iterator[LivedIn]:
    """The victim's installation, in use."""
    owner = accounts()[0]
    with new_lived_in(owner, stranger, everybodys_mlq) as made:
        yield made


def sockets(lived_in: LivedIn) -> list[Path]:
    return [one for one in lived_in.made if one.is_socket()]


def test_there_is_everything_to_attack(lived_in: LivedIn) -> None:
    names = {one.name for one in lived_in.made}
    assert {"redis.password", "signing.key", "users.acl", "redis.conf", "redis.log"} <= names
    assert {"worker.log", "supervisor.log", "desk.beat", "queue.json", "job.json"} <= names
    assert {"output.log", "result.json", "model", "weights", "state.json"} <= names
    found = sorted(one.name for one in sockets(lived_in))
    assert found == ["ctl", "redis.sock", "sock", "sock", "supervisor.sock"]


def test_nothing_can_be_listed_read_or_written(lived_in: LivedIn, stranger: Person) -> None:
    assert successes(stranger, lived_in.made) == []


def test_each_file_and_folder_is_private_by_itself(lived_in: LivedIn) -> None:
    # Not only by the folder it is in, which its owner may open some day.
    modes = {one: one.lstat().st_mode for one in lived_in.made if not one.is_symlink()}
    assert {str(one): oct(mode) for one, mode in modes.items() if mode & 0o077} == {}


def test_the_owner_succeeds_where_the_stranger_fails(lived_in: LivedIn) -> None:
    # Else the test before would prove nothing about the intruder.
    found = successes(lived_in.owner, [*sockets(lived_in), lived_in.home.folder / ".config/mlq"])
    assert {(str(one), "connect") for one in sockets(lived_in)} <= set(found)
    assert (str(lived_in.home.folder / ".config/mlq"), "list") in found


def test_nothing_could_be_reached_while_it_was_made_either(lived_in: LivedIn) -> None:
    (what, rounds), *found = lived_in.ambush
    assert what == "rounds"
    assert int(rounds) > 100
    assert found == []


def test_nothing_listens_but_in_private_folders_and_by_names_that_answer_their_owner_only(
    lived_in: LivedIn, stranger: Person
) -> None:
    running = processes_of(lived_in.estate)
    roles = ("redis.sock", "mlq_worker desk", "supervisor", "launcher", "tunnel.shared_daemon")
    for role in roles:
        assert any(role in line for line in running.values()), (role, running)
    found = listening(running)
    names = [one.removeprefix("unix ") for one in found if one.startswith("unix @mlq/")]
    paths = [one for one in found if one.startswith(f"unix {lived_in.estate}/")]
    assert sorted(found) == sorted([*paths, *(f"unix {name}" for name in names)])
    assert {name.split("/")[1] for name in names} >= {"worker", "supervisor", "door"}
    assert heard(stranger, names) == dict.fromkeys(names, "")
    assert len(paths) >= 3 + len(KINDS)


def test_no_command_line_tells_a_secret(lived_in: LivedIn) -> None:
    lines = b"\n".join(lived_in.cmdlines)
    assert b"redis.sock" in lines  # it did look
    assert b"ssh_config" in lines
    for name, secret in lived_in.secrets.items():
        assert secret not in lines, name


def test_no_environment_tells_a_secret(lived_in: LivedIn) -> None:
    for pid in processes_of(lived_in.estate):
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        for name, secret in lived_in.secrets.items():
            assert secret not in environ, (name, pid)


def test_each_secret_is_in_its_own_file_only(lived_in: LivedIn) -> None:
    for path in lived_in.made:
        if path.is_file():
            content = path.read_bytes()
            told = [name for name, secret in lived_in.secrets.items() if secret in content]
            assert told == [path.name] * len(told), path
