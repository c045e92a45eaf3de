"""Slurm's batch scripts and sbatch's command line."""

from mlq.scripts.slurm.parsing import parse

__all__ = ["parse"]
