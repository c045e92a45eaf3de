"""What it costs to look at the desk, and for people who are active by ssh.

The desk is a recorded one, so that there are keyboard, mouse and a session on any machine. Its list
of devices is a plain file, of which the kernel says at each look that it changed; here it is told
apart what a look costs that finds it unchanged, and one that lists the devices again.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from bench.report import Row, spread

_LOOKS = 500


def measure(rounds: int, seconds: float) -> list[Row]:
    """Return the CPU time of looks, in rows, and what `seconds` of one a second take."""
    from recorded_desk import RecordedDesk

    from mlq_worker.guest.desk.desk import Desk
    from mlq_worker.guest.desk.people import People, read_terminals

    with tempfile.TemporaryDirectory() as folder:
        machine = RecordedDesk(Path(folder), "desktop")
        machine.with_irq_files()
        machine.show_console(2)
        machine.seat("2", 1001)
        reader, desk, people = machine.reader(), Desk(1000), People(1000)

        def look(at: float) -> None:
            desk.look(reader.look(at), at)

        def quiet(_: float) -> None:
            look(0.5)

        def by_ssh(at: float) -> None:
            people.look(read_terminals(), at, time.time())

        relisting = _cpu_us(look, rounds)
        with mock.patch("mlq_worker.guest.desk.counters._ListFile.changed", lambda _: False):
            look(0)
            still = _cpu_us(quiet, rounds)
            seen = spread([_each_second_us(look, seconds)])
        rows = [
            Row("a look", still, "us CPU", "one after the other, session by file"),
            Row("a look that lists the devices", relisting, "us CPU", "at a change and each 10 s"),
            Row("a look, once a second", seen, "us CPU", f"over {seconds:g} s"),
            Row("who is active by ssh", _cpu_us(by_ssh, rounds), "us CPU", ""),
        ]
        reader.close()
    return rows


def _cpu_us(act: Callable[[float], None], rounds: int) -> tuple[float, float, float]:
    found = []
    for turn in range(rounds):
        began = time.process_time()
        for at in range(_LOOKS):
            act(float(turn * _LOOKS + at))
        found.append((time.process_time() - began) / _LOOKS * 1e6)
    return spread(found)


def _each_second_us(look: Callable[[float], None], seconds: float) -> float:
    """Return the CPU time of a look when others use the caches in between."""
    spent = 0.0
    for at in range(max(1, round(seconds))):
        time.sleep(1)
        began = time.process_time()
        look(float(at))
        spent += time.process_time() - began
    return spent / max(1, round(seconds)) * 1e6
