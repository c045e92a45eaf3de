"""HTCondor's submit files, as `condor_submit` 24 reads them."""

from mlq.scripts.condor.parse import parse

__all__ = ["parse"]
