"""What other users' mlq says on this machine, which boards are not believed, and the turn."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mlq.settings.settings import Settings
from mlq_cli.doctor.check import Check, ok, warning
from mlq_cli.render.clean import clean
from mlq_cli.render.words import count
from mlq_worker.guest.login_names import login_name

_TOPIC = "neighbours"
_MOST_NAMED = 4
ENDED = "its process has ended"


@dataclass(frozen=True, slots=True)
class BoardFacts:
    """The boards of this machine.

    Args:
        folder: where they are.
        users: whose are believed, our own user's other queues among them.
        unbelieved: the name of each other one, and why it is not.
        turn: why nobody can wait for their turn; "" if all can.
    """

    folder: str
    users: tuple[str, ...] = ()
    unbelieved: tuple[tuple[str, str], ...] = ()
    turn: str = ""


def examine(settings: Settings) -> Iterator[Check]:
    """Look at the boards and at the turn, and judge."""
    return judge(look(settings))


def look(settings: Settings) -> BoardFacts:
    """Read all boards, ours among them, and try to have the turn for a moment."""
    from mlq_worker.guest.boards.board import BoardName
    from mlq_worker.guest.boards.boards import BoardReader

    nobody = BoardName(-1, "")
    hanging = BoardReader(settings.shared_dir, nobody).read()
    uids = sorted({one.name.uid for one in hanging.posted})
    return BoardFacts(
        str(settings.shared_dir),
        tuple("you" if uid == os.getuid() else login_name(uid) for uid in uids),
        hanging.unbelieved,
        _turn(settings),
    )


def _turn(settings: Settings) -> str:
    from mlq_worker.guest.boards.turn_file import AGAIN_S, NAME, Turn, TurnFile

    if not os.path.lexists(f"{settings.shared_dir}/{NAME}"):
        return ""  # the first worker makes it
    turn = TurnFile(settings.shared_dir)
    try:
        while turn.take(time.monotonic()) is Turn.AWAITED:
            time.sleep(AGAIN_S)
        return turn.fault
    finally:
        turn.give_up()


def judge(facts: BoardFacts) -> Iterator[Check]:
    """Name who shares the machine, and warn of what is not believed."""
    # What a power cut leaves behind is nothing to warn of: its user's next worker replaces it.
    odd = [one for one in facts.unbelieved if one[1] != ENDED]
    left = [clean(name) for name, why in facts.unbelieved if why == ENDED]
    for name, why in odd[:_MOST_NAMED]:
        more = len(odd) - _MOST_NAMED
        others = f" (and {count(more, 'other')})" if more > 0 and name == odd[0][0] else ""
        yield warning(
            _TOPIC,
            f"{facts.folder}/{clean(name)} is not believed: {why}{others}",
            "its owner can remove it; nothing here depends on it",
        )
    if facts.turn:
        yield warning(
            _TOPIC,
            clean(facts.turn),
            "its owner or an administrator can remove the file or end that program"
            f" (fuser -v {facts.folder}/mlq.turn); till then two users may start at once",
        )
    if not odd and not facts.turn:
        seen = ", ".join(map(clean, facts.users))
        said = [f"mlq runs here for {seen}" if seen else "no mlq runs here"]
        if left:
            said.append(f"left by ended ones: {', '.join(left[:_MOST_NAMED])}")
        yield ok(_TOPIC, "; ".join(said))
