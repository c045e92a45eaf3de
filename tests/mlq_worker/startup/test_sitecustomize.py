"""A job's Python imports the copy of what its environment has installed editable."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
from editable import install_editable

from mlq_worker.agent.copied_code import MODULE, PAIRS, STARTUP
from mlq_worker.startup import sitecustomize
from mlq_worker.startup.sitecustomize import moved, pairs_of

# Name of the project -> its folder of packages, and what builds it.
PROJECTS = {
    "flat": ("", "setuptools.build_meta"),
    "src": ("src", "setuptools.build_meta"),
    "hatch": ("src", "hatchling.build"),
    "exact": ("", "hatchling.build"),
    "flit": ("", "flit_core.buildapi"),
    "uv": ("src", "uv_build"),
}
MORE = {"exact": "[tool.hatch.build]\ndev-mode-exact = true\n"}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has all projects installed editable, and whose folder is in one."""
    folder = tmp_path_factory.mktemp("editable")
    for name in PROJECTS:
        write_project(folder / "live", name)
        write_project(folder / "copy", name)
    prefix = folder / "live" / "flat" / ".venv"
    venv.create(prefix, symlinks=True)
    (folder / "copy" / "flat" / ".venv").symlink_to(prefix)
    (site_packages,) = prefix.glob("lib/python*/site-packages")
    install_editable(site_packages, [folder / "live" / name for name in PROJECTS])
    return prefix / "bin" / "python"


def write_project(folder: Path, name: str) -> None:
    where, backend = PROJECTS[name]
    package = folder / name / where / f"{name}pkg"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""A package."""\n__version__ = "1"\n')
    (package / "part.py").write_text("import sys\nif __name__ == '__main__': print(__file__)\n")
    (folder / name / "README.md").write_text("")
    (folder / name / "pyproject.toml").write_text(
        f'[project]\nname = "{name}pkg"\nversion = "1"\ndescription = "x"\n'
        f'[build-system]\nbuild-backend = "{backend}"\nrequires = []\n{MORE.get(name, "")}'
    )
    (folder / name / "backend").write_text(backend)


def run(python: Path | str, *argv: str, pairs: dict[str, str], **more: str) -> str:
    """What a program prints, and what it says on standard error."""
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": STARTUP,
        PAIRS: "\n".join(word for pair in pairs.items() for word in pair),
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }
    command = [str(python), *argv]
    done = subprocess.run(command, env=env, text=True, capture_output=True, check=True, cwd="/")
    return done.stdout + done.stderr


def copies(python: Path) -> dict[str, str]:
    """Each live project and its copy."""
    top = python.parents[4]
    return {str(top / "live" / name): str(top / "copy" / name) for name in PROJECTS}


@pytest.mark.slow
def test_the_copy_is_imported_whatever_built_the_project(python: Path) -> None:
    top = python.parents[4]
    names = [f"{name}pkg" for name in PROJECTS]
    code = (
        f"import importlib\nfor n in {names}: print(importlib.import_module(n + '.part').__file__)"
    )
    where = [
        f"{name}/{src}/{name}pkg/part.py".replace("//", "/") for name, (src, _) in PROJECTS.items()
    ]
    found = run(python, "-c", code, pairs=copies(python))
    assert found.splitlines() == [f"{top}/copy/{one}" for one in where]
    assert run(python, "-c", code, pairs={}).splitlines() == [f"{top}/live/{one}" for one in where]
    # Only one is moved: the others are where they were.
    one_live = str(top / "live" / "src")
    found = run(python, "-c", code, pairs={one_live: copies(python)[one_live]})
    assert [line for line in found.splitlines() if "/copy/" in line] == [f"{top}/copy/{where[1]}"]
    # In child processes, and as programs.
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    found = run(python, "-c", child, pairs=copies(python))
    assert found.splitlines() == [f"{top}/copy/{one}" for one in where]
    assert run(python, "-m", "flatpkg.part", pairs=copies(python)) == f"{top}/copy/{where[0]}\n"
    # The environment itself stays live, though it is in a project.
    paths = run(python, "-c", "import sys; print(sys.prefix, sys.path)", pairs=copies(python))
    assert "/live/flat/.venv/lib" in paths
    assert "/copy/flat/.venv" not in paths


def test_it_takes_little_time(tmp_path: Path) -> None:
    def cpu_s(**env: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(sys.executable, "-c", "", pairs={str(tmp_path): "/copy"}, **env)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    with_it, without = zip(*((cpu_s(), cpu_s(PYTHONPATH="")) for _ in range(6)), strict=True)
    assert min(with_it) - min(without) < 0.015  # measured: 1 ms


def test_the_next_one_is_run_as_if_there_was_none(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os.environ['SEEN'] = __file__")
    code = "import os, sys, sitecustomize as s; print(os.environ['SEEN'], s.__file__, sys.path[1])"
    path = f"{STARTUP}:{tmp_path}"
    found = run(sys.executable, "-c", code, pairs={"/live": "/copy"}, PYTHONPATH=path)
    assert found.split() == [*[f"{tmp_path}/sitecustomize.py"] * 2, str(tmp_path)]


def test_the_next_ones_error_is_told_as_python_tells_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("1 / 0")
    path = f"{STARTUP}:{tmp_path}"
    found = run(sys.executable, "-c", "print('runs')", pairs={"/live": "/copy"}, PYTHONPATH=path)
    assert found.startswith("runs\n")
    assert "ZeroDivisionError" in found


def test_an_error_of_ours_breaks_no_job(tmp_path: Path) -> None:
    # A file in the place of what .pth files and finders hold.
    (tmp_path / "broken.py").write_text(
        "import sys\nclass F:\n    __module__ = '__editable___x'\n"
        "    def find_spec(*_): return None\n"
        "class M(dict):\n    def items(self): raise RuntimeError('odd')\n"
        "sys.modules['__editable___x'] = m = type(sys)('__editable___x')\n"
        "m.MAPPING = M(); sys.meta_path.append(F())\n"
        f"import runpy; runpy.run_path({sitecustomize.__file__!r}, run_name='sitecustomize')\n"
        "import subprocess; print(len(sys.argv))\n"
        "if len(sys.argv) < 2: subprocess.run([sys.executable, __file__, 'child'])\n"
    )
    found = run(sys.executable, str(tmp_path / "broken.py"), pairs={"/live": "/copy"})
    assert found.count("RuntimeError('odd')") == 1
    assert found.startswith(("1\n2\n", "2\n1\n"))


def test_what_cannot_be_moved_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class ScikitBuildRedirectingFinder:
        def __init__(self, path: str) -> None:
            self.known_source_files = {"pkg": path}

    pairs = [("/live", "/copy")]
    finders: list[Any] = [ScikitBuildRedirectingFinder("/live/pkg.py")]
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, *finders])
    (said,) = sitecustomize.not_moved(pairs)
    assert "ScikitBuildRedirectingFinder" in said
    assert sitecustomize.not_moved([("/elsewhere", "/copy")]) == []
    monkeypatch.setattr(sys, "path", [*sys.path, "/copy/build/__editable__.x-1-py3-none-any"])
    assert "strict mode" in sitecustomize.not_moved(pairs)[0]


def test_a_path_is_moved_only_to_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "one.py").touch()
    pairs = pairs_of(f"/a%25b\n{tmp_path}\n/a%25b/inner%0Ax\n/other")
    assert pairs[0] == ("/a%b/inner\nx", "/other")
    assert moved("/a%b/src", pairs) == f"{tmp_path}/src"
    assert moved("/a%b/one", pairs) == f"{tmp_path}/one"
    assert moved("/a%b", pairs) == str(tmp_path)
    for stays in ("/a%b/build", "/a%bc/src", "/elsewhere", "/a%b/inner\nx/src"):
        assert moved(stays, pairs) == stays
    assert pairs_of("") == []


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which nothing is installed."""
    prefix = tmp_path_factory.mktemp("empty")
    venv.create(prefix, symlinks=True)
    return prefix / "bin" / "python"


