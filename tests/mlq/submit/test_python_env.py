"""Which Python environment is active, and which program a shell means by a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlq.submit.programs import program_of
from mlq.submit.python_env import PythonEnv, active, instead, with_home_of

CONDA = {
    "CONDA_PREFIX": "/opt/conda/envs/ml",
    "CONDA_DEFAULT_ENV": "ml",
    "CONDA_SHLVL": "2",
    "CONDA_PREFIX_1": "/opt/conda",
    "CONDA_EXE": "/opt/conda/bin/conda",
    "_CE_M": "",
}
CONDA_BIN = "/opt/conda/envs/ml/bin:/opt/conda/condabin"


def test_with_both_active_the_first_in_path_wins_and_both_are_told() -> None:
    both = {**CONDA, "VIRTUAL_ENV": "/v", "VIRTUAL_ENV_PROMPT": "(v)", "HF_HOME": "/hf"}
    told = {name: both[name] for name in both if name != "HF_HOME"}
    for path, prefix in (
        (f"/v/bin:{CONDA_BIN}:/usr/bin", "/v"),
        (f"/home/me/bin:{CONDA_BIN}:/v/bin/", "/opt/conda/envs/ml"),
    ):
        assert active({**both, "PATH": path}) == PythonEnv(prefix, told, path)


def test_an_environment_that_is_not_in_path_is_not_active() -> None:
    left = {**CONDA, "VIRTUAL_ENV": "/v", "PATH": "/opt/conda/condabin:/usr/bin"}
    assert active(left) == PythonEnv("", {}, left["PATH"])
    only_venv = {**left, "PATH": "/v/bin:/usr/bin"}
    assert active(only_venv).variables == {"VIRTUAL_ENV": "/v"}
    assert active({}) == PythonEnv("", {}, "")


def test_secrets_and_bytes_that_no_queue_takes_stay_here() -> None:
    environ = {
        **CONDA,
        "CONDA_TOKEN": "an-x123456",
        "CONDA_X": "\udcff",
        "PATH": f"/\udcff:{CONDA_BIN}",
    }
    assert active(environ) == PythonEnv("/opt/conda/envs/ml", CONDA, CONDA_BIN)


def test_an_environment_that_a_caller_names_takes_the_place_of_all_others() -> None:
    here = active({**CONDA, "VIRTUAL_ENV": "/v", "PATH": f"/v/bin:{CONDA_BIN}:/usr/bin"})
    rest = "/opt/conda/condabin:/usr/bin"
    assert instead(here, "", is_conda=False) == PythonEnv("", {}, rest)
    assert instead(here, "/w", is_conda=False) == ("/w", {"VIRTUAL_ENV": "/w"}, f"/w/bin:{rest}")
    named = instead(here, "/c/envs/x", is_conda=True)
    assert (named.variables["CONDA_DEFAULT_ENV"], named.path) == ("x", f"/c/envs/x/bin:{rest}")
    assert instead(here, "/w", is_conda=True).variables == {
        "CONDA_PREFIX": "/w",
        "CONDA_DEFAULT_ENV": "/w",
        "CONDA_SHLVL": "1",
    }


def test_the_home_of_a_program_is_recorded_if_nothing_is_active(tmp_path: Path) -> None:
    venv, conda, plain = (tmp_path / name for name in ("venv", "envs/ml", "plain"))
    for one in (venv, conda, plain):
        (one / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").touch()
    (conda / "conda-meta").mkdir()
    none = PythonEnv("", {}, "/x:/y")
    assert with_home_of(f"{venv}/bin/python", none) == (
        str(venv),
        {"VIRTUAL_ENV": str(venv)},
        "/x:/y",
    )
    told = {"CONDA_PREFIX": str(conda), "CONDA_DEFAULT_ENV": "ml", "CONDA_SHLVL": "1"}
    assert with_home_of(f"{conda}/bin/x", none) == (str(conda), told, "/x:/y")
    for program in (f"{plain}/bin/x", f"{venv}/lib/x", ""):
        assert with_home_of(program, none) == none
    other = PythonEnv("/v", {"VIRTUAL_ENV": "/v"}, "/x")
    assert with_home_of(f"{venv}/bin/python", other) == other


def test_the_shell_does_not_look_where_a_pyenv_shim_lets_mlq_look() -> None:
    root = "/home/me/.pyenv"
    own = f"{root}/shims:/usr/bin"
    shim = f"{root}/versions/3.11.4/bin:{root}/libexec:{root}/plugins/pyenv-update/bin:{own}"
    assert active({"PATH": shim, "_PYENV_INSTALL_PREFIX": root}).path == own
    assert active({"PATH": shim}).path == shim
    # What a program run by a shim, such as uv, puts before it counts.
    inner = {"PATH": f"/v/bin:{shim}", "_PYENV_INSTALL_PREFIX": root, "VIRTUAL_ENV": "/v"}
    assert active(inner)[::2] == ("/v", f"/v/bin:{own}")


PROGRAMS = {"/v/bin/python", "/usr/bin/python", "/here/tools/run", "/opt/m/bin/nvcc", "/bin/sh"}


@pytest.mark.parametrize(
    ("name", "path", "program"),
    [
        ("python", "/gone:/v/bin:/usr/bin", "/v/bin/python"),
        ("python", "/usr/bin:/v/bin", ""),  # each machine's own
        ("python", "/usr/bin/:/v/bin", ""),
        ("nvcc", "/usr/bin:/opt/m/bin", "/opt/m/bin/nvcc"),
        ("run", "tools:/usr/bin", "/here/tools/run"),
        ("tool", "/usr/bin", ""),  # another machine may have it
        ("sh", "", ""),
        ("/v/bin/python", "/usr/bin", ""),
        ("./run", "/here/tools", ""),
        ("", "/v/bin", ""),
    ],
)
def test_a_program_is_the_one_that_the_shell_finds(name: str, path: str, program: str) -> None:
    assert program_of(name, path, "/here", PROGRAMS.__contains__) == program
