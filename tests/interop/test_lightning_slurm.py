"""Lightning's automatic requeue, unchanged, on mlq."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from local_lab import new_lab
from slurm_user import SlurmUser
from waiting import wait_for

LIGHTNING = "MLQ_TEST_LIGHTNING_PYTHON"
"""A Python with lightning and torch."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.one_server,
    pytest.mark.skipif(LIGHTNING not in os.environ, reason="torch is too large to fetch for this"),
]

TRAIN = """
import os, time
from pathlib import Path
import lightning, torch

here = Path(__file__).parent

class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def training_step(self, batch, index):
        time.sleep(0.02)
        return self.layer(batch).sum()

    def on_train_epoch_start(self):
        with (here / "epochs").open("a") as file:
            print(os.environ.get("SLURM_RESTART_COUNT", 0), self.current_epoch, file=file)
        self.trainer.should_stop = (here / "enough").exists()

data = torch.utils.data.DataLoader(torch.ones(4, 1))
lightning.Trainer(max_epochs=-1, accelerator="cpu", devices=1, logger=False,
                  default_root_dir=here).fit(Model(), data)
"""
JOB = """#!/bin/bash
#SBATCH --ntasks-per-node=1 --cpus-per-task=1 --mem=1G --time=10
#SBATCH --signal=SIGUSR1@90 --output=train.out --open-mode=append
srun {python} train.py
"""


def test_one_signal_and_the_epochs_go_on() -> None:
    with new_lab(MLQ_STOP_GRACE_S="5") as lab:
        lab.machine("lab01")
        user = SlurmUser(lab)
        python = Path(os.environ[LIGHTNING])
        (user.folder / "train.py").write_text(TRAIN)
        (user.folder / "job.sh").write_text(JOB.format(python=python))

        def epochs(attempt: int) -> list[int]:
            file = user.folder / "epochs"
            lines = file.read_text().splitlines() if file.exists() else []
            return [int(line.split()[1]) for line in lines if line.startswith(f"{attempt} ")]

        user.run(
            python, "-c", "import subprocess; subprocess.run(['sbatch', 'job.sh'], check=True)"
        )
        wait_for(lambda: len(epochs(0)) >= 5, 60, what="five epochs")
        user.run(python, "-c", "import subprocess; subprocess.run(['scontrol', 'requeue', '1'])")
        wait_for(lambda: len(epochs(1)) >= 2, 60, what="two epochs of the second attempt")
        (user.folder / "enough").touch()
        lab.until("1", "finished", attempt=2)
        said = (user.folder / "train.out").read_text()
        assert said.count("Handling auto-requeue signal: 10") == 1
        assert said.count("Requeued SLURM job: 1") == 1
        assert 4 <= epochs(1)[0] <= epochs(0)[-1]
