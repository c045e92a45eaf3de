"""The environment of an attempt: variables of a login here, of its caller, and of mlq.

Later ones replace earlier ones, except PATH, which is joined: first the caller's folders, so that
a job finds what the caller's shell finds, then those of a login here.

A user may start a worker from a conda environment, or with a password or an ssh agent in its
variables. None of these may reach a job. So a login's variables are those that the machine's files
set (pam_env's and login's), those that name the user, and a few of the worker's own that a login
would set to the same value. Invariant: the worker passes on no variable that is not named here.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlq.files.layout import JobFolder
from mlq.jobs.past import GROW_AS_NEEDED
from mlq.jobs.spec import JobSpec
from mlq.settings.settings import CONFIG_VARIABLE, Settings, variable
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
    """Return the whole environment of an attempt, except its secrets.

    The launcher reads the secrets when the attempt starts: nothing that is sent or written holds
    them. `devices` are its GPUs, by UUID or by number in PCI bus order.
    """
    env = {**login, **spec.captured_env}
    if spec.python_env and "VIRTUAL_ENV" not in env and "CONDA_PREFIX" not in env:
        env["VIRTUAL_ENV"] = spec.python_env  # a job of an mlq that recorded only the folder
    env["PATH"] = _path(spec, login)
    env["PWD"] = start_folder(spec, folder)
    env.update(dict.fromkeys(_THREAD_VARIABLES, str(spec.request.cores)))
    env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    env["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    if spec.request.gpus and spec.request.vram_mib:
        # It may share its GPUs: by default JAX and TensorFlow take all memory that they find.
        env = {**GROW_AS_NEEDED, **env}
    env.update(spec.env)
    env.update(code_variables(spec, folder, env))
    if devices and devices[0].isdecimal() and "CUDA_VISIBLE_DEVICES" not in spec.env:
        env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # in any other order the numbers mean other GPUs
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


_FRACTIONS = ("XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION")
"""Either limits how much GPU memory JAX takes; both together are an error in JAX."""


def share_of_gpu(env: Mapping[str, str], spec: JobSpec, card_mib: int) -> dict[str, str]:
    """Return what keeps JAX to the memory that a job asked for on a GPU that it shares.

    Args:
        env: its environment; what its user set there stays.
        spec: the job.
        card_mib: the memory of its largest GPU; 0 if that is not known.
    """
    vram_mib = spec.request.vram_mib if spec.request.gpus else 0
    if not 0 < vram_mib < card_mib or any(one in env or one in spec.secrets for one in _FRACTIONS):
        return {}
    return {_FRACTIONS[0]: f"{max(1, vram_mib * 1000 // card_mib) / 1000:.3f}"}


def _path(spec: JobSpec, login: Mapping[str, str]) -> str:
    callers = spec.captured_env.get("PATH", "")
    folders = callers.split(":") if callers else []
    bin_folder = f"{spec.python_env.rstrip('/')}/bin"
    if spec.python_env and bin_folder not in [one.rstrip("/") for one in folders]:
        folders.insert(0, bin_folder)
    own = login.get("PATH", "/usr/bin:/bin").split(":")
    return ":".join([*folders, *(one for one in own if one not in folders)])


_OF_THE_LOGIN = re.compile(
    r"HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|XDG_RUNTIME_DIR"
)
# A job that calls mlq talks to the queue that it came from.
_OF_MLQ = frozenset(
    (CONFIG_VARIABLE, "XDG_CONFIG_HOME", "XDG_DATA_HOME", *map(variable, Settings._fields))
)
_ASSIGNED = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_PLAIN_PATH = "/usr/local/bin:/usr/bin:/bin"


class Machine(NamedTuple):
    """What this machine's files say about logins.

    Args:
        environment: the text of /etc/environment.
        locale: the text of /etc/default/locale, or of /etc/locale.conf.
        defs: the text of /etc/login.defs.
        account: HOME, USER, LOGNAME and SHELL; empty if the user has no account.
        is_root: whether the user is root.
    """

    environment: str = ""
    locale: str = ""
    defs: str = ""
    account: Mapping[str, str] = {}
    is_root: bool = False


def look() -> Machine:
    """Read what this machine says about logins; a file that cannot be read counts as empty."""
    uid, account = os.getuid(), {}
    with suppress(KeyError):
        one = pwd.getpwuid(uid)
        account = {
            "HOME": one.pw_dir,
            "USER": one.pw_name,
            "LOGNAME": one.pw_name,
            "SHELL": one.pw_shell,
        }
    locale = _text("/etc/default/locale") or _text("/etc/locale.conf")
    return Machine(_text("/etc/environment"), locale, _text("/etc/login.defs"), account, uid == 0)


def login_environment(own: Mapping[str, str], machine: Machine) -> dict[str, str]:
    """Return the variables that jobs begin with.

    Args:
        own: the worker's own variables.
        machine: what this machine says about logins.
    """
    files = {**_assigned(machine.locale), **_assigned(machine.environment)}
    taken = {name: one for name, one in own.items() if _OF_THE_LOGIN.fullmatch(name)}
    mlqs = {name: own[name] for name in _OF_MLQ if name in own}
    env = {**files, **machine.account, **taken, **mlqs}
    path = files.get("PATH") or _path_of(machine.defs, is_root=machine.is_root)
    # pip, pipx and uv put a user's programs there; the profiles of most systems add it to PATH.
    env["PATH"] = f"{env['HOME']}/.local/bin:{path}" if env.get("HOME") else path
    return env


def _assigned(text: str) -> dict[str, str]:
    """Return the variables that a pam_env file assigns."""
    found = {}
    for line in text.splitlines():
        match = _ASSIGNED.fullmatch(line.strip())
        if match:
            value = match[2].strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
            found[match[1]] = value[1:-1] if quoted else value
    return found


def _path_of(defs: str, *, is_root: bool) -> str:
    wanted = "ENV_SUPATH" if is_root else "ENV_PATH"
    for line in defs.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == wanted:
            return words[1].removeprefix("PATH=")
    return _PLAIN_PATH


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
