"""Reminds users of many machines that these belong to others, who should be asked first."""

from __future__ import annotations

FEW = 4
"""With so many machines or fewer nobody is reminded."""


def reminder(machines: int) -> str:
    """Return what to remember with so many machines; "" if they are few."""
    if machines <= FEW:
        return ""
    return (
        f"that is {machines} machines: ask whoever runs them before runs that take days or "
        "fill them all"
    )