REPORT = "from mlq import report; import mlq, sys; print(mlq.__file__, len(sys.path))"


def test_an_environment_without_mlq_can_report(empty: Path, tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    code = f"{REPORT}; report(step=1, total=4, loss=float('nan'))"
    found = run(empty, "-c", code, pairs={}, MLQ_PROGRESS_FILE=str(file), **MODULE)
    assert found.split()[0] == MODULE["MLQ_MODULE"]
    line = json.loads(file.read_text())
    del line["at"]
    assert line == {"progress": 0.25, "step": 1, "total": 4, "loss": "nan"}
    # Nothing else of ours can be imported, and the path is as it was.
    code = "import sys; print(len(sys.path), [m for m in sys.modules if 'mlq' in m])"
    with_it = run(empty, "-c", code, pairs={}, **MODULE)
    assert with_it == run(empty, "-c", code, pairs={}, PYTHONPATH="")
    with pytest.raises(subprocess.CalledProcessError):
        run(empty, "-c", "import mlq.jobs", pairs={}, **MODULE)
    # Children have it too; what ignores PYTHONPATH has not.
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {REPORT!r}])"
    assert run(empty, "-c", child, pairs={}, **MODULE).startswith(MODULE["MLQ_MODULE"])
    with pytest.raises(subprocess.CalledProcessError):
        run(empty, "-I", "-c", REPORT, pairs={}, **MODULE)


def test_any_other_mlq_wins(empty: Path, tmp_path: Path) -> None:
    (site_packages,) = empty.parents[1].glob("lib/python*/site-packages")
    theirs = site_packages / "mlq.py"
    text = "report = None\n"
    theirs.write_text(text)
    assert run(empty, "-c", REPORT, pairs={}, **MODULE).split()[0] == str(theirs)
    theirs.unlink()
    (tmp_path / "mlq").mkdir()
    (tmp_path / "mlq" / "__init__.py").write_text(text)
    (tmp_path / "job.py").write_text(REPORT)
    own = str(tmp_path / "mlq" / "__init__.py")
    assert run(empty, str(tmp_path / "job.py"), pairs={}, **MODULE).split()[0] == own
    late = f"import sys; sys.path.append({str(tmp_path)!r}); {REPORT}"
    assert run(empty, "-c", late, pairs={}, **MODULE).split()[0] == own
    # An editable install of setuptools has a finder behind that of `sys.path`.
    (site_packages / "__editable___x_finder.py").write_text(
        "import sys\nfrom importlib.util import spec_from_file_location\n"
        "class Finder:\n    @staticmethod\n    def find_spec(name, path=None, target=None):\n"
        f"        if name == 'mlq': return spec_from_file_location(name, {own!r})\n"
        "sys.meta_path.append(Finder)\n"
    )
    pth = site_packages / "x.pth"
    pth.write_text("import __editable___x_finder\n")
    assert run(empty, "-c", REPORT, pairs={}, **MODULE).split()[0] == own
    pth.unlink()
    # The real one, here in this environment.
    found = run(sys.executable, "-c", REPORT, pairs={}, **MODULE).split()[0]
    assert found.endswith("queue/mlq/__init__.py")
