"""The archive: any tar reads it, and nothing in it depends on the time."""

import hashlib
import io
import tarfile

from mlq.code.manifest import Manifest, PackedFile, PackedLink
from mlq.code.packing import is_pack_of, pack

CONTENTS = {
    "a.py": b"x" * 1000,
    "d/" + "l" * 150 + ".sh": b"",
    "z\udcff\n.py": b"q" * 512,
    "é.py": b"1",
}
MANIFEST = Manifest(
    tuple(
        PackedFile(path, 0o755 if path.endswith("sh") else 0o644, len(text), sha256)
        for path, text in CONTENTS.items()
        for sha256 in [hashlib.sha256(text).hexdigest()]
    ),
    (PackedLink("link", "t" * 200), PackedLink("short", "./a.py")),
)


def packed(manifest: Manifest = MANIFEST) -> bytes:
    return pack(manifest, CONTENTS.__getitem__)


def test_tarfile_reads_what_was_packed() -> None:
    with tarfile.open(fileobj=io.BytesIO(packed())) as archive:
        members = archive.getmembers()
        texts = {one.name: archive.extractfile(one) for one in members if one.isreg()}
        assert {name: file.read() for name, file in texts.items() if file} == CONTENTS
    assert {one.name: one.linkname for one in members if one.issym()} == dict(MANIFEST.links)
    assert {one.mode for one in members} == {0o644, 0o755, 0o777}
    assert {(one.mtime, one.uid, one.gid, one.uname) for one in members} == {(0, 0, 0, "")}


def test_the_same_files_make_the_same_bytes() -> None:
    other = Manifest(tuple(reversed(MANIFEST.files)), tuple(reversed(MANIFEST.links)))
    assert packed(other) == packed()


def test_a_pack_that_is_not_whole_is_known() -> None:
    whole = packed()
    assert is_pack_of(io.BytesIO(whole), MANIFEST)
    for damaged in (b"", b"no gzip", whole[:20], whole[: len(whole) // 2], whole[:-100]):
        assert not is_pack_of(io.BytesIO(damaged), MANIFEST)


def test_a_pack_of_other_files_is_known() -> None:
    whole = packed()
    for other in (
        MANIFEST._replace(files=MANIFEST.files[1:]),
        MANIFEST._replace(links=()),
        MANIFEST._replace(files=(MANIFEST.files[0]._replace(mode=0o755), *MANIFEST.files[1:])),
        MANIFEST._replace(files=(*MANIFEST.files, PackedFile("more", 0o644, 0, "0" * 64))),
    ):
        assert not is_pack_of(io.BytesIO(whole), other)
