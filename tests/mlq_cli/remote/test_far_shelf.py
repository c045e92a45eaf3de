"""Packs through the queue's host: here that is a shell of this machine."""

import hashlib
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlq.code.manifest import Manifest, PackedFile, links_text, parse_manifest
from mlq.code.packing import contents
from mlq.errors import MlqError, StorageError
from mlq_cli.remote.far_shelf import FarShelf
from mlq_cli.remote.far_shell import FarShell


class Host:
    """A queue's host, and the shelf through which a laptop reaches it."""

    def __init__(self, root: Path) -> None:
        self.root, self.started = root, 0
        self.queue = ("", "")
        self.now_s = 1e9
        self.known: dict[str, list[Any]] = {}
        self.sent: list[str] = []
        self.shelf = FarShelf(root, "far", self.open, lambda: self.queue, lambda: self.now_s)

    def open(self, words: Sequence[str]) -> FarShell:
        """Start a command there."""
        self.started += 1
        child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdin
        assert child.stdout
        stdin, stdout = child.stdin, child.stdout

        def close() -> None:
            stdin.close()
            stdout.close()
            child.wait()

        return FarShell(stdin, stdout, lambda: MlqError("it ended"), close)

    def keep(self, files: dict[str, bytes], *links: str) -> str:
        """Have a pack of these files there, and return its hash."""
        digest, _ = self.shelf.keep(manifest_of(files), self._links(links), self._content_of(files))
        return digest

    def _links(self, links: Sequence[str]) -> bytes:
        return links_text(links) if links else b""

    def _content_of(self, files: dict[str, bytes]) -> Callable[[str], bytes]:
        def content_of(path: str) -> bytes:
            self.sent.append(path)
            return files[path]

        return content_of


def manifest_of(files: dict[str, bytes]) -> Manifest:
    return Manifest(
        tuple(
            PackedFile(path, 0o644, len(text), hashlib.sha256(text).hexdigest())
            for path, text in files.items()
        )
    )


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path / "root")
    with host.shelf.opened(host.known):
        yield host
    host.shelf.close()


def test_a_pack_arrives_whole(host: Host) -> None:
    files = {"a.py": b"one", "\udcff\n.py": b"two", "empty": b""}
    digest = host.keep(files, "data")
    folder = host.root / "code"
    manifest = parse_manifest((folder / f"{digest}.manifest").read_bytes(), digest)
    with (folder / f"{digest}.tgz").open("rb") as file:
        assert dict(contents(file, manifest)) == files
    assert len(list(folder.glob("*.links"))) == 1


def test_only_what_is_new_travels(host: Host) -> None:
    host.keep({"a.py": b"one", "b.py": b"two"})
    host.sent.clear()
    files = {"a.py": b"one", "c.py": b"two", "d.py": b"three"}
    digest = host.keep(files)
    assert host.sent == ["d.py"]
    manifest = manifest_of(files)
    with (host.root / "code" / f"{digest}.tgz").open("rb") as file:
        assert dict(contents(file, manifest)) == files


def test_what_was_seen_there_is_believed_for_ten_minutes(host: Host) -> None:
    digest = host.keep({"a.py": b"one"})
    host.shelf.close()
    host.keep({"a.py": b"one"})
    assert host.started == 1
    host.now_s += 601
    host.keep({"a.py": b"one"})
    assert (host.started, host.sent) == (2, ["a.py"])
    pack = host.root / "code" / f"{digest}.tgz"
    whole = pack.read_bytes()
    pack.write_bytes(whole[:-5])
    host.now_s += 601
    host.keep({"a.py": b"one"})
    assert pack.read_bytes() == whole


def test_missing_folders(host: Host, tmp_path: Path) -> None:
    there, gone = str(tmp_path), str(tmp_path / "gone")
    assert host.shelf.missing_folders(host.known, [there, gone]) == [gone]
    host.shelf.close()
    assert host.shelf.missing_folders(host.known, [there]) == []
    assert host.started == 1


def test_what_is_in_folders(host: Host, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").touch()
    found = host.shelf.listed(str(tmp_path), ["", "data/", "gone/"])
    assert {"data/", "data/x"} <= set(found)


def test_a_root_of_another_queue_is_refused_in_words(host: Host) -> None:
    host.root.mkdir(mode=0o700)
    (host.root / "queue.json").write_text('{"queue": "other", "format": 1}')
    host.queue = ("mine", str(host.root))
    with pytest.raises(StorageError, match="another queue") as caught:
        host.keep({"a.py": b"one"})
    assert "on far" in caught.value.what
    assert not (host.root / "code").exists()


def test_a_file_beside_the_packs(host: Host) -> None:
    name = f"{'0' * 64}.{'1' * 12}.diff"
    host.shelf.keep_text(name, b"-a\n+b\n")
    host.shelf.keep_text("../odd", b"")
    assert [path.name for path in (host.root / "code").iterdir()] == [name]
