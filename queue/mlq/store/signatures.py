"""Declares once the arguments and the reply of each Lua operation.

`Operation` refuses a call whose arguments are not those declared here. The tests compare each
declaration with the header of its script, and the server's replies with both. So the headers under
`lua/` always match what is sent and read.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple


class Signature(NamedTuple):
    """The arguments and the reply of an operation.

    Args:
        required: arguments that every call has.
        optional: arguments that a call may leave out.
        replies: the fields of each reply that it may give; one that may be missing ends in `?`.
        once: whether a second call with the same request id changes nothing and gives the first
            reply. Other operations may be repeated without harm, and carry no request id.
    """

    required: frozenset[str]
    optional: frozenset[str]
    replies: tuple[tuple[str, ...], ...]
    once: bool

    def takes(self, args: Collection[str]) -> bool:
        """Return whether a call may have these arguments."""
        return self.required <= set(args) <= self.required | self.optional


def _signature(args: str, replies: tuple[str, ...], *, once: bool) -> Signature:
    names = args.split()
    return Signature(
        frozenset(one for one in names if not one.endswith("?")),
        frozenset(one[:-1] for one in names if one.endswith("?")),
        tuple(tuple(one.split()) for one in replies),
        once,
    )


def _once(args: str, *replies: str) -> Signature:
    return _signature(args, replies, once=True)


def _repeatable(args: str, *replies: str) -> Signature:
    return _signature(args, replies, once=False)


_CLAIMANT = "machine worker boot_id supervisor_id at at_unix"

SIGNATURES: dict[str, Signature] = {
    # jobs come
    "reserve_numbers": _once("count", "first", "last"),
    "raise_numbers": _repeatable("least", "last"),
    "submit": _once("common jobs templates at", "submitted", "unknown", "taken"),
    # sweeps come
    "open_sweep": _once("name options at is_new array?", "number next held"),
    "look_members": _repeatable("number keys", "members next"),
    "submit_members": _once(
        "number first common jobs templates at", "submitted", "unknown", "next"
    ),
    "hold_sweeps": _once("numbers reason", "held"),
    "release_sweeps": _once("numbers", "released"),
    "forgive_sweeps": _once("numbers", "released"),
    "pause": _once("reason", "before"),
    # jobs move
    "claim": _once(f"fits {_CLAIMANT} lease_s lacks only? left_s?", "claims"),
    "move": _once("moves at avoid_s templates?", "moved stale refused untold revived"),
    "tell": _repeatable("at", "untold revived"),
    "renew": _repeatable(
        f"{_CLAIMANT} attempts lease_s tells_holder",
        "alive lost stop requeue signal unknown adopted holder? server_s",
    ),
    "annotate": _repeatable("attempts", "annotated"),
    "reinstate": _once("id attempt found who", "reinstated"),
    "ask_to_stop": _once("ids reason", "asked"),
    "ask_to_requeue": _once("ids reason pause_s due", "asked stopping"),
    "ask_to_signal": _once("ids number whom", "asked full"),
    "reserve_machine": _once("id machine ttl_s", "holder"),
    "note_starts": _once("machine starts", "noted"),
    "hold_command": _once("word reason", "upto"),
    "let_go": _once("words", "dropped"),
    "edit": _once("edits templates", "edited stale"),
    # jobs go
    "forget": _once("age_s limit", "forgotten"),
    "clean": _once("ids at", "marked"),
    # what a worker asks
    "peek": _repeatable("", "heads reservations"),
    "expired": _repeatable("lease_s quiet_s limit", "attempts holders"),
    "due": _repeatable("limit", "ids untold"),
    "held": _repeatable("machine", "attempts"),
    "starts": _repeatable("words lease_s", "starts last living running"),
    # what people see
    "list": _repeatable("fields ids index? from_score? after? limit?", "rows next"),
    "glance": _repeatable("fields since ended most", "whole counts ended_since rows sweeps paused"),
    "look_sweeps": _repeatable("words", "sweeps"),
    "latest_named": _repeatable("name", "id of"),
    "sift": _repeatable("index wanted starts has ends from skip limit", "found next?"),
    "conditions": _repeatable("", "machines sightings"),
    "machines": _repeatable("", "machines"),
    # machines
    "hold_role": _repeatable("role machine ttl_s instead_of", "holder shown"),
    "name_holder": _repeatable("machine", "holder"),
    "hold_name": _repeatable("record expected?", "holder"),
    "release_name": _repeatable("machine worker", ""),
    "note_refused_name": _repeatable("record", ""),
    "record_machine": _repeatable("machine record rq_worker ttl_s rq_ttl_s", ""),
    "show_people": _repeatable("machine people ttl_s", ""),
    "record_sightings": _repeatable("sightings ttl_s", ""),
    "forget_machine": _once("machine quiet_s", "forgotten heard_s holds"),
    # pilots
    "pilots": _repeatable("", "pools now_s"),
    "keep_pilots": _once("pool was text", "kept"),
    # a queue is made anew
    "restore_begin": _once("queue high", "holds", "queue high since renumbers"),
    "restore_jobs": _once("jobs templates drop renumbered in_line", "restored kept"),
    "restore_sweeps": _once("sweeps", "restored"),
    "restore_renumbered": _repeatable("", ""),
    "restore_end": _once("queue root pause_s", "jobs pause_s", "holds"),
}
