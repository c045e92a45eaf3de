"""Hydra's submitit launcher, unchanged, on mlq; submitit alone: `test_packages_over_shims`."""

from __future__ import annotations

import pytest
from slurm_user import SlurmUser
from users_python import users_python

pytestmark = [pytest.mark.slow, pytest.mark.one_server]

APP = """
import os
import hydra

@hydra.main(version_base=None, config_path=None, config_name=None)
def main(config):
    with open(os.environ["SEEN"], "a") as file:
        file.write(f"{config.lr} {os.environ['SLURM_ARRAY_TASK_ID']}\\n")

if __name__ == "__main__":
    main()
"""


def test_a_multirun_is_one_array(user: SlurmUser) -> None:
    python = users_python("hydra-submitit-launcher==1.2.0", "hydra-core==1.3.2", "submitit==1.5.4")
    (user.folder / "app.py").write_text(APP)
    seen = user.folder / "seen"
    user.lab.environ["SEEN"] = str(seen)
    words = ("-m", "+lr=1,2", "hydra/launcher=submitit_slurm", "hydra.launcher.mem_gb=1")
    user.run(python, "app.py", *words, "hydra.launcher.timeout_min=5")
    assert sorted(seen.read_text().splitlines()) == ["1 0", "2 1"]
    assert [user.lab.job(one).state for one in ("1_0", "1_1")] == ["finished", "finished"]
