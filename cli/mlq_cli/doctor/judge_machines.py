"""Judges all machines together: those set aside, two of one name, what chatters, and the copy."""

from __future__ import annotations

from collections.abc import Iterator

from mlq.units import utc_iso
from mlq_cli.doctor.check import Check, ok, problem, warning
from mlq_cli.doctor.desk import judge_chatter
from mlq_cli.doctor.look_machines import CopyFacts, MachinesFacts
from mlq_cli.render.words import count, elapsed

# A worker makes a copy every 30 s; one that cannot gives up the role for 60 s.
OLD_COPY_S = 300.0


def machines(facts: MachinesFacts) -> Iterator[Check]:
    """Judge the facts about the machines."""
    for aside in facts.aside:
        yield warning(
            "set aside",
            f"{aside.machine}: {aside.note}",
            "mend there what its jobs fail of (`mlq logs` of one); the first job that starts well "
            "there releases it",
        )
    for refused in facts.refused:
        holder, who = refused.holder, refused.who
        yield problem(
            "machine name",
            f"{who.machine} is the name of two: process {holder.who.pid} on host "
            f"{holder.who.host} holds it since {utc_iso(holder.since_s)}; process {who.pid} on "
            f"host {who.host} was refused {elapsed(refused.ago_s)} ago",
            f"give {who.host} a name of its own (MLQ_MACHINE, or machine in config.toml), "
            "or stop one of them",
        )
    yield from map(judge_chatter, facts.chattering)
    if facts.copy is not None:
        yield _copy(facts.copy)


def _copy(facts: CopyFacts) -> Check:
    age_s, waiting = facts.age_s, f"{count(facts.unended, 'job')} not ended"
    remedy = (
        "if the queue's data were lost, newer jobs could not be restored; a worker makes one every "
        f"30 s: does one run (`mlq machines`), and can it write {facts.path}?"
    )
    if not facts.unended:
        return ok("copy", "on the results root: no job has to be in it")
    if age_s is None:
        return warning("copy", f"there is no {facts.path}, and {waiting}", remedy)
    if age_s > OLD_COPY_S:
        return warning("copy", f"{facts.path} is {elapsed(age_s)} old, and {waiting}", remedy)
    return ok("copy", f"of the {waiting}: {elapsed(age_s)} old, on the results root")
