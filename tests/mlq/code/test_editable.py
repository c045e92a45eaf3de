"""Which folders an environment imports live."""

import json
import os
from pathlib import Path

import pytest
from git_projects import write

from mlq.code.editable import editable_folders, prefixes_of
from mlq.code.memory import RACY_NS


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment with three projects installed editable, in three ways."""
    site = "venv/lib/python3.12/site-packages"
    lib = tmp_path / "my lib"
    url = f"file://{tmp_path}/my%20lib"
    write(
        tmp_path,
        {
            "venv/pyvenv.cfg": "",
            "my lib/setup.py": "",
            "flat/.git/HEAD": "",
            "flat/src/flat/a.py": "",
            "machine/x.py": "",
            f"{site}/lib-1.dist-info/direct_url.json": json.dumps(
                {"url": url, "dir_info": {"editable": True}}
            ),
            f"{site}/wheel-1.dist-info/direct_url.json": json.dumps({"url": url, "dir_info": {}}),
            f"{site}/odd-1.dist-info/direct_url.json": "[",
            f"{site}/none-1.dist-info/RECORD": "",
            f"{site}/flat.pth": f"import sys\n{tmp_path}/flat/src\n{tmp_path}/gone\n",
            f"{site}/machine.pth": f"{tmp_path}/machine\n",
        },
    )
    assert lib.is_dir()
    return tmp_path / "venv"


def late() -> int:
    return 1 << 62


def test_editable_installs_are_found(venv: Path) -> None:
    found = editable_folders(str(venv), venv.parent / "run", late)
    assert found == (f"{venv.parent}/flat/src", f"{venv.parent}/my lib")


def test_what_was_found_is_remembered_until_something_changes(venv: Path) -> None:
    run, site = venv.parent / "run", venv / "lib/python3.12/site-packages"
    first = editable_folders(str(venv), run, late)
    direct = site / "lib-1.dist-info/direct_url.json"
    direct.write_text("{}")  # neither the folder's nor a .pth file's time
    assert editable_folders(str(venv), run, late) == first
    os.utime(site, (5, 5))
    assert editable_folders(str(venv), run, late) == (f"{venv.parent}/flat/src",)
    (site / "flat.pth").write_text("")
    assert editable_folders(str(venv), run, late) == ()


def test_what_just_changed_is_not_remembered(venv: Path) -> None:
    just = (venv / "lib/python3.12/site-packages").stat().st_ctime_ns + RACY_NS // 2
    editable_folders(str(venv), venv.parent / "run", lambda: just)
    assert not list((venv.parent / "run/code").iterdir())


def test_no_environment_is_no_error(tmp_path: Path) -> None:
    assert editable_folders(str(tmp_path / "none"), tmp_path / "run") == ()


def test_the_environments_of_a_job(venv: Path) -> None:
    start, home = str(venv.parent), "/home/me"
    mine = str(venv)
    assert prefixes_of(mine, ("", "python"), start, home) == (mine,)
    assert prefixes_of("", ("", "venv/bin/python"), start, home) == (mine,)
    assert prefixes_of("", (f"{mine}/bin/torchrun", "torchrun"), "/", home) == (mine,)
    assert prefixes_of("", ("", "python"), start, home) == ("/home/me/.local",)
    venv.rename(venv.parent / ".venv")
    assert prefixes_of("", ("/usr/bin/uv", "uv"), start, home) == (f"{start}/.venv",)
