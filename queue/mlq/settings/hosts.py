"""What may be the name of a host to `ssh`.

Such a name comes from a file, a variable or a flag and ends in the command line of `ssh` and in a
line of its configuration. Invariant: it is one word there, and never an option.
"""

from __future__ import annotations

import re

HOST_RULE = "it is a host as one types it after `ssh`, such as gpu01 or me@gpu01"

# Quotes, white space, and what a shell or an ssh configuration gives a meaning of its own. Commas
# stand between hosts where several may be given.
_NOT_IN_HOSTS = re.compile(r"[\s'\"\\$`;|&<>,%*?!#]")
# A gateway may be a chain of several, with commas, as for `ssh -J`.
_NOT_IN_GATEWAYS = re.compile(r"[\s'\"\\$`;|&<>%*?!#]")


def is_host(text: str) -> bool:
    """Return whether a text can be a host on the command line of `ssh`, and nothing but one."""
    return bool(text) and not text.startswith("-") and not _NOT_IN_HOSTS.search(text)


def is_gateway(text: str) -> bool:
    """Return whether a text can be what follows `ssh -J`."""
    return bool(text) and not text.startswith("-") and not _NOT_IN_GATEWAYS.search(text)
