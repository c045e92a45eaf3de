"""The queue's server: a real Redis with the real Lua, under a simulated clock, and the way to it.

The scripts run unchanged behind a few lines of Lua that answer TIME from an argument, make keys
expire in simulated time, and hand on what is published. A link may be cut, lose a reply after the
server has done what it was asked, hold a command back and deliver it late, or be slow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mlq.errors import QueueUnreachableError
from mlq.store import scripts
from mlq.store.wire import UnixClient
from simulation.engine import Engine, Violation

Copy = list[tuple[bytes, int, bytes]]
"""Keys, how long they last in ms, and what is in them."""
Command = Sequence[str | bytes | int | float]
QUEUE_ID = "sim"
TIMEOUT_S, TRIES, BACKOFF_S = 5.0, 3, 0.1
LATE_MOST_S = 120.0
FOLDER = Path(scripts.__file__).with_name("lua")
_SHORT_IS_LONG = {  # so that also few jobs wait in side lists: _into_line.lua
    "MOVED_MOST = 5000": "MOVED_MOST = 0",
    "#way.front + #way.back == 1": "false",
}
_PUBLISHED, _EXPIRY = "mlq:sim:published", "mlq:sim:expiry"

_SHIM = """
local real, server_now = redis, tonumber(ARGV[3])
for _, key in ipairs(real.call('ZRANGEBYSCORE', 'mlq:sim:expiry', '-inf', server_now)) do
  real.call('DEL', key)
  real.call('ZREM', 'mlq:sim:expiry', key)
