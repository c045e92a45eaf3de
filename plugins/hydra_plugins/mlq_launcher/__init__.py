"""`hydra/launcher=mlq`: the jobs of a Hydra multirun are jobs of mlq."""
