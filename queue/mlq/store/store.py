"""The queue in Redis: every operation on it, typed.

The store is a thin edge: it names a Lua operation, passes its arguments and reads the reply
(`sending` transports them). It keeps two invariants. Every operation that writes carries a fresh
request id, so that a command resent after a lost reply changes nothing twice. And every move of a
job names an event of the life cycle, so no caller can write an arbitrary state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mlq.errors import JobNotFoundError, QueueRefusedError
from mlq.store import scripts as shipped
from mlq.store.machine_roles import MachineRoles
from mlq.store.operations import (
    Claimant,
    Move,
    Operation,
    claim_operation,
    move_operation,
    soon_gone,
    tell_operation,
)
from mlq.store.reads import PAGE, Reads
from mlq.store.sending import ScriptRunner, Scripts

if TYPE_CHECKING:
    # These are imported where they are used: a command that only lists jobs needs none of them, and
    # importing them takes as long as the rest of that command.
    from mlq.store.client import Client
    from mlq.store.machine_names import WorkerIdentity
    from mlq.store.record import SignedJob
    from mlq.store.replies import Claim, Expired, HeldAttempt, Moved, Renewal, Waiting
    from mlq.store.templates import Template

SUBMIT_BATCH = 500
# Moves in one operation: few enough to occupy the server for only some milliseconds.
SLICE = 500


class Store:
    """The operations of the queue, over one client.

    Args:
        client: the client.
        queue_id: of the intended queue; "": any queue that answers.
        held_by: the worker that sends; None: the caller is no machine's worker.
        scripts: the Lua operations.

    This class has the operations on jobs. `reads` has what people see of the queue, `roles` what
    machines publish and hold, and `runner` sends the operations.

    Every method may raise `QueueUnreachableError` (nothing answers; the call may be made again)
    and `QueueRefusedError` (the server said no).
    """

    def __init__(
        self,
        client: Client,
        queue_id: str = "",
        held_by: WorkerIdentity | None = None,
        scripts: Scripts = shipped,
    ) -> None:
        self.client = client
        self.runner = ScriptRunner(client, queue_id, held_by, scripts)
        self.reads = Reads(self.runner)
        self.roles = MachineRoles(self.runner)

    def reserve_numbers(self, count: int) -> int:
        """Return the first of `count` job numbers that were never given out before.

        Raises:
            QueueRefusedError: no numbers are left.
        """
        (reply,) = self.runner.run(Operation("reserve_numbers", {"count": count}))
        if "first" not in reply:
            raise QueueRefusedError(
                "the queue has no job numbers left",
                why=f"{reply['last']:.0f} counts as given out; mlq:last_number was set by hand",
                fix="delete that key with redis-cli: numbers then go on above those of all jobs",
            )
        return int(reply["first"])

    def raise_numbers(self, least: int) -> None:
        """Never give out this job number, or one below it, again."""
        self.runner.run(Operation("raise_numbers", {"least": least}))

    def submit(self, jobs: Sequence[SignedJob], at: str) -> int:
        """Store jobs; when this returns they are in the queue for good.

        Returns:
            How many of them were stored, from the first on: fewer than all if another job already
            has one of the numbers; then that batch and those after it are not stored.

        Raises:
            JobNotFoundError: one of them comes after a job that does not exist; its batch of 500 is
                not stored.
        """
        from mlq.store.record import common_fields
        from mlq.store.templates import as_args

        common = common_fields(at)
        for start in range(0, len(jobs), SUBMIT_BATCH):
            some = jobs[start : start + SUBMIT_BATCH]
            # The time of submission is inserted again from the job's own field.
            templates = [job.template if job.spec.submitted_at == at else None for job in some]
            batch = [
                job_as_args(job, template) for job, template in zip(some, templates, strict=True)
            ]
            args = {"common": common, "jobs": batch, "at": at}
            args["templates"] = as_args(templates)
            (reply,) = self.runner.run(Operation("submit", args))
            if "unknown" in reply:
                raise JobNotFoundError(
                    f"no job {reply['unknown']} to come after",
                    fix="`mlq ls -a` lists the jobs that exist",
                )
            if "taken" in reply:
                return start
        return len(jobs)

    def claim(
        self,
        fits: Iterable[tuple[str, int]],
        who: Claimant,
        lease_s: float,
        now_s: float,
        only: Iterable[str] | None = None,
        left_s: float | None = None,
    ) -> list[Claim]:
        """Claim (see `claim_operation`); all claims are of one class."""
        from mlq.store.replies import Claim

        (reply,) = self.runner.run(
            soon_gone(claim_operation(fits, who, lease_s, now_s, only), left_s)
        )
        return [Claim.from_reply(raw) for raw in reply["claims"] or ()]

    def move(self, moves: Iterable[Move], now_s: float, avoid_s: float = 0) -> Moved:
        """Make moves, in slices; stale moves change nothing.

        Jobs that come after an ended job are told before this returns. If this process dies first,
        the reaper goes on telling them.
        """
        from mlq.store.replies import Moved

        listed, done, untold = list(moves), Moved(), 0
        for start in range(0, len(listed), SLICE):
            part = listed[start : start + SLICE]
            (reply,) = self.runner.run(move_operation(part, now_s, avoid_s))
            done, untold = done + Moved.from_reply(reply), reply["untold"]
        while untold:
            (reply,) = self.runner.run(tell_operation(now_s))
            done, untold = done + Moved.by_telling(reply), reply["untold"]
        return done

    def tell(self, now_s: float, slices: int | None = None) -> bool:
        """Tell jobs that come after ended jobs, if they have not been told yet.

        Args:
            now_s: unix time, for the record only.
            slices: how many operations at most; None: until all are told.

        Returns:
            Whether all are told.
        """
        done = 0
        while slices is None or done < slices:
            (reply,) = self.runner.run(tell_operation(now_s))
            if not reply["untold"]:
                return True
            done += 1
        return False

    def note_starts(self, machine: str, starts: Iterable[tuple[str, str]]) -> None:
        """Record how attempts (job id, "good" or "bad") of a machine started, before they end."""
        self.runner.run(Operation("note_starts", {"machine": machine, "starts": list(starts)}))

    def starts(self, words: Iterable[str], lease_s: float) -> dict[str, Any]:
        """Return the last starts of these commands and of machines, and the living machines."""
        args = {"words": list(words), "lease_s": lease_s}
        (reply,) = self.runner.run(Operation("starts", args))
        return dict(reply)

    def hold_command(self, word: str, reason: str) -> float:
        """Let no job of a command go back to the queue; return the last order that this affects."""
        (reply,) = self.runner.run(Operation("hold_command", {"word": word, "reason": reason}))
        return float(reply["upto"])

    def let_go(self, words: Iterable[str]) -> None:
        """Stop holding these commands."""
        self.runner.run(Operation("let_go", {"words": list(words)}))

    def pause(self, reason: str) -> str:
        """Pause the queue for this reason; "" resumes it. Return the previous reason."""
        (reply,) = self.runner.run(Operation("pause", {"reason": reason}))
        return str(reply["before"])

    def renew(
        self,
        machine: str,
        attempts: Iterable[
            tuple[str, int, str]
            | tuple[str, int, str, bool, str]
            | tuple[str, int, str, bool, str, Sequence[str]]
        ],
        lease_s: float,
        now_s: float,
        boot_id: str = "",
        supervisor_id: str = "",
    ) -> Renewal:
        """Extend the leases of the attempts that a machine holds, and show that it is present.

        Args:
            machine: its name.
            attempts: id, number, progress or "", whether it has ended and is to be committed, the
                signature of its job or "", and a flat list of hash fields to set.
            lease_s: how long the leases run from now on.
            now_s: unix time, for the record only.
            boot_id: of the machine's boot; with `supervisor_id`, for attempts that the queue has
                forgotten.
            supervisor_id: of the supervisor that holds the attempts.
        """
        from mlq.store.replies import Renewal

        args = {
            **Claimant(machine, boot_id, supervisor_id).as_args(now_s),
            "attempts": list(attempts),
            "lease_s": lease_s,
            "tells_holder": True,
        }
        (reply,) = self.runner.run(Operation("renew", args))
        return Renewal.from_reply(reply)

    def annotate(self, attempts: Iterable[tuple[str, int, Sequence[str]]]) -> None:
        """Set hash fields of ended jobs: id, attempt that it must be at, flat list of fields."""
        self.runner.run(Operation("annotate", {"attempts": list(attempts)}))

    def reinstate(self, attempt: tuple[str, int], found: int, who: Claimant, now_s: float) -> bool:
        """Put a job back to an attempt that the queue has forgotten; return whether it was done.

        Args:
            attempt: the caller's, claimed under a number that the results root already knows.
            found: the last attempt that the results root knows of.
            who: where that ran.
            now_s: unix time, for the record only.
        """
        args = {
            "id": attempt[0],
            "attempt": attempt[1],
            "found": found,
            "who": who.as_args(now_s),
        }
        (reply,) = self.runner.run(Operation("reinstate", args))
        return bool(reply["reinstated"])

    def ask_to_stop(self, ids: Iterable[str], reason: str) -> list[str]:
        """Ask the workers of these jobs to stop them; return those that are running."""
        args = {"ids": list(ids), "reason": reason}
        (reply,) = self.runner.run(Operation("ask_to_stop", args))
        return list(reply["asked"] or ())

    def ask_to_requeue(
        self, ids: Iterable[str], reason: str, pause_s: float = 0.0, due: str = ""
    ) -> tuple[list[str], list[str]]:
        """Ask the workers of these jobs to queue them again, not to start before a pause.

        `due` is when that ends, for people.

        Return those that are running, and those that their user has canceled and that run still.
        """
        args = {"ids": list(ids), "reason": reason, "pause_s": pause_s, "due": due}
        (reply,) = self.runner.run(Operation("ask_to_requeue", args))
        return list(reply["asked"] or ()), list(reply["stopping"] or ())

    def peek(self) -> Waiting:
        """Return the waiting jobs and the reservations."""
        from mlq.store.replies import Waiting

        (reply,) = self.runner.run(Operation("peek", {}))
        return Waiting.from_reply(reply)

    def reserve_machine(self, job_id: str, machine: str, ttl_s: float) -> str:
        """Reserve the machine for a starving job; return the machine that holds it, or ""."""
        args = {"id": job_id, "machine": machine, "ttl_s": ttl_s}
        (reply,) = self.runner.run(Operation("reserve_machine", args))
        return str(reply["holder"])

    def expired(self, lease_s: float, quiet_s: float, limit: int = PAGE) -> Expired:
        """Return attempts whose lease was not renewed recently, and machines that hold attempts.

        Args:
            lease_s: how long a lease lasts; one that ends later was made before the server's clock
                was set back, and is returned, too.
            quiet_s: for how long a lease was not renewed, on the server's clock.
            limit: how many, those longest without renewal first.
        """
        from mlq.store.replies import Expired

        args = {"lease_s": lease_s, "quiet_s": quiet_s, "limit": limit}
        (reply,) = self.runner.run(Operation("expired", args))
        return Expired.from_reply(reply)

    def due(self, limit: int = PAGE) -> list[str]:
        """Return scheduled jobs whose time has come."""
        return self.due_and_untold(limit)[0]

    def due_and_untold(self, limit: int = PAGE) -> tuple[list[str], bool]:
        """Return scheduled jobs whose time has come, and whether to call `tell`."""
        (reply,) = self.runner.run(Operation("due", {"limit": limit}))
        return list(reply["ids"] or ()), reply["untold"] > 0

    def held(self, machine: str) -> list[HeldAttempt]:
        """Return the attempts that the queue believes this machine runs."""
        from mlq.store.replies import HeldAttempt

        (reply,) = self.runner.run(Operation("held", {"machine": machine}))
        return [HeldAttempt(machine=machine, **raw) for raw in reply["attempts"] or ()]

    def forget(self, age_s: float, limit: int = PAGE) -> list[str]:
        """Delete jobs that ended longer ago, at most `limit`; return their ids.

        Args:
            age_s: by the server's clock, since a worker's clock may be months ahead.
            limit: how many at most.
        """
        args = {"age_s": age_s, "limit": limit}
        (reply,) = self.runner.run(Operation("forget", args))
        return list(reply["forgotten"] or ())


def job_as_args(job: SignedJob, template: Template | None) -> dict[str, Any]:
    """Return a job to be stored, in the form that the Lua operations take.

    Args:
        job: the job.
        template: the template without which its spec is stored.
    """
    from mlq.store.record import job_fields

    return {
        "id": job.spec.id,
        "class": job.spec.job_class.name,
        "name": job.spec.name,
        "after": job.spec.after,
        "template": template.digest if template else "",
        "fields": job_fields(job, template),
        "delay": job.delay_s,
        "held": job.held,
    }
