"""The variables that make a job's programs use the copy of its code, not the live folder.

Pure. Python learns of the copy, and of the small `mlq` that reports, from
`mlq_worker.startup.sitecustomize`, whose folder comes first in PYTHONPATH. uv must not sync the
environment with the copy: the user's environment would then name a job's folder. Invariant:
variables that the user has set stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import mlq.jobs.standalone.mlq
import mlq_worker
from mlq.files.layout import JobFolder
from mlq.jobs.spec import JobSpec

STARTUP = str(Path(mlq_worker.__file__).parent / "startup")
MODULE = {"MLQ_MODULE": mlq.jobs.standalone.mlq.__file__}
"""The variable that says where the small `mlq` is, for environments that have no mlq."""
PAIRS = "MLQ_CODE"
"""The variable that holds live projects and their copies, one path a line."""


def start_folder(spec: JobSpec, folder: JobFolder) -> str:
    """Return where a job starts: in its copy of the project, or in the live folder."""
    if spec.code is None:
        return spec.cwd
    return f"{folder.work_dir}/{spec.code.subfolder}".rstrip("/")


def code_variables(spec: JobSpec, folder: JobFolder, env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that lead a job's programs to its code, and to `mlq.report`.

    Args:
        spec: the job.
        folder: its folder.
        env: its environment so far.
    """
    code, own_paths = spec.code, env.get("PYTHONPATH", "")
    if code is None:
        return {**MODULE, "PYTHONPATH": f"{STARTUP}:{own_paths}" if own_paths else STARTUP}
    beside = enumerate((one.project for one in code.also), 1)
    copies = {code.project: folder.work_dir}
    copies |= {project: folder.beside_dir(number) for number, project in beside}
    paths = [_moved(one, copies) for one in own_paths.split(":") if one]
    wanted = {
        **MODULE,
        PAIRS: "\n".join(map(_escaped, (one for pair in copies.items() for one in pair))),
        "PYTHONPATH": ":".join([STARTUP, *paths]),
    }
    usual = {"UV_NO_SYNC": "1", "WANDB_GIT_COMMIT": code.commit}
    if spec.python_env.startswith(f"{code.project}/"):
        usual["UV_PROJECT_ENVIRONMENT"] = spec.python_env
    return wanted | {name: one for name, one in usual.items() if one and name not in env}


def _moved(path: str, copies: Mapping[str, str]) -> str:
    """Return where a path is in the copies; the path itself if it is in no project."""
    for live in _longest_first(copies):
        if path == live or path.startswith(f"{live}/"):
            return f"{copies[live]}{path[len(live) :]}"
    return path


def _longest_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=len, reverse=True)


def _escaped(path: str) -> str:
    return path.replace("%", "%25").replace("\n", "%0A")
