"""For whom a signal is, by what each process does about it; no process is touched."""

from __future__ import annotations

from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1

import pytest

from mlq_worker.ipc.procfs import Process
from mlq_worker.supervisor.audience import Manner, addressed, audience

# By letter: s a shell, S one with a trap, m make, p a program that handles it, w its worker,
# b a program in the background, t a tee, r an srun with its ranks, R one that has just begun.
MANNERS = {
    "s": Manner(heeds=False, is_shell=True),
    "S": Manner(heeds=True, may_save=True, is_shell=True),
    "p": Manner(heeds=True, may_save=True),
    "b": Manner(heeds=True, may_save=True, in_background=True),
    "w": Manner(heeds=True, may_save=True),
    "m": Manner(heeds=True, may_save=True, passes_on=True),
    "t": Manner(heeds=False),
    "r": Manner(heeds=True, may_save=True, is_srun=True),
    "R": Manner(heeds=False, is_srun=True),
}


def grown(tree: str) -> tuple[dict[int, Process], dict[int, str]]:
    """The processes of a tree such as `s(p(ww)t)`, and the letter of each."""
    names: dict[int, str] = {}
    table: dict[int, Process] = {}
    above = [1]
    for one in tree:
        if one == "(":
            above.append(max(table))
        elif one == ")":
            above.pop()
        else:
            pid = 100 + len(table)
            names[pid] = one
            table[pid] = Process(pid, "S", above[-1], 100, 100, pid)
    return table, names


def heard(tree: str, *, ends: bool = True, first_only: bool = False) -> tuple[str, str]:
    """Who is told and who is awaited."""
    table, names = grown(tree)
    found = audience(
        table[100], table, lambda pid: MANNERS[names[pid]], ends=ends, first_only=first_only
    )
    told, awaited = ("".join(names[one.pid] for one in some) for some in found[:2])
    return told, awaited


@pytest.mark.parametrize(
    ("tree", "told", "awaited"),
    [
        ("p(ww)", "p", "p"),  # its workers are its own business
        ("s(p(ww))", "sp", "p"),  # the script does not go on
        ("s(s(p(w)))", "ssp", "p"),
        ("s(p(w)t)", "sp", "p"),  # python train.py | tee log
        ("t(p(ww))", "tp", "p"),  # a launcher that handles nothing
        ("s(tt)", "stt", "s"),  # nobody handles it: all are told
        ("t(tt(t))", "tttt", "t"),
        ("S(t)", "St", "S"),  # a trap, held up by a sleep
        ("S(p(w))", "Sp", "Sp"),  # a trap, held up by the program
        ("S(b(w))", "S", "Sb"),  # a trap that tells the program itself
        ("m(s(p(w)))", "sp", "p"),  # make would tell the shell only
        ("m(s(t))", "m", "m"),
        ("s(b(w))", "sb", "b"),  # python train.py & wait
    ],
)
def test_sigterm_reaches_whoever_can_save_and_spares_its_helpers(
    tree: str, told: str, awaited: str
) -> None:
    assert heard(tree) == (told, awaited)


@pytest.mark.parametrize(
    ("tree", "told", "to_first"),
    [
        ("p(ww)", "p", "p"),
        ("s(p(ww))", "p", ""),  # the shell would die of it
        ("S(p(w))", "p", "S"),  # the batch script is left alone
        ("S(b(w)p)", "bp", "S"),
        ("s(S(p))", "Sp", ""),  # another shell is none
        ("S(t)", "S", "S"),  # there is nobody else
        ("s(tt)", "", ""),
        ("s(r(pp)p)", "r", ""),  # the ranks, and nobody beside them
        ("S(r(pp)b)", "r", "S"),
        ("p(r(pp))", "r", "p"),
        ("s(R(pp)p)", "pp", ""),
        ("s(R(tt)p)", "p", ""),
    ],
)
def test_a_signal_that_ends_nothing_goes_to_those_that_handle_it(
    tree: str, told: str, to_first: str
) -> None:
    assert heard(tree, ends=False)[0] == told
    assert heard(tree, ends=False, first_only=True)[0] == to_first


@pytest.mark.parametrize(
    ("tree", "usr1", "term", "stop"),
    [
        ("p(ww)", "p", "p", "pww"),
        ("s(p(ww))", "p", "p", "pww"),
        ("S(p(w)t)", "p", "p", "ptw"),  # the batch script is left alone
        ("S(t)", "S", "t", "t"),  # only what ends or stops needs no handler
        ("s(t(t)t)", None, "ttt", "ttt"),
        ("t(t)", None, "tt", "tt"),
        ("S", "S", "", ""),
        ("s(r(pp)p)", "r", "r", "pp"),  # the ranks, and nobody beside them
        ("s(R(tt)p)", "p", "p", "tt"),
        ("s(R(tt)t)", None, "tt", "tt"),
        ("p(r(p(w)))", "r", "r", "pw"),
    ],
)
def test_a_signal_of_its_user_spares_the_script(
    tree: str, usr1: str | None, term: str, stop: str
) -> None:
    """SIGUSR1 waits (None) if nobody handles it."""
    assert asked(tree, SIGUSR1, "program") == usr1
    assert asked(tree, SIGTERM, "program") == term
    for number in (SIGSTOP, SIGCONT, SIGKILL):
        assert asked(tree, number, "program") == stop


@pytest.mark.parametrize(
    ("tree", "number", "script", "everybody"),
    [
        ("S(p(w)t)", SIGUSR1, "S", "pS"),
        ("s(p(w)t)", SIGUSR1, None, "p"),
        ("s(p(w)t)", SIGTERM, "s", "ps"),
        ("S(r(pp)p)", SIGUSR1, "S", "rpS"),
        ("s(tt)", SIGUSR1, None, None),
        ("s(r(pp)t)", SIGSTOP, "s", "rtpps"),
        ("p(r(pp))", SIGUSR1, "p", "rp"),
    ],
)
def test_a_signal_for_the_script_alone_and_for_everybody(
    tree: str, number: int, script: str | None, everybody: str | None
) -> None:
    assert asked(tree, number, "script") == script
    assert asked(tree, number, "all") == everybody


def asked(tree: str, number: int, whom: str) -> str | None:
    """Who gets a signal that a user sends; None if it waits."""
    table, names = grown(tree)
    found = addressed(table[100], table, lambda pid: MANNERS[names[pid]], number, whom)
    return None if found is None else "".join(names[one.pid] for one in found)
