"""Makes a conda prefix with rattler and prints how bash activates it: CHANNEL PREFIX PYTHON."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any


def package(folder: Path, python: str) -> None:
    """Write a package of conda's older format: an archive with a description in `info`."""
    files = {
        "bin/python": f'#!/bin/sh\nexec {python} "$@"\n',
        "etc/conda/activate.d/tiny.sh": 'export GDAL_DATA="$CONDA_PREFIX/share/gdal"\n',
    }
    paths = [
        {
            "_path": name,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "size_in_bytes": len(text),
        }
        for name, text in files.items()
    ]
    about = {"name": "tiny", "version": "1.0", "build": "0", "build_number": 0, "depends": []}
    info: dict[str, Any] = {
        "info/index.json": {**about, "subdir": "noarch", "noarch": "generic"},
        "info/paths.json": {"paths_version": 1, "paths": paths},
    }
    described = {name: json.dumps(content) for name, content in info.items()}
    folder.mkdir(parents=True)
    with tarfile.open(folder / "tiny-1.0-0.tar.bz2", "w:bz2") as archive:
        for name, text in {**described, **files}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o755
            archive.addfile(member, io.BytesIO(text.encode()))


async def install(channel: Path, prefix: Path) -> None:
    """Install the package of a channel, as `conda create` does."""
    import rattler
    from rattler.index import index_fs

    await index_fs(channel)
    records = await rattler.solve(
        [rattler.Channel(channel.as_uri())],
        [rattler.MatchSpec("tiny")],
        platforms=["noarch"],
        gateway=rattler.Gateway(cache_dir=channel / "gateway"),
    )
    await rattler.install(records, prefix, cache_dir=channel / "cache", show_progress=False)


def main() -> None:
    """Make it."""
    channel, prefix = (Path(word).absolute() for word in sys.argv[1:3])
    package(channel / "noarch", sys.argv[3])
    asyncio.run(install(channel, prefix))
    from rattler.shell import ActivationVariables, Shell, activate

    # The shell's own PATH comes after, not that of this process.
    script = activate(prefix, ActivationVariables(current_path=[""]), Shell.bash).script
    sys.stdout.write(script)


if __name__ == "__main__":
    main()
    # The threads of the package's runtime go on while Python ends, and now and then crash it.
    sys.stdout.flush()
    os._exit(0)
