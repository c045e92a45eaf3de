"""A whole installation of its own: folders, settings, a server, and the installed `mlq` command.

Nothing in it meets another installation of the same machine. Its server is started on demand and
always stopped; jobs can be put into any state by the store's own operations.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import forked_mlq

from mlq.api.queue import Queue
from mlq.files.paths import read_secret
from mlq.jobs.lifecycle import Event
from mlq.jobs.strict_spec import parse_spec
from mlq.settings.load import load
from mlq.store.operations import Claimant, Move
from mlq.store.store import Store
from mlq.store.templates import STORED, Raw, whole_specs
from mlq.store.wire import UnixClient
from mlq.submit.submission import Submission
from mlq.units import utc_iso

MLQ = Path(sys.executable).with_name("mlq")
LEASE_S = 3600.0


@dataclass(frozen=True)
class Completed:
    """What a command that has ended left."""

    code: int
    out: str
    err: str


@dataclass
class Sandbox:
    """One installation; `environ` is what every command of it is run with.

    Args:
        folder: all of it lies below.
        environ: the environment.
        program: the `mlq` to run.
        identity: who runs it, as options of `subprocess.Popen`; by default who runs the tests.
    """

    folder: Path
    environ: dict[str, str]
    program: Path = MLQ
    identity: Mapping[str, Any] = field(default_factory=dict)
    served: bool = field(default=False, init=False)

    def run(
        self, *words: str | bytes, environ: Mapping[str, str] | None = None, timeout_s: float = 60
    ) -> Completed:
        """Run `mlq` with these words, its output into pipes."""
        given = {**self.environ, **(environ or {})}
        done: subprocess.CompletedProcess[bytes]
        if self._can_be_forked(given):
            done = forked_mlq.run([self.program, *words], given, self.folder, timeout_s)
        else:
            done = subprocess.run(
                [self.program, *words],
                env=given,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
                **self.identity,
            )
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        return Completed(done.returncode, out, err)

    def _can_be_forked(self, environ: Mapping[str, str]) -> bool:
        """Whether it makes no difference to run it in a fork (`forked_mlq`)."""
        if self.program != MLQ or self.identity or environ.get("LANG") != "C.UTF-8":
            return False
        return not any(name.startswith(("PYTHON", "LC_")) for name in environ)

    def ok(self, *words: str, environ: Mapping[str, str] | None = None) -> str:
        """Run `mlq`, make sure that all went well, and return what it printed."""
        done = self.run(*words, environ=environ)
        assert (done.code, done.err) == (0, ""), done
        return done.out

    @contextmanager
    def started(self, *words: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Start `mlq`, its output into pipes, and make sure that it has ended afterwards."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        options = {**pipes, **self.identity, **options}
        argv = [self.program, *words]
        process = subprocess.Popen(argv, env=self.environ, cwd=self.folder, **options)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def on_terminal(self, *words: str, columns: int = 80, timeout_s: float = 30) -> Completed:
        """Run `mlq` on a terminal so many columns wide; `out` is everything it showed there."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        streams = (theirs, theirs, theirs)
        if self._can_be_forked(self.environ):
            forked = forked_mlq.start([self.program, *words], self.environ, self.folder, streams)
            os.close(theirs)
            shown = _read_to_end(ours)
            code = forked.wait(timeout_s)
        else:
            named = dict(zip(("stdin", "stdout", "stderr"), streams, strict=True))
            with self.started(*words, **named) as process:
                os.close(theirs)
                shown = _read_to_end(ours)
                code = process.wait(timeout_s)
        os.close(ours)
        return Completed(code, shown.decode(errors="replace").replace("\r\n", "\n"), "")

    def start_server(self) -> None:
        """Start the queue's server unless it runs."""
        if not self.served:
            self.served = True
            self.ok("server", "start")

    def stop_server(self) -> None:
        """Stop the queue's server if it runs."""
        if self.served:
            self.ok("server", "stop")
            self.served = False

    def queue(self) -> Queue:
        """Return this installation's queue, to look at it or to move jobs by hand."""
        self.start_server()
        settings = load(self.environ).settings
        password = read_secret(settings.password_file).decode().strip()
        store = Store(UnixClient(settings.redis_socket, settings.redis_user, password))
        return Queue(store, settings, environ=self.environ)

    def submit(self, *argv: str, **options: Any) -> str:
        """Put a job in the queue and return its id; options are those of `Submission`."""
        options = {"cwd": str(self.folder), "python_env": "", **options}
        (job,) = self.queue().submit([Submission(argv=argv or ("true",), **options)])
        return job.id

    def spec_of(self, job_id: str) -> dict[str, Any]:
        """Return the description of a job, defaults included."""
        store = self.queue().store
        rows = store.reads.rows(STORED, [job_id])
        (text,) = whole_specs(store.client, [Raw(*row) for row in rows])
        found: dict[str, Any] = json.loads(json.dumps(asdict(parse_spec(text))))
        return found

    def claim(self, job_id: str, machine: str = "gpu07", log: bytes | None = b"") -> int:
        """Start the first job of its class on a machine that is none; returns the attempt.

        Its log is begun with `log`, or not at all if that is None.
        """
        queue = self.queue()
        (job,) = queue.views([job_id])
        claimant = Claimant(machine, f"boot-of-{machine}", "supervisor")
        (claim,) = queue.store.claim([(job.class_name, 1)], claimant, LEASE_S, time.time())
        assert claim.id == job_id
        if log is not None:
            self.write_log(job_id, claim.attempt, log)
        return claim.attempt

    def write_log(self, job_id: str, attempt: int, text: bytes) -> None:
        """Append to the log of an attempt."""
        path = self.queue().layout.log_file(job_id, attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(text)

    def move(self, job_id: str, event: Event, **fields: str | int | float) -> None:
        """Let something happen to a job; `fields` are those of its hash."""
        now_s = time.time()
        queue = self.queue()
        (job,) = queue.views([job_id])
        attempt = job.attempt if job.state == "started" else 0
        move = Move(job_id, event, attempt, fields={"ended_at": utc_iso(now_s), **fields})
        assert queue.store.move([move], now_s).moved == (job_id,)

    def know(self, machine: str, **record: Any) -> None:
        """Let a machine say something of itself."""
        store = self.queue().store
        store.renew(machine, [], LEASE_S, time.time())
        store.roles.record_machine(machine, {"machine": machine, **record}, {"name": machine})


def _read_to_end(descriptor: int) -> bytes:
    pieces = []
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # what Linux says once the other end of a terminal is closed
            piece = b""
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


@contextmanager
def new_sandbox() -> Iterator[Sandbox]:
    """Make an installation, and take it away again with its server."""
    folder = Path(tempfile.mkdtemp(prefix="mlq-"))  # short: a socket's path has 100 bytes
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "MLQ_ROOT": str(folder / "root"),
        "MLQ_MACHINE": "desk",
        "MLQ_SNAPSHOT": "false",  # what is tested here is another thing
        "MLQ_CACHE_DIR": str(folder / "cache"),
        "MLQ_SHARED_DIR": str(folder / "shared"),
    }
    for name in ("home", "config", "data", "run", "root", "shared"):
        (folder / name).mkdir(mode=0o700)
    sandbox = Sandbox(folder, environ)
    try:
        yield sandbox
    finally:
        try:
            sandbox.stop_server()
        finally:
            shutil.rmtree(folder)
