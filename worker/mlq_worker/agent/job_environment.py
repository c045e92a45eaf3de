"""The environment of an attempt: a login's on this machine, its caller's variables, mlq's own.

Pure. Later ones replace earlier ones, but for PATH, which is joined: first the caller's folders, so
that a job finds what the caller's shell finds, then those of a login here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlq.files.layout import JobFolder
from mlq.jobs.spec import JobSpec
from mlq.store.replies import Claim
from mlq.sweeps.names import variables_of
from mlq_worker.agent.copied_code import code_variables, start_folder

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def environment(
    claim: Claim,
    spec: JobSpec,
    login: Mapping[str, str],
    folder: JobFolder,
    mark: str,
    devices: Sequence[str],
) -> dict[str, str]:
    """Return the environment of an attempt, whole but for its secrets.

    Those are read where the attempt starts: nothing that is sent or written holds them. `devices`
    are its GPUs by UUID, or by number in PCI bus order.
    """
    env = {**login, **spec.captured_env}
    if spec.python_env and "VIRTUAL_ENV" not in env and "CONDA_PREFIX" not in env:
        env["VIRTUAL_ENV"] = spec.python_env  # a job of an mlq that recorded only the folder
    env["PATH"] = _path(spec, login)
    env["PWD"] = start_folder(spec, folder)
    env.update(dict.fromkeys(_THREAD_VARIABLES, str(spec.request.cores)))
    env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    env["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    env.update(spec.env)
    env.update(code_variables(spec, folder, env))
    if devices and devices[0].isdecimal() and "CUDA_VISIBLE_DEVICES" not in spec.env:
        env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # in another order they are other GPUs' numbers
    if spec.member is not None:
        env.update(variables_of(spec.member.params))
    env.update(
        MLQ_JOB_ID=claim.id,
        MLQ_ATTEMPT=str(claim.attempt),
        MLQ_OUTPUT_DIR=folder.output_dir,
        MLQ_CHECKPOINT_DIR=folder.checkpoint_dir,
        MLQ_PROGRESS_FILE=folder.progress_file(claim.attempt),
        MLQ_JOB_FILE=folder.job_file,
        MLQ_RETURN_FILE=folder.return_file(claim.attempt),
        MLQ_MARK=mark,
    )
    return env


def _path(spec: JobSpec, login: Mapping[str, str]) -> str:
    callers = spec.captured_env.get("PATH", "")
    folders = callers.split(":") if callers else []
    bin_folder = f"{spec.python_env.rstrip('/')}/bin"
    if spec.python_env and bin_folder not in [one.rstrip("/") for one in folders]:
        folders.insert(0, bin_folder)
    own = login.get("PATH", "/usr/bin:/bin").split(":")
    return ":".join([*folders, *(one for one in own if one not in folders)])
