"""Launches a batch of jobs and waits for it.

Each launch has a sweep of its own in mlq, so that every job of it runs. With `resume`, the launch
takes the earlier one of the same program that has most jobs in common with it: mlq then leaves
alone the members that run or are done. A job keeps its number in that case, and so its folder.
"""

from __future__ import annotations

import logging
import pickle
import re
import sys
import time
import typing as tp
from datetime import datetime
from pathlib import Path

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra_plugins.mlq_launcher._folder import PATIENCE_S, Folder
from hydra_plugins.mlq_launcher._pickling import dumps
from hydra_plugins.mlq_launcher._queue import ENDED, Job, MlqLauncherError, enqueue, jobs_of
from hydra_plugins.mlq_launcher._rows import grouped, key_of, rows_of, words_of

if tp.TYPE_CHECKING:
    from hydra_plugins.mlq_launcher.launcher import MlqLauncher

log = logging.getLogger(__name__)

_POLL_S, _POLL_MOST_S = 0.3, 5.0
_FAILING = "held: "
"""How the reason begins for which a machine holds jobs of a command that fails."""


class MlqJobError(RuntimeError):
    """A job of the launch ended without a result, or the result says that it failed."""


def launch(
    launcher: MlqLauncher, batch: tp.Sequence[tp.Sequence[str]], first: int
) -> list[JobReturn]:
    """Run the jobs of a batch; return what each returned, or how it failed.

    Args:
        launcher: with what the jobs need.
        batch: the overrides of each job.
        first: the number of the first one.

    Raises:
        MlqLauncherError: the jobs could not be enqueued, or be asked about.
    """
    setup_globals()
    config = launcher.config
    assert config is not None
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    rows = rows_of(batch, launcher.launched)
    keys = [key_of(words_of(row)) for row in rows]
    folder = launcher.folder = launcher.folder or _folder(launcher, keys)
    try:
        _write(launcher, folder, keys, batch, first)
        for group in grouped(rows):
            cwd = config.hydra.runtime.cwd
            said = enqueue(folder.name, str(folder.path), cwd, launcher.options, group)
            log.info(f"{said}; see: mlq ls {folder.name}")
        return _wait(folder, keys, batch)
    except KeyboardInterrupt:
        log.warning(
            f"The jobs go on. See them: mlq ls {folder.name}; stop them: mlq cancel {folder.name}; "
            "wait for them: the same command with hydra.launcher.resume=true"
        )
        raise SystemExit(130) from None


def _folder(launcher: MlqLauncher, keys: tp.Sequence[str]) -> Folder:
    """Return the folder of this launch, or of the one that it goes on with."""
    config: tp.Any = launcher.config
    name = re.sub(r"[^\w.-]", "_", str(config.hydra.job.name))
    function = launcher.task_function
    identity = [
        str(config.hydra.runtime.cwd),
        name,
        getattr(function, "__qualname__", ""),
        str(config.hydra.job.config_name),
    ]
    if launcher.resume:
        paths = dict.fromkeys(job.folder for job in jobs_of("--all", "--name", f"{name}-*"))
        same = [one for one in map(Folder, paths) if one.is_of(identity)]
        common = [(len(set(keys) & set(one.numbers())), one.name, one) for one in same]
        most = max(common, key=lambda one: one[:2], default=None)
        if most is not None and most[0]:
            return most[2]
    sweep = Path(str(config.hydra.sweep.dir)).absolute()
    folder = Folder(sweep / ".mlq" / f"{name}-{datetime.now().strftime('%m%d-%H%M%S')}")
    folder.write_identity(identity)
    return folder


