"""PBS job files: those of OpenPBS and PBS Professional, and what is common in Torque's."""

from mlq.scripts.pbs.parse import is_pbs, parse

__all__ = ["is_pbs", "parse"]
