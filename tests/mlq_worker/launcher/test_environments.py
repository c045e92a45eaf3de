"""What is noted of an attempt's Python environment, and how it is read again."""

from __future__ import annotations

import json
import os
import venv
from itertools import count
from pathlib import Path

import pytest

from mlq.api.environment import environments_of
from mlq.files.layout import Layout
from mlq_worker.launcher.environments import Environments, describe
from mlq_worker.launcher.holder import Holder


def add(prefix: Path, *paths: str) -> None:
    for path in paths:
        (prefix / path).parent.mkdir(parents=True, exist_ok=True)
        (prefix / path).touch()


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["pyvenv.cfg"], ""),
        (["conda-meta/python-3.11.4-h955ad1f_0.json"], "conda"),
        (["conda-meta/pixi"], "pixi"),
    ],
)
def test_kinds(tmp_path: Path, files: list[str], kind: str) -> None:
    add(tmp_path, *files)
    assert describe(str(tmp_path))["kind"] == kind


def test_conda_packages_are_told(tmp_path: Path) -> None:
    add(tmp_path, "conda-meta/python-3.11.4-h955ad1f_0.json", "conda-meta/lib-x-1.0-0.json")
    add(tmp_path, "lib/python3.11/site-packages/torch-2.1.0.dist-info/METADATA")
    assert describe(str(tmp_path)) == {
        "kind": "conda",
        "prefix": str(tmp_path),
        "python": "3.11.4",
        "distributions": {"torch": "2.1.0"},
        "conda_packages": {"lib-x": "1.0", "python": "3.11.4"},
    }


def test_an_attempt_names_the_environment_that_it_had(tmp_path: Path) -> None:
    prefix, root = tmp_path / "venv", Layout(tmp_path / "root")
    root.root.mkdir()
    venv.create(prefix, symlinks=True)
    (site_packages,) = prefix.glob("lib/python*/site-packages")
    hours = count(step=3600)
    environments, holder = Environments(lambda: float(next(hours))), Holder("m1", "b1", "s1")
    for attempt, version in ((1, "1.0"), (2, "2.0"), (3, "2.0")):
        for one in site_packages.glob("mypkg*"):
            one.rmdir()
        (site_packages / f"mypkg-{version}.dist-info").mkdir()
        os.utime(site_packages, (5, version == "1.0"))  # whatever the clock's grain
        folder = Path(root.folder("7").attempt_dir(attempt))
        folder.mkdir(parents=True)
        holder.note(str(folder), environments.record(str(prefix), root))
        found = environments_of(root, {"7": attempt, "8": 1})
        assert found.keys() == {"7"}
        assert found["7"]["distributions"] == {"mypkg": version}
        assert (found["7"]["kind"], found["7"]["python"].split(".")[0]) == ("venv", "3")
    assert len(list((root.root / "environments").iterdir())) == 2


def test_what_a_job_put_there_is_no_environment(tmp_path: Path) -> None:
    root = Layout(tmp_path)
    folder = Path(root.folder("7").attempt_dir(1))
    folder.mkdir(parents=True)
    for note in ("[]", "[" * 5000, json.dumps({"environment": "../../x"}), json.dumps([1])):
        (folder / "holder.json").write_text(note)
        assert environments_of(root, {"7": 1}) == {}
    assert Environments().record("", root) == ""


def test_a_root_that_takes_nothing_keeps_no_job_from_starting(tmp_path: Path) -> None:
    (tmp_path / "environments").write_text("a file")
    assert Environments().record(str(tmp_path), Layout(tmp_path)) == ""
