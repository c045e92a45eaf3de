"""Makes a wheel of the mlq that runs here, be it a checkout or an installation.

It packs the packages from the folders from which Python imported them, so it needs neither a build
tool nor a network. The same content gives the same bytes, so the digest names what is deployed. The
format is the "Binary distribution format" of packaging.python.org.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import mlq
import mlq_cli
import mlq_worker
from mlq.errors import MlqError
from mlq_worker.service import systemd

_DISTRIBUTION = "mlq-lab"
_TAG = "py3-none-any"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip file can hold
_LEFT_OUT = {"__pycache__"}
_MODE = 0o644 << 16


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel in memory.

    Args:
        version: the version of mlq.
        name: the file name that pip needs.
        data: the content.
    """

    version: str
    name: str
    data: bytes

    @property
    def label(self) -> str:
        """A name that distinguishes two builds of one version: `0.1.0-3f2a91bc`."""
        return f"{self.version}-{hashlib.sha256(self.data).hexdigest()[:8]}"


def build() -> Wheel:
    """Return a wheel of this mlq.

    Raises:
        MlqError: this mlq is not installed, so its dependencies are unknown.
    """
    try:
        distribution = metadata.distribution(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise MlqError(
            "cannot make a wheel of this mlq",
            why=f"it runs without being installed as {_DISTRIBUTION}",
            fix="pip install --editable . in its folder, and type this again",
        ) from None
    stem = f"{_DISTRIBUTION.replace('-', '_')}-{mlq.__version__}"
    about = f"{stem}.dist-info"
    files = dict(sorted(_packages()))
    described = distribution.read_text("METADATA") or ""
    files[f"{about}/METADATA"] = _with_version(described).encode()
    files[f"{about}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: mlq\nRoot-Is-Purelib: true\nTag: {_TAG}\n".encode()
    )
    files[f"{about}/entry_points.txt"] = (distribution.read_text("entry_points.txt") or "").encode()
    record = f"{about}/RECORD"
    files[record] = _record(files, record).encode()
    return Wheel(mlq.__version__, f"{stem}-{_TAG}.whl", _zipped(files))


def _packages() -> Iterator[tuple[str, bytes]]:
    for package in (mlq, mlq_worker, mlq_cli):
        folder = Path(package.__path__[0])
        for path in folder.rglob("*"):
            below = path.relative_to(folder.parent)
            if path.is_file() and not _LEFT_OUT & set(below.parts):
                yield below.as_posix(), path.read_bytes()
    for path in systemd.templates().iterdir():
        yield f"mlq_worker/service/units/{path.name}", path.read_bytes()


def _with_version(described: str) -> str:
    # A checkout may have a newer version than when it was installed.
    head, _, body = described.partition("\n\n")
    lines = [
        f"Version: {mlq.__version__}" if line.startswith("Version:") else line
        for line in head.splitlines()
    ]
    return "\n".join(lines) + f"\n\n{body}"


def _record(files: dict[str, bytes], record: str) -> str:
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}\n")
    return "".join([*lines, f"{record},,\n"])


def _zipped(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr, entry.compress_type = _MODE, zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return target.getvalue()
