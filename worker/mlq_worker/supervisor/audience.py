"""Decides which of a job's processes get a signal: pure, from a process table.

A signal to the whole group would also end the helpers that the program needs to save its state: the
workers of a PyTorch data loader, the `tee` behind a pipe. So a signal goes to the first process. If
that does not handle it, as a shell that waits for its program, those that it started are looked at
instead, and so on downwards; below a process that handles the signal no process is told, since what
it has started is its own business.

`timeout` and `make` handle it for themselves, and would pass it on to the whole group or lose it on
the way; they are stopped and passed over.

`srun` passes a signal on to its ranks. A signal that its user asked for is for them alone, if there
are any; and it is not for the batch script, the shell that the job began with, if it can reach a
process below that: Slurm's rule.

A signal that a user sends to a job that goes on follows the same rules (`addressed`). One that
stops, resumes or ends processes reaches them without a handler; the script's shell is spared.

Two rules follow from what shells do. One with a trap runs it only once the command in its
foreground has ended: that command is told too. And a signal that ends the job, SIGTERM, is sent
to those above that do not handle it as well: a script must not go on with its next command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from signal import SIGCONT, SIGINT, SIGKILL, SIGQUIT, SIGSTOP, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU
from typing import NamedTuple

from mlq.jobs.signals import Whom
from mlq_worker.ipc.procfs import Process, below

_FOR_EVERY_PROCESS = frozenset((SIGKILL, SIGSTOP, SIGCONT))
_NEEDS_NO_HANDLER = _FOR_EVERY_PROCESS | {SIGTERM, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU}
"""Signals that are sent for what they do by default; another waits for a handler."""


class Manner(NamedTuple):
    """How a process takes the signal.

    Args:
        heeds: it has a handler, or waits for the signal.
        may_save: it handles this signal or SIGTERM.
        is_shell: it is a shell.
        in_background: a script started it with `&`; then a trap may tell it, or nothing does.
        passes_on: it signals its whole group, or only a shell below it (timeout, make).
        is_srun: it is `srun`, which signals each of its ranks once.
    """

    heeds: bool
    may_save: bool = False
    is_shell: bool = False
    in_background: bool = False
    passes_on: bool = False
    is_srun: bool = False


class Audience(NamedTuple):
    """Which processes get the signal, and whose ends mean that the job is over.

    `halted` are to be stopped meanwhile: they would go on, or tell others.
    """

    told: tuple[Process, ...] = ()
    awaited: tuple[Process, ...] = ()
    halted: tuple[Process, ...] = ()


def audience(
    first: Process,
    table: Mapping[int, Process],
    manner_of: Callable[[int], Manner],
    *,
    ends: bool,
    first_only: bool = False,
) -> Audience:
    """Return which processes a signal is for.

    Args:
        first: the job's first process.
        table: the processes, by pid.
        manner_of: how a process takes it, by pid.
        ends: whether it ends the job (SIGTERM): then all are told if none of them handles it.
        first_only: whether only the first process is told.
    """
    walk = _Walk(table, manner_of, ends)
    if first_only:
        _, awaited = walk.down(first)
        told, walk.halted = [first] if manner_of(first.pid).heeds else [], []
    else:
        told, awaited = walk.down(first) if ends else walk.below_script(first)
    if told:
        return Audience(tuple(told), tuple(awaited), tuple(walk.halted))
    if not ends or first_only:
        return Audience()
    return Audience((first, *below(dict(table), [first.pid]).values()), (first,))


def addressed(
    first: Process,
    table: Mapping[int, Process],
    manner_of: Callable[[int], Manner],
    number: int,
    whom: str,
) -> tuple[Process, ...] | None:
    """Return which processes get a signal that a user sends to a job that goes on.

    None: it waits, since no process that it is for handles it yet.

    Args:
        first: the job's first process.
        table: the processes, by pid.
        manner_of: how a process takes it, by pid.
        number: the signal.
        whom: as in `mlq.jobs.signals`.
    """
    walk = _Walk(table, manner_of, ends=False)
    acts = number in _NEEDS_NO_HANDLER
    script = [first] if acts or manner_of(first.pid).heeds else []
    if whom == Whom.SCRIPT:
        told = script
    else:
        has_all = whom == Whom.ALL
        told = [] if number in _FOR_EVERY_PROCESS else walk.handling(first, beside_ranks=has_all)
        if acts and not told:
            told = walk.all_but_script(first, beside_ranks=has_all)
        if has_all and first not in told:
            told = [*told, *script]
        elif not told and not acts:
            told = script  # there is nobody else
    return tuple(told) if told or acts else None


class _Walk:
    def __init__(
        self, table: Mapping[int, Process], manner_of: Callable[[int], Manner], ends: bool
    ) -> None:
        self._table, self._manner_of, self._ends = table, manner_of, ends
        self.halted: list[Process] = []
        self._children: dict[int, list[Process]] = {}
        for process in table.values():
            self._children.setdefault(process.parent, []).append(process)

    def below_script(self, first: Process) -> tuple[list[Process], list[Process]]:
        """Return which processes are told and awaited if the batch script is to be left alone."""
        for roots in (self._sruns(first), self._program(first)):
            told, awaited = self._among(roots)
            if told:
                return told, awaited
        return self.down(first)

    def handling(self, first: Process, *, beside_ranks: bool) -> list[Process]:
        """Return those that handle the signal, without the batch script.

        `beside_ranks`: not only the ranks of `srun`, if there are any.
        """
        told, _ = self._among(self._sruns(first))
        if beside_ranks or not told:
            told += [one for one in self._among(self._program(first))[0] if one not in told]
        return told

    def all_but_script(self, first: Process, *, beside_ranks: bool) -> list[Process]:
        """Return the ranks of `srun` and all below them; without any, all but the batch script."""
        table = dict(self._table)
        ranks = below(table, [one.pid for one in self._sruns(first)])
        if ranks and not beside_ranks:
            return list(ranks.values())
        program = self._program(first)
        return [*program, *below(table, [one.pid for one in program]).values()]

    def _program(self, first: Process) -> list[Process]:
        """Return the first process, or if that is a script's shell, what this has started."""
        is_script = self._manner_of(first.pid).is_shell
        return self._children.get(first.pid, []) if is_script else [first]

    def _sruns(self, first: Process) -> list[Process]:
        every = below(dict(self._table), [first.pid]).values()
        return [one for one in every if self._manner_of(one.pid).is_srun]

    def down(self, process: Process) -> tuple[list[Process], list[Process]]:
        """Return which processes are told and which awaited, from a process on downwards."""
        manner, children = self._manner_of(process.pid), self._children.get(process.pid, [])
        if not manner.heeds:
            told, awaited = self._among(children)
            return ([process, *told] if told and self._ends else told), awaited
        if manner.passes_on:
            told, awaited = self._among(children)
            if told:
                self.halted += [process] if self._ends else []
                return told, awaited
        if not manner.is_shell:
            return [process], [process]
        apart = [one for one in children if self._manner_of(one.pid).in_background]
        foreground = [one for one in children if one not in apart]
        told, awaited = self._among(foreground)
        if not told and self._ends:  # a `sleep`: the trap runs when it has ended
            held_up = below(dict(self._table), [one.pid for one in foreground])
            told = [*foreground, *held_up.values()]
        # The trap tells these, if anything does, and what it told may still save its state.
        return [process, *told], [process, *awaited, *self._saving(apart)]

    def _saving(self, processes: list[Process]) -> list[Process]:
        found: list[Process] = []
        for process in processes:
            may = self._manner_of(process.pid).may_save
            found += [process] if may else self._saving(self._children.get(process.pid, []))
        return found

    def _among(self, processes: list[Process]) -> tuple[list[Process], list[Process]]:
        told: list[Process] = []
        awaited: list[Process] = []
        for process in processes:
            more_told, more_awaited = self.down(process)
            told += more_told
            awaited += more_awaited
        return told, awaited
