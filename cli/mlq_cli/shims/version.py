"""Which Slurm these commands speak like."""

VERSION = "slurm 22.05.8"


class VersionAsked(Exception):  # noqa: N818 - an answer, not an error
    """The user asks which version this is, whatever else was typed."""