end
local redis = { call = function(...)
  local command, key, value, unit, ttl = ...
  if command == 'TIME' then
    return { string.format('%d', math.floor(server_now)),
      string.format('%d', math.floor(server_now % 1 * 1e6)) }
  elseif command == 'SET' and ttl then
    real.call('ZADD', 'mlq:sim:expiry', server_now + ttl / (unit == 'PX' and 1000 or 1), key)
    return real.call('SET', key, value, 'EX', 86400)
  elseif command == 'PUBLISH' then
    return real.call('RPUSH', 'mlq:sim:published', value)
  elseif command == 'SMEMBERS' or command == 'SPOP' then
    local members = real.call(...)
    table.sort(members)
    return members
  end
  return real.call(...)
end, pcall = real.pcall }
"""


@cache
def product_text(name: str) -> str:
    """The operation as it ships, but that short lists are long ones to it already."""
    text = scripts.shared() + (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    for shipped, altered in _SHORT_IS_LONG.items():
        assert shipped in text
        text = text.replace(shipped, altered)
    return text


class Scripts:
    """Stands in for `mlq.store.scripts`: the operations behind the shim.

    Args:
        alter: changes the text of an operation, to plant a bug.
    """

    def __init__(self, alter: Callable[[str, str], str]) -> None:
        self._texts = {
            path.stem: _SHIM + alter(path.stem, product_text(path.stem))
            for path in FOLDER.glob("*.lua")
            if not path.stem.startswith("_")
        }
        self._names = {name: _digest(text) for name, text in self._texts.items()}
        self.operations = {sha1: name for name, sha1 in self._names.items()}

    def source(self, name: str) -> str:
        return self._texts[name]

    def sha1(self, name: str) -> str:
        return self._names[name]


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class _SilentError(Exception):
    """The server holds its reply back."""


class QueueHost:
    """The server's machine.

    Args:
        engine: simulated time.
        wire: a connection with all rights.
        operations: SHA-1 -> name of the operation.
    """

    def __init__(self, engine: Engine, wire: UnixClient, operations: dict[str, str]) -> None:
        self._engine, self.wire, self._operations = engine, wire, operations
        self.down = False
        self.lives = 1
        """How often it was started; nothing that it said in an earlier life arrives."""
        self.clock_offset_s = 1.7e9
        self.ambush: tuple[str, Callable[[], None]] | None = None
        """Called when such an operation has arrived, before it is done."""
        self._flushed: Copy | None = None
        """What is on its disk, if that is not all that it has done."""
        self._own: Copy | None = None
        """Its own data, while it has others."""
        self.watch: Callable[[str, Command, Callable[[], Any]], Any] = lambda *args: args[2]()
        self.published: Callable[[str], None] = lambda message: None
        self.asked_the_time: dict[float, float] = {}
        """Its own clock, whenever it was asked for, and the simulated time."""
        wire.call("FLUSHALL")
        wire.call("SCRIPT", "FLUSH")

    @property
    def clock_s(self) -> float:
        return self._engine.now + self.clock_offset_s

    def execute(self, commands: Sequence[Command]) -> list[Any]:
        """Do what was asked; raises what the client would."""
        return [self._execute(command) for command in commands]

    def _execute(self, command: Command) -> Any:
        if command[0] != "EVALSHA":
            shown = len(command) > 1 and str(command[1]).startswith(("mlq:machine:", "rq:worker"))
            if command[0] == "WAITAOF":
                # The disk is simulated, so the real server need not know of it (Redis < 7.2).
                if self._flushed is not None:
                    raise _SilentError
                return [1, 0]
            if command[0] == "TIME":
                self.asked_the_time[round(self.clock_s, 6)] = self._engine.now
                return [int(self.clock_s), round(self.clock_s % 1 * 1e6)]
            return None if shown else self.wire.call(*command)
        name = self._operations[str(command[1])]
        if name == "record_sightings":  # for people only
            return b"{}"
        if self.ambush is not None and self.ambush[0] == name:
            strike, self.ambush = self.ambush[1], None
            strike()
        full = (*command, repr(self.clock_s))
        reply = self.watch(name, command, lambda: self.wire.call(*full))
        if name in ("submit", "move", "ask_to_stop", "ask_to_requeue", "tell"):
            messages, _ = self.wire.call_many([("LRANGE", _PUBLISHED, 0, -1), ("DEL", _PUBLISHED)])
            for message in messages:
                self.published(message.decode())
        return reply

    def name_of(self, command: Command) -> str:
        """Which operation a command is; "" if none."""
        return self._operations.get(str(command[1]), "") if command[0] == "EVALSHA" else ""

    # --- death and return -----------------------------------------------------------------------

    def stop_flushing(self) -> None:
        """What it does from now on does not reach its disk: it is lost with its next crash."""
        self._flushed = self.copy()

    def copy(self) -> Copy:
        """All its data."""
        keys = self.wire.call("KEYS", "*")
        asked = [(what, key) for key in keys for what in ("PTTL", "DUMP")]
        told = self.wire.call_many(asked)
        return list(zip(keys, told[::2], told[1::2], strict=True))

    def put(self, copy: Copy) -> None:
        """Have these data from now on, and no others."""
        restores = [("RESTORE", key, max(0, ttl_ms), dump) for key, ttl_ms, dump in copy]
        self.wire.call_many([("FLUSHALL",), *restores])

    @property
    def can_change(self) -> bool:
        """Whether no other fault of its data is under way."""
        return self._flushed is None and not self.is_exchanged

    def exchange(self, queue_id: str) -> None:
        """Be started on another folder: that of another queue, or an empty one."""
        self._own = self.copy()
        self.ambush = None
        self.put([])
        if queue_id:
            self.wire.call("SET", "mlq:queue_id", queue_id)
        self.restart()

    def give_back(self) -> None:
        """Be started on its own folder again."""
        if self._own is not None:
            self.put(self._own)
            self._own = None
            self.restart()

    @property
    def is_exchanged(self) -> bool:
        """Whether it has other data now."""
        return self._own is not None

    def crash(self) -> bool:
        """Die; returns whether something was lost."""
        self.down = True
        lost, self._flushed = self._flushed, None
        if lost is not None:
            self.put(lost)
        return lost is not None

    def lose(self) -> None:
        """Come back at once, without any data."""
        self.settle()
        self.wire.call("FLUSHALL")
        self.restart()

    def settle(self) -> None:
        """All that it has done is on its disk, and nothing waits for it."""
        self.ambush = self._flushed = None

    def restart(self) -> None:
        self.down = False
        self.lives += 1
        self.wire.call("SCRIPT", "FLUSH")  # scripts are not in the AOF


@dataclass
class Link:
    """The way from one machine to the server; times are simulated."""

    cut_until: float = 0.0
    loses_until: float = 0.0
    """Until when it loses replies and delivers late."""
    slow_until: float = 0.0
    loses: float = 0.0
    """Which share of replies it loses all the time."""

    def heal(self) -> None:
        self.cut_until = self.loses_until = self.slow_until = 0.0


class _LostError(Exception):
    """No reply came."""


class _Flight:
    """Commands under way."""

    def __init__(self, life: int) -> None:
        self.life = life
        self.replies: list[Any] | None = None
        self.error: Exception | None = None
        self.is_back = False
        """Whether the reply has come, be it that nobody has looked yet."""


class SimClient:
    """A `mlq.store.client.Client` over a link; resends the same commands as redis-py does.

    Args:
        engine: simulated time.
        host: the server.
        link: the way to it.
    """

    def __init__(self, engine: Engine, host: QueueHost, link: Link) -> None:
        self._engine, self._host, self._link = engine, host, link
        self.ambush: tuple[str, Callable[[], None]] | None = None
        """Called once such an operation was done and its reply is on the way."""

    def call(self, *command: str | bytes | int | float) -> Any:
        return self.call_many([command])[0]

    def call_many(self, commands: Sequence[Command]) -> list[Any]:
        if commands[0][0] == "SCRIPT":
            # The store loads scripts in the order of a set, which is not the seed's: in no time.
            return self._host.execute(commands)
        for number in range(TRIES):
            try:
                return self._once(commands)
            except _LostError:
                self._engine.sleep(BACKOFF_S * (number + 1))
        raise QueueUnreachableError("the queue does not answer", why="simulated")

    def close(self) -> None:
        """Nothing to close."""

    def _once(self, commands: Sequence[Command]) -> list[Any]:
        engine, link, rng = self._engine, self._link, self._engine.rng
        there_s, back_s = self._latencies()
        troubled = engine.now < link.loses_until or rng.random() < link.loses
        if not self._is_open():
            self._swallow(commands)
            engine.sleep(0.01 if rng.random() < 0.5 else TIMEOUT_S)
            raise _LostError
        ambush = self._ambushed(commands)
        if not troubled and ambush is None and engine.now + there_s + back_s < engine.quiet_until():
            engine.sleep(there_s)
            try:
                replies = self._host.execute(commands)
            except _SilentError:
                engine.sleep(TIMEOUT_S)
                raise _LostError from None
            engine.sleep(back_s)
            return replies
        flight, task = _Flight(self._host.lives), engine.current
        lost = troubled and rng.random() < 0.4
        if troubled and rng.random() < 0.15:  # held back on the way, delivered after the timeout
            lost, there_s = True, rng.uniform(TIMEOUT_S, LATE_MOST_S)
        kept = commands[: rng.randint(0, len(commands))] if lost else commands

        def arrive() -> None:
            if not self._is_open():
                self._swallow(commands)
                return
            try:
                flight.replies = self._host.execute(kept)
            except Violation:
                raise
            except _SilentError:
                return
            except Exception as error:  # noqa: BLE001 - the client's to raise
                flight.error = error
            if not lost:
                engine.after(back_s, come_back)
            if ambush is not None:
                ambush()

        def come_back() -> None:
            flight.is_back = self._is_open() and flight.life == self._host.lives
            if task is not None:
                task.wake(flight)

        engine.after(there_s, arrive)
        engine.wait(TIMEOUT_S, flight)
        if not flight.is_back:
            raise _LostError
        if flight.error is not None:
            raise flight.error
        return flight.replies or []

    def _ambushed(self, commands: Sequence[Command]) -> Callable[[], None] | None:
        if self.ambush is None:
            return None
        operation, strike = self.ambush
        if operation and operation not in map(self._host.name_of, commands):
            return None
        self.ambush = None
        return strike

    def _is_open(self) -> bool:
        return self._engine.now >= self._link.cut_until and not self._host.down

    def _swallow(self, commands: Sequence[Command]) -> None:
        """A cut link may keep what was sent and deliver it when it is back."""
        if self._engine.now < self._link.cut_until and self._engine.rng.random() < 0.5:
            back_s = self._link.cut_until + self._engine.rng.uniform(0, 5)
            if back_s - self._engine.now < LATE_MOST_S:
                self._engine.at(back_s, lambda: self._deliver(commands))

    def _deliver(self, commands: Sequence[Command]) -> None:
        if self._is_open():
            try:
                self._host.execute(commands)
            except Violation:
                raise
            except Exception:  # noqa: BLE001 - nobody hears what the server says to it
                return

    def _latencies(self) -> tuple[float, float]:
        rng = self._engine.rng
        most = 3.0 if self._engine.now < self._link.slow_until else 0.02
        return rng.uniform(0.0005, most), rng.uniform(0.0005, most)
