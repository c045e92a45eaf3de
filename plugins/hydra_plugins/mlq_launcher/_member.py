"""What a job of a launch runs: `python -m hydra_plugins.mlq_launcher._member FOLDER OVERRIDES...`.

It composes its configuration and calls the user's function as Hydra's own launcher does, and leaves
what that returned. It fails if the function does.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
import typing as tp

from hydra_plugins.mlq_launcher._folder import Folder, Result
from hydra_plugins.mlq_launcher._pickling import dumps
from hydra_plugins.mlq_launcher._rows import key_of


def main(argv: tp.Sequence[str]) -> int:
    """Run the job; return its exit code."""
    folder = Folder(argv[0])
    member = folder.read_member(key_of(argv[1:]))
    sys_path, launch = folder.read_launch(member["launch"])
    sys.path[:] = list(dict.fromkeys(sys_path + sys.path))
    returned = _run(launch, member["number"], member["overrides"])
    failed = returned.status.name != "COMPLETED"
    error = returned._return_value if failed else None
    text = _text(error) if error is not None else ""
    try:
        pickled = _pickled(returned)
    except Exception as unfit:  # noqa: BLE001 - whatever a class of the user's raises
        pickled, text, failed = _without_value(returned, error, unfit, text)
    folder.write_result(os.environ["MLQ_JOB_ID"], Result(pickled, text))
    sys.stdout.flush()
    sys.stderr.write(text)
    return int(failed)


def _run(launch: bytes, number: int, overrides: tp.Sequence[str]) -> tp.Any:
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.singleton import Singleton
    from hydra.core.utils import run_job, setup_globals
    from omegaconf import open_dict

    setup_globals()
    context, config, function, state = pickle.loads(launch)  # noqa: S301 - our own
    Singleton.set_state(state)
    swept = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(swept):
        swept.hydra.job.id = os.environ["MLQ_JOB_ID"]
        swept.hydra.job.num = number
    HydraConfig.instance().set_config(swept)
    return run_job(
        hydra_context=context,
        config=swept,
        task_function=function,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


def _text(error: BaseException) -> str:
    """Return the traceback, without Hydra's own frames at its beginning."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_name != "run_job":
        frames = frames.tb_next
    last = error.__traceback__ if frames is None else frames.tb_next
    return "".join(traceback.format_exception(type(error), error, last))


def _pickled(returned: tp.Any) -> bytes:
    """Pickle what the job returned; make sure that it can be read back."""
    pickled = dumps(returned)
    pickle.loads(pickled)  # noqa: S301 - written just now
    return pickled


def _without_value(
    returned: tp.Any, error: tp.Optional[BaseException], unfit: Exception, text: str
) -> tuple[bytes, str, bool]:
    """Return a failed job in which a text stands for what cannot be pickled."""
    from hydra.core.utils import JobStatus

    if error is None:
        text = f"what the function returned cannot be pickled: {unfit}\n"
    what = text.strip().splitlines()[-1]
    returned.status, returned.return_value = JobStatus.FAILED, RuntimeError(what)
    return _pickled(returned), text, True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
