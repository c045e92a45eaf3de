"""Skips that continuous integration does not allow.

On a developer's machine a tool may be missing, and its tests are skipped. In CI the same skip would
hide that they never run, so there it is a failure. Tests on a real GPU are skipped by their marker
instead, everywhere.
"""

from __future__ import annotations

import os

import pytest


def require(condition: object, reason: str) -> None:
    """Skip the test unless `condition` holds; in CI, fail it.

    Args:
        condition: whether this machine has what the test needs.
        reason: what is missing.
    """
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI lacks what this test needs: {reason}", pytrace=False)
    pytest.skip(reason)
