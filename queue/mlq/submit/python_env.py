"""Which Python environment is active in a shell, and which variables of it a job gets.

An environment is active if its bin folder is in PATH; a VIRTUAL_ENV or CONDA_PREFIX alone is a
leftover of some other shell. With a virtual environment inside conda, the first in PATH wins, as it
does in the shell. If none is active, but the program of the job lies in one whose bin folder is in
PATH, that one is recorded. Invariant: a job gets all of conda's variables or none, and an
environment's variables only together with its place in PATH.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mlq.submit.programs import present_folder
from mlq.submit.secrecy import looks_like_secret

_VENV = re.compile(r"VIRTUAL_ENV(_PROMPT)?")
_CONDA = re.compile(r"CONDA_.*|_CE_CONDA|_CE_M|_CONDA_.*|__CONDA_SHLVL_\d+.*")

_PLUGIN_OF_PYENV = re.compile(r"/plugins/[^/]+/bin$")
_VERSION_OF_PYENV = re.compile(r"/versions/[^/]+/bin$")


class PythonEnv(NamedTuple):
    """The Python environment of a job, and its variables.

    Args:
        prefix: the environment whose bin folder comes first; "" if there is none.
        variables: those that its activation set, except PATH.
        path: the whole PATH; "" if the caller has none.
    """

    prefix: str
    variables: dict[str, str]
    path: str


def python_env_of(asked: str | None, environ: Mapping[str, str]) -> PythonEnv:
    """Return the environment of a job.

    Args:
        asked: a folder, "" for none, None for what is active.
        environ: variables of the caller's shell.
    """
    if asked is None:
        return active(environ)
    prefix = asked and str(Path(present_folder(environ)) / Path(asked).expanduser())
    return instead(active(environ), prefix, is_conda=Path(prefix, "conda-meta").is_dir())


def active(environ: Mapping[str, str]) -> PythonEnv:
    """Return the environment of the shell that has these variables."""
    path = shell_path(environ)
    folders = [folder.rstrip("/") for folder in path.split(":")]
    venv = _in_path(environ.get("VIRTUAL_ENV", ""), folders)
    conda = _in_path(environ.get("CONDA_PREFIX", ""), folders)
    found = sorted((folders.index(f"{one}/bin"), one) for one in {venv, conda} if one)
    variables = {
        name: value
        for name, value in environ.items()
        if (venv and _VENV.fullmatch(name)) or (conda and _CONDA.fullmatch(name))
        if _is_utf8(value) and not looks_like_secret(name, value)
    }
    return PythonEnv(found[0][1] if found else "", variables, path)


def instead(of: PythonEnv, prefix: str, *, is_conda: bool) -> PythonEnv:
    """Return the environment that a caller names, in place of those of its shell.

    Args:
        of: those of its shell.
        prefix: the environment, "" for none.
        is_conda: whether it is one of conda's.
    """
    old = {of.variables.get(name, "").rstrip("/") for name in ("VIRTUAL_ENV", "CONDA_PREFIX")}
    left_out = {f"{one}/bin" for one in (*old, of.prefix) if one}
    kept = [one for one in of.path.split(":") if one.rstrip("/") not in left_out]
    if not prefix:
        return PythonEnv("", {}, ":".join(kept))
    path = ":".join((f"{prefix.rstrip('/')}/bin", *filter(None, kept)))
    return PythonEnv(prefix, _told(prefix, is_conda=is_conda), path)


def with_home_of(program: str, python: PythonEnv) -> PythonEnv:
    """Return the environment in which a program lies, if no other one is active.

    PATH stays as it is: the program was found there.

    Args:
        program: its path; "" if it is none of the user's own.
        python: what is active.
    """
    folder = Path(program).parent
    if python.prefix or not program or folder.name != "bin":
        return python
    prefix, is_conda = str(folder.parent), (folder.parent / "conda-meta").is_dir()
    if not is_conda and not (folder.parent / "pyvenv.cfg").is_file():
        return python
    told = {**python.variables, **_told(prefix, is_conda=is_conda)}
    return PythonEnv(prefix, told, python.path)


def _told(prefix: str, *, is_conda: bool) -> dict[str, str]:
    """Return the variables that the activation of an environment sets."""
    if not is_conda:
        return {"VIRTUAL_ENV": prefix}
    # As conda does it: an environment in a folder `envs` is called by its name.
    parent, name = prefix.rstrip("/").rsplit("/", 1)
    called = name if parent.endswith("/envs") else prefix
    return {"CONDA_PREFIX": prefix, "CONDA_DEFAULT_ENV": called, "CONDA_SHLVL": "1"}


def shell_path(environ: Mapping[str, str]) -> str:
    """Return the PATH of the shell that called mlq.

    A pyenv shim that runs `mlq` adds folders of pyenv and of mlq's own Python, in which the shell
    itself does not look.
    """
    folders = [one for one in environ.get("PATH", "").split(":") if _is_utf8(one)]
    pyenv = environ.get("_PYENV_INSTALL_PREFIX", "")
    if pyenv and f"{pyenv}/libexec" in folders:
        first = last = folders.index(f"{pyenv}/libexec")
        while _PLUGIN_OF_PYENV.search(":".join(folders[last + 1 : last + 2])):
            last += 1
        if first and _VERSION_OF_PYENV.search(folders[first - 1]):
            first -= 1
        del folders[first : last + 1]
    return ":".join(folders)


def _in_path(prefix: str, folders: list[str]) -> str:
    prefix = prefix.rstrip("/")
    return prefix if prefix.startswith("/") and f"{prefix}/bin" in folders else ""


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
