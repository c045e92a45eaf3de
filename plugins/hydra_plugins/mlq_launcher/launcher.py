"""The launcher and its configuration, which Hydra imports at every start of every program.

So this module imports nothing that Hydra has not imported already. What launching needs is imported
when jobs are launched; Hydra skips modules whose names begin with an underscore.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from hydra.core.config_store import ConfigStore
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra_plugins.mlq_launcher._folder import Folder


@dataclass
class MlqLauncherConf:
    """What each job asks for, as `mlq enqueue` takes it; null leaves it to mlq."""

    _target_: str = "hydra_plugins.mlq_launcher.launcher.MlqLauncher"
    cores: int = 1
    mem: Optional[str] = None
    gpus: int = 0
    vram: Optional[str] = None
    time: Optional[str] = None
    priority: int = 0
    machine: Optional[str] = None
    max_running: Optional[int] = None
    resume: bool = False


ConfigStore.instance().store(
    group="hydra/launcher", name="mlq", node=MlqLauncherConf, provider="mlq_launcher"
)


class MlqLauncher(Launcher):
    """Launches each batch of jobs as a sweep of mlq and waits for it.

    Args:
        resume: whether jobs of an earlier launch that run or are done count.
        options: the other fields of `MlqLauncherConf`.
    """

    def __init__(self, *, resume: bool = False, **options: Any) -> None:
        self.resume, self.options = resume, options
        self.config: Optional[DictConfig] = None
        self.task_function: Optional[TaskFunction] = None
        self.hydra_context: Optional[HydraContext] = None
        self.folder: Optional[Folder] = None
        self.launched: Counter[str] = Counter()

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what the jobs need."""
        self.config = config
        self.hydra_context = hydra_context
        self.task_function = task_function

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> "Sequence[JobReturn]":
        """Run the jobs, each with its overrides; return what each returned, or how it failed."""
        from hydra_plugins.mlq_launcher import _launching

        return _launching.launch(self, job_overrides, initial_job_idx)
