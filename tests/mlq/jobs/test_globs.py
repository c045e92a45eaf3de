"""Globs match as the shell's do, and the sieve before them drops nothing that they match."""

import fnmatch
import random
import re

import pytest

from mlq.jobs.globs import is_glob, matches, only, sieve_of

GLOBS = ["lr-*", "*-b", "l?-*[0-9]", "[!l]*", "a*b*c", "*", "x[", "a]b", "[]a]*", "模*", "a[b*c]d"]


def passes(name: str, glob: str) -> bool:
    """What the server does with the sieve."""
    starts, has, ends = sieve_of(glob)
    at = len(starts)
    for part in has:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return name.startswith(starts) and len(name) - len(ends) >= at and name.endswith(ends)


@pytest.mark.parametrize("glob", GLOBS)
def test_globs_match_as_in_the_shell_and_the_sieve_lets_them(glob: str) -> None:
    rng = random.Random(glob)  # noqa: S311 - no secret
    letters = sorted({*glob, *"lra-b01cdx"})
    matched = 0
    plain = re.sub(r"\[([^]])[^]]*\]", r"\1", glob).replace("*", "").replace("?", "x")
    for name in [plain, *("".join(rng.choices(letters, k=rng.randrange(8))) for _ in range(3000))]:
        assert matches(name, glob) == fnmatch.fnmatchcase(name, glob)
        assert passes(name, glob) or not matches(name, glob)
        matched += matches(name, glob)
    assert matched


def test_capital_letters_are_other_letters() -> None:
    assert not matches("LR-1", "lr-*")


@pytest.mark.parametrize("name", ["lr", "a*", "x[1]", "模型"])
def test_a_glob_can_mean_one_name_alone(name: str) -> None:
    assert is_glob(only(name))
    assert matches(name, only(name))
    assert not matches(f"{name}x", only(name))
    assert not matches(f"{name[:-1]}z", only(name))
