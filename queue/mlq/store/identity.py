"""Which queue a server holds, and what the server says of the whole queue.

A server may hold no queue, or one other than the results root belongs to. These functions take a
client: a caller that asks which queue answers often has no store of that queue yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mlq.lenient import dict_or_empty, text_of
from mlq.store import keys

if TYPE_CHECKING:
    from mlq.store.client import Client


class Totals(NamedTuple):
    """What is in a queue.

    Args:
        queue_id: which queue it is; "" if it has no id yet.
        last_number: the last job number given out, as stored; "" if none was.
        jobs: how many jobs it lists, ended ones included.
    """

    queue_id: str
    last_number: str
    jobs: int


class Moment(NamedTuple):
    """A queue at one moment.

    Args:
        queue_id: which queue the server holds; "" if none.
        is_restoring: whether it is being restored from the results root.
        server_s: unix time by the server's clock.
    """

    queue_id: str
    is_restoring: bool
    server_s: float


def queue_id(client: Client) -> str:
    """Return the id of the queue that the server holds; "" if it holds none."""
    return _text(client.call("GET", keys.QUEUE_ID))


def queue_and_root(client: Client) -> tuple[str, str]:
    """Return the queue's id and the results root that it was given; "" for one that it lacks."""
    found, root = client.call("MGET", keys.QUEUE_ID, keys.ROOT)
    return _text(found), _text(root)


def make_queue(client: Client, new_id: str) -> str:
    """Give the queue this id, unless it has an id; return its id."""
    client.call("SET", keys.QUEUE_ID, new_id, "NX")
    return queue_id(client)


def give_root(client: Client, root: str) -> None:
    """Tell the queue its results root."""
    client.call("SET", keys.ROOT, root)


def totals(client: Client) -> Totals:
    """Return how much is in the queue."""
    asked = [("GET", keys.QUEUE_ID), ("GET", keys.LAST_NUMBER), ("ZCARD", keys.JOBS)]
    found, number, jobs = client.call_many(asked)
    return Totals(_text(found), _text(number), int(jobs))


def moment(client: Client) -> Moment:
    """Return which queue the server holds now."""
    asked = [("GET", keys.QUEUE_ID), ("EXISTS", keys.RESTORING), ("TIME",)]
    found, restoring, time = client.call_many(asked)
    return Moment(_text(found), bool(restoring), _unix_s(time))


def server_time(client: Client) -> float:
    """Return the unix time of the server's clock."""
    return _unix_s(client.call("TIME"))


def last_number(client: Client) -> str:
    """Return the last job number given out, as stored; "" if none was."""
    return _text(client.call("GET", keys.LAST_NUMBER))


def unended(client: Client) -> int:
    """Return how many jobs have not ended."""
    return int(client.call("ZCARD", keys.UNENDED))


def machine_record(client: Client, machine: str) -> dict[str, Any]:
    """Return what a machine last said of itself; empty if it said nothing, or long ago."""
    return dict_or_empty(client.call("GET", keys.machine(machine)))


def _unix_s(reply: tuple[bytes, bytes]) -> float:
    seconds, microseconds = reply
    return int(seconds) + int(microseconds) / 1e6


def _text(reply: bytes | None) -> str:
    return text_of(reply or b"")
