"""Trees of snapshots: compared and written."""

from pathlib import Path

import pytest

from mlq.code.manifest import Manifest, PackedFile, PackedLink
from mlq.code.tree import Tree, differing, make_links

FILES = {"a/x.sh": b"one", "b.py": b"two"}
MANIFEST = Manifest(
    tuple(PackedFile(path, 0o755 if "sh" in path else 0o644, 3, "") for path in FILES),
    (PackedLink("a/link", "x.sh"),),
)


def test_it_is_written_with_modes_and_links(tmp_path: Path) -> None:
    tree = Tree.of(MANIFEST, FILES.__getitem__)
    for _ in range(2):  # over what is there, too
        tree.write(tmp_path, tree.entries)
    assert (tmp_path / "a/x.sh").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "a/link").read_bytes() == b"one"
    make_links(tmp_path, ["b.py", "data/raw"], "/vol/p")
    assert (tmp_path / "b.py").read_bytes() == b"two"
    assert str((tmp_path / "data/raw").readlink()) == "/vol/p/data/raw"


def test_what_cannot_be_read_leaves_nothing_half(tmp_path: Path) -> None:
    def content_of(path: str) -> bytes:
        if path == "b.py":
            raise OSError(5, "no")
        return FILES[path]

    with pytest.raises(OSError, match="no"):
        Tree.of(MANIFEST, content_of).write(tmp_path, MANIFEST_PATHS)
    assert not list(tmp_path.iterdir())


MANIFEST_PATHS = [*FILES, "a/link"]


def test_what_differs() -> None:
    one = Tree.of(MANIFEST, FILES.__getitem__).entries
    other = {**one, "b.py": PackedLink("b.py", "a/x.sh"), "new": PackedFile("new", 0o644, 0, "")}
    del other["a/link"]
    assert differing(one, other) == ["a/link", "b.py", "new"]
    assert differing(one, one) == []
