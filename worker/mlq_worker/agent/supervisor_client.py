"""The worker's connection to its supervisor: find it or start it, then talk to it.

Standard library only, like the supervisor itself. The supervisor starts in a session of its own
and is no child of the worker, so the worker's end does not affect it. With `Options.parent` it is
its child and ends with it.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mlq.errors import SupervisorError
from mlq.files.kernel_names import connect
from mlq.files.layout import last_line
from mlq_worker.agent.scope import Machine, in_scope, this_machine, why_not, with_bus
from mlq_worker.ipc.channel import Channel, Message
from mlq_worker.ipc.messages import PROTOCOL, Hello
from mlq_worker.ipc.options import Options
from mlq_worker.ipc.procfs import MARK_VARIABLE, read
from mlq_worker.ipc.residence import ALREADY_RUNNING, LOG_NAME, SOCKET_NAME, door_name

_PAUSE_S = 0.01
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # between starts that fail
_SECOND_PAUSE_S = 0.3  # before another start that would be in vain


class SupervisorLink:
    """A connection to the supervisor after the exchange of hellos; nothing in it blocks.

    Attributes:
        hello: the supervisor's hello event, with the attempts it holds.
        child: its process, if it ends with this one.
    """

    def __init__(self, channel: Channel, hello: Message, early: list[Message]) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self._channel = channel
        self._early = early
        self.hello = hello

    def fileno(self) -> int:
        """Return the descriptor to wait on for `receive`."""
        return self._channel.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether something waits to be sent: wait for writability too, then call `flush`."""
        return self._channel.unsent_bytes > 0

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; keep back what the socket does not take now."""
        self._channel.send(message)

    def flush(self) -> None:
        """Send what was kept back."""
        self._channel.flush()

    def receive(self) -> list[Message]:
        """Return the events that have arrived, perhaps none.

        Raises:
            SupervisorError: the supervisor is gone, or another worker has taken its place.
        """
        self._channel.flush()
        events, self._early = self._early, []
        events += self._channel.receive()
        if self._channel.closed and not events:
            raise SupervisorError("The supervisor hung up", fix="Its log is supervisor.log.")
        return events

    def close(self) -> None:
        """Close the connection; the supervisor keeps the jobs."""
        self._channel.close()


def ensure_running(options: Options, deadline_s: float = 15.0) -> SupervisorLink:
    """Connect to the supervisor of a machine; start it first if there is none.

    Args:
        options: how to start it; one that runs already keeps the options it has.
        deadline_s: how long to try.

    Raises:
        SupervisorError: no supervisor answered in time.
    """
    give_up_at = time.monotonic() + deadline_s
    machine = this_machine()
    in_a_scope = not options.parent and not why_not(machine)
    scope_until = time.monotonic() + deadline_s / 2
    starting: subprocess.Popen[bytes] | None = None
    fault, fault_pause_s = "", _FIRST_PAUSE_S
    while time.monotonic() < give_up_at:
        link = _connect(options, give_up_at)
        if link is not None:
            if starting is not None and options.parent:
                link.child = starting
            elif starting is not None:
                starting.wait()
            return link
        if in_a_scope and starting is not None and time.monotonic() > scope_until:
            _give_up_scope(starting)
        if starting is None or starting.poll() not in (None, *(() if options.parent else (0,))):
            if starting is not None and starting.returncode == ALREADY_RUNNING:
                time.sleep(_SECOND_PAUSE_S)
            elif starting is not None:
                time.sleep(fault_pause_s)
                fault_pause_s = min(2 * fault_pause_s, _LONGEST_PAUSE_S)
                in_a_scope = False
            try:
                starting, fault = _start(options, machine if in_a_scope else None), ""
            except OSError as error:  # there is no room for one more process
                fault = f"it cannot be started: {error.strerror}"
                time.sleep(fault_pause_s)
        time.sleep(_PAUSE_S)
    raise SupervisorError(
        f"The supervisor did not answer within {deadline_s:.0f} s",
        why=fault or last_line(options.runtime / LOG_NAME),
        fix=f"Read {options.runtime / LOG_NAME}.",
    )


def _give_up_scope(starting: subprocess.Popen[bytes]) -> None:
    """Kill a systemd-run that still waits for the user's systemd; it becomes what it starts."""
    if starting.poll() is None and read(f"/proc/{starting.pid}/comm") == b"systemd-run\n":
        starting.kill()
        starting.wait()


def _start(options: Options, machine: Machine | None) -> subprocess.Popen[bytes]:
    """Start a supervisor; return a process that ends once it has gone into the background.

    Args:
        options: its command line.
        machine: where it gets a scope of its own; None: it gets none.
    """
    environment = {name: value for name, value in os.environ.items() if name != MARK_VARIABLE}
    command = [sys.executable, "-P", "-m", "mlq_worker.supervisor", *options.arguments()]
    if machine is not None:
        command, environment = in_scope(command), with_bus(environment, machine)
    with (options.runtime / LOG_NAME).open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment,
            start_new_session=True,
        )


def _connect(options: Options, give_up_at: float) -> SupervisorLink | None:
    """Return a greeted connection; None if there is no supervisor, or it went away meanwhile."""
    connection = _at(options.runtime / SOCKET_NAME) or connect(door_name(options.mark_prefix))
    if connection is None:
        return None
    channel = Channel(connection)
    channel.send(Hello().to_json())
    while not channel.closed and time.monotonic() < give_up_at:
        select.select([channel], [], [], max(0.0, give_up_at - time.monotonic()))
        events = channel.receive()
        if events:
            return _greeted(channel, events)
    channel.close()
    return None


def _at(path: Path) -> socket.socket | None:
    """Return a connection; None if the socket is missing or no process listens at it."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection


def _greeted(channel: Channel, events: list[Message]) -> SupervisorLink:
    hello = events[0]
    if hello.get("event") != "hello" or hello.get("protocol") != PROTOCOL:
        channel.close()
        raise SupervisorError(
            "The supervisor that runs here speaks another protocol",
            why=f"it says {hello.get('protocol')!r}, this worker {PROTOCOL!r}",
            fix="Let its jobs end and it will leave; or stop it.",
        )
    return SupervisorLink(channel, hello, events[1:])
