"""Sweeps: from the values that a user types to the members of a set with a name."""