def _write(
    launcher: MlqLauncher,
    folder: Folder,
    keys: tp.Sequence[str],
    batch: tp.Sequence[tp.Sequence[str]],
    first: int,
) -> None:
    """Write down what the jobs are to do."""
    needs = (launcher.hydra_context, launcher.config, launcher.task_function, Singleton.get_state())
    try:
        pickled = dumps(needs)
    except ImportError:
        raise MlqLauncherError(
            "hydra/launcher=mlq needs cloudpickle: pip install cloudpickle"
        ) from None
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise MlqLauncherError(
            f"the program cannot be taken along to other machines: {error}"
        ) from error
    name = folder.write_launch(pickled, sys.path)
    numbers = folder.numbers()
    taken = set(numbers.values())
    for at, (key, overrides) in enumerate(zip(keys, batch), first):
        number = numbers.get(key, at)
        if key not in numbers and at in taken:
            number = max(taken) + 1
        taken.add(number)
        folder.write_member(key, name, number, overrides)


def _wait(
    folder: Folder, keys: tp.Sequence[str], batch: tp.Sequence[tp.Sequence[str]]
) -> list[JobReturn]:
    """Wait until all jobs have ended, and report those that fail as they do."""
    wanted = dict(zip(keys, batch))
    returns: dict[str, JobReturn] = {}
    pause_s = _POLL_S
    while True:
        jobs = _look(folder, wanted, patient=bool(pause_s > _POLL_S))
        for key, job in jobs.items():
            if key not in returns and job.state in ENDED:
                returns[key] = _returned(folder, job, wanted[key])
        left = [jobs[key] for key in wanted if key in jobs and key not in returns]
        if not left or all(job.held.startswith(_FAILING) for job in left):
            break
        time.sleep(pause_s)
        pause_s = min(_POLL_MOST_S, pause_s * 1.2)
    for key, overrides in wanted.items():
        if key not in returns:
            how = "is held, since others failed" if key in jobs else "is not in the queue"
            free = f"; to run them all the same: mlq release {folder.name}" * (key in jobs)
            said = f"the job {_shown(overrides)} {how}{free}"
            returns[key] = _failed(overrides, MlqJobError(said))
            log.error(said)
    failed = sum(one.status == JobStatus.FAILED for one in returns.values())
    log.info(f"{len(returns) - failed} finished, {failed} failed")
    return [returns[key] for key in keys]


def _look(folder: Folder, wanted: tp.Container[str], *, patient: bool) -> dict[str, Job]:
    """Return the jobs by their keys; wait while the queue is away if it was there before."""
    while True:
        try:
            listed = jobs_of(folder.name)
            break
        except MlqLauncherError as error:
            if not patient:
                raise
            log.warning(f"{error}; asking again in {_POLL_MOST_S * 6:.0f} s")
            time.sleep(_POLL_MOST_S * 6)
    of_this = [(key_of(job.words), job) for job in listed if job.folder == str(folder.path)]
    return {key: job for key, job in of_this if key in wanted}


def _returned(folder: Folder, job: Job, overrides: tp.Sequence[str]) -> JobReturn:
    """Return what a job that has ended returned; say so if it failed."""
    # One that was killed, or ran out of time, leaves none: there is nothing to wait for.
    may_have = job.state == "finished" or job.reason.startswith("exit 1")
    result = folder.read_result(job.id, PATIENCE_S if may_have else 0)
    if result is None:
        how = "left no result" if job.state == "finished" else job.reason or job.state
        error = MlqJobError(f"job {job.id} ({_shown(overrides)}): {how}; its log: {job.log}")
        log.error(str(error))
        return _failed(overrides, error)
    returned: JobReturn = pickle.loads(result.returned)  # noqa: S301 - a job of this launch wrote it
    if returned.status == JobStatus.FAILED:
        where = f" on {job.machine}" if job.machine else ""
        log.error(
            f"job {job.id} ({_shown(overrides)}) failed{where}; its log: {job.log}\n"
            f"{result.traceback.rstrip()}"
        )
    elif job.state == "failed":
        return _failed(overrides, MlqJobError(f"job {job.id}: {job.reason}; its log: {job.log}"))
    return returned


def _failed(overrides: tp.Sequence[str], error: Exception) -> JobReturn:
    return JobReturn(overrides=list(overrides), status=JobStatus.FAILED, _return_value=error)


def _shown(overrides: tp.Sequence[str]) -> str:
    return " ".join(overrides) or "without overrides"
