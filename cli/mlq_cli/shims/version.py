"""Which Slurm these commands speak like."""

VERSION = "slurm 22.05.8"
