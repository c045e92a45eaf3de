"""mlq: one queue for machine-learning experiments over a room of shared lab workstations."""

__version__ = "0.1.0"
