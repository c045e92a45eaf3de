"""PBS job files: those of OpenPBS and PBS Professional, and what is common in Torque's."""

from mlq.scripts.pbs.parse import parse

__all__ = ["parse"]
