"""Packs of code as they lie on a results root, for tests of those who read them."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from mlq.code.manifest import EXECUTABLE, PLAIN, Manifest, PackedFile, PackedLink, links_text
from mlq_worker.ipc.values import Copied


def write_pack(
    root: Path,
    files: Mapping[str, bytes],
    links: Mapping[str, str] | None = None,
    live: Iterable[str] = (),
    project: Path | str = "/nowhere",
) -> Copied:
    """Write a pack of these files; those with a first line `#!` are programs."""
    packed = [
        PackedFile(path, _mode(data), len(data), hashlib.sha256(data).hexdigest())
        for path, data in files.items()
    ]
    links = links or {}
    manifest = Manifest(tuple(packed), tuple(PackedLink(*one) for one in links.items()))
    folder = root / "code"
    folder.mkdir(exist_ok=True)
    (folder / f"{manifest.digest}.manifest").write_bytes(manifest.text())
    (folder / f"{manifest.digest}.tgz").write_bytes(tar_of(files, links))
    text = links_text(live)
    digest = hashlib.sha256(text).hexdigest() if text else ""
    if text:
        (folder / f"{digest}.links").write_bytes(text)
    return Copied(manifest.digest, digest, str(project))


def tar_of(files: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    """Return a compressed archive."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz", compresslevel=1) as tar:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), _mode(data)
            tar.addfile(member, io.BytesIO(data))
        for path, target in links.items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return whole.getvalue()


def _mode(data: bytes) -> int:
    return EXECUTABLE if data.startswith(b"#!") else PLAIN
