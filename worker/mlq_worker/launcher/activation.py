"""What `conda activate` does beside PATH: variables of the environment, and scripts of packages.

A package may have scripts to be sourced at activation (`etc/conda/activate.d`), and an environment
variables of its own (`conda env config vars set`). In the shell that a job was enqueued from they
took effect, and what they set came along; without it (`--clean-env`, `--python-env`) they take
effect here. The shell that sources them is the job's own process and then becomes the command, so
scripts act, and take their time, as the job. Invariant: variables that the job already has stay as
they are; folders that scripts add to PATH come first.

By <https://docs.conda.io/projects/conda/en/stable/dev-guide/deep-dives/activation.html>.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_SHELLS = ("/bin/bash", "/usr/bin/bash", "/bin/sh")
_MOST_BYTES = 1 << 20
_UNSET = "***unset***"  # conda's own word
# Splitting PATH at colons must not expand what is in it.
_RESTORE = """\
mlq_path=$PATH
eval "$mlq_saved"
mlq_added=
IFS=:
set -f
for mlq_one in $mlq_path; do
  case ":$PATH:" in *":$mlq_one:"*) ;; *) mlq_added=$mlq_added$mlq_one: ;; esac
done
PATH=$mlq_added$PATH
unset IFS mlq_path mlq_saved mlq_added mlq_one
set +f
exec "$@"
"""


class Activation(NamedTuple):
    """What activates an environment, apart from its place in PATH."""

    scripts: tuple[str, ...] = ()
    variables: Mapping[str, str] = {}

    def wrapped(self, argv: Sequence[str]) -> list[str]:
        """Return a command that sources the scripts and then becomes the given one."""
        if not self.scripts:
            return list(argv)
        shell = next((one for one in _SHELLS if os.access(one, os.X_OK)), _SHELLS[-1])
        sourced = "".join(f". {shlex.quote(one)}\n" for one in self.scripts)
        return [shell, "-c", f"mlq_saved=$(export -p)\n{sourced}{_RESTORE}", "mlq", *argv]


NONE = Activation()


def activation_of(env: Mapping[str, str]) -> Activation:
    """Return what activates the conda environment of a job; nothing if it has none.

    Args:
        env: the job's variables.
    """
    prefix = env.get("CONDA_PREFIX", "").rstrip("/")
    if not prefix or f"{prefix}/bin" not in [one.rstrip("/") for one in _path(env)]:
        return NONE
    variables: dict[str, str] = {}
    for path in _listed(f"{prefix}/etc/conda/env_vars.d", ".json"):
        variables |= _texts(_json(path))
    state = _json(f"{prefix}/conda-meta/state")
    if isinstance(state, dict):
        variables |= _texts(state.get("env_vars"))
    return Activation(tuple(_listed(f"{prefix}/etc/conda/activate.d", ".sh")), variables)


def _path(env: Mapping[str, str]) -> list[str]:
    return env.get("PATH", "").split(":")


def _listed(folder: str, suffix: str) -> list[str]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names
    except OSError:
        return []
    return [f"{folder}/{name}" for name in sorted(names) if name.endswith(suffix)]


def _json(path: str) -> object:
    try:
        with Path(path).open("rb") as file:
            return json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None


def _texts(found: object) -> dict[str, str]:
    return dict(_pairs(found)) if isinstance(found, dict) else {}


def _pairs(found: dict[object, object]) -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, str) or value == _UNSET:
            continue
        if name and "=" not in name and "\0" not in name + value:
            yield name, value
