"""The version of mlq, for code that must not import all of it."""

__version__ = "0.1.0"
