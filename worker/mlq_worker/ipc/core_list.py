"""Numbers of cores as text, in the form in which the kernel lists them: `0-3,8`.

Messages hold them so, because a whole machine's are then as short as one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable


def parse_list(text: str) -> frozenset[int]:
    """Return the numbers in a list as the kernel writes it: `0-3,8`; what is none is left out."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (not last or last.isdecimal()):
            found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def as_list(cores: Iterable[int]) -> str:
    """Return numbers as the kernel lists them."""
    spans: list[list[int]] = []
    for core in sorted(cores):
        if spans and core == spans[-1][1] + 1:
            spans[-1][1] = core
        else:
            spans.append([core, core])
    return ",".join(f"{one}" if one == last else f"{one}-{last}" for one, last in spans)
