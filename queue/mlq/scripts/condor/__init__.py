"""HTCondor's submit files, as `condor_submit` 24 reads them."""

from mlq.scripts.condor.parse import is_condor, parse

__all__ = ["is_condor", "parse"]
