"""A multirun of Hydra on mlq.

pip install hydra-core cloudpickle ./plugins
python examples/hydra_train.py -m hydra/launcher=mlq lr=0.1,1,10 seed=1,2
"""

from __future__ import annotations

from dataclasses import dataclass

import hydra
from hydra.core.config_store import ConfigStore


@dataclass
class Config:
    """What can be set."""

    lr: float = 0.1
    seed: int = 0


ConfigStore.instance().store(name="config", node=Config)


@hydra.main(version_base=None, config_name="config")
def main(config: Config) -> float:
    """Train; a learning rate of 10 is too much."""
    loss = 1.0
    for step in range(5):
        loss *= abs(1 - config.lr / 2)
        print(f"step {step}: loss {loss:.3g}", flush=True)
    if loss > 1:
        raise ValueError(f"the loss is {loss:.0f}")
    return loss


if __name__ == "__main__":
    main()
