"""Names the folder of each pulled job by its parameters: `lr=0.1,seed=0`.

Parameters hold any text: slashes, `..`, line ends, 300 characters. Invariants: a name is one plain
component on every file system; no two jobs share a folder, not even on a file system that ignores
case; and a job that has a folder keeps it, whatever the sweep becomes later.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

LONGEST_BYTES = 120
"""Of a name; file systems take 255, or 143 if they encrypt."""

_FORBIDDEN = frozenset('/\\:*?"<>|')
_HASH_DIGITS = 8


class Named(NamedTuple):
    """A job and what its folder is named by.

    Args:
        id: of the job.
        name: of the job; "" if it has none.
        params: of the member; empty for a job of no sweep.
        varying: the parameters that vary in its sweep; empty: all count.
    """

    id: str
    name: str
    params: Mapping[str, str]
    varying: Collection[str] = ()


def assigned(
    jobs: Sequence[Named], taken: Mapping[str, str], foreign: Iterable[str] = ()
) -> dict[str, str]:
    """Return the folder of each job.

    Args:
        jobs: in any order; the result does not depend on it.
        taken: job -> folder, as of earlier pulls.
        foreign: more folders that are taken.
    """
    new = [job for job in jobs if job.id not in taken]
    wanted = {job.id: safe(_title(job)) for job in new}
    alike = Counter(map(_key, wanted.values()))
    used = {_key(folder) for folder in (*taken.values(), *foreign)}
    found: dict[str, str] = {}
    for job in sorted(new, key=lambda one: one.id):
        name = wanted[job.id]
        if alike[_key(name)] > 1 or _key(name) in used:
            name = _free(name, job.id, used)
        used.add(_key(name))
        found[job.id] = name
    return {job.id: found.get(job.id) or taken[job.id] for job in jobs}


def safe(text: str) -> str:
    """Return a name that every file system takes as one component, like the text as far as it can.

    A name that would be too long is cut, and ends in the first digits of a hash of the whole text.
    """
    text = unicodedata.normalize("NFC", text)
    name = "".join(one if _is_plain(one) else "_" for one in text)
    if name[:1] in (".", "-", "~", " ", ""):  # hidden, an option, a home, no name at all
        name = f"_{name[1:]}"
    name = name[:-1] + "_" if name[-1] in ". " else name  # Windows drops them
    if len(name.encode()) <= LONGEST_BYTES:
        return name
    digest = hashlib.blake2b(text.encode(errors="surrogatepass")).hexdigest()[:_HASH_DIGITS]
    start = name.encode()[: LONGEST_BYTES - _HASH_DIGITS - 1].decode(errors="ignore")
    return f"{start}~{digest}"


def _is_plain(character: str) -> bool:
    return character.isprintable() and character not in _FORBIDDEN


def _title(job: Named) -> str:
    pairs = {name: job.params[name] for name in job.params if name in job.varying} or job.params
    if pairs:
        return ",".join(f"{name}={value}" for name, value in pairs.items())
    return f"{job.id}-{job.name}" if job.name else job.id


def _key(name: str) -> str:
    """Return what a file system that ignores case compares."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _free(name: str, job_id: str, used: Collection[str]) -> str:
    start = name.encode()[: LONGEST_BYTES - _HASH_DIGITS].decode(errors="ignore")
    candidates = [safe(f"{start}~{job_id}")]
    candidates += [safe(f"{start}~{job_id}~{number}") for number in range(2, len(used) + 3)]
    return next(one for one in candidates if _key(one) not in used)
