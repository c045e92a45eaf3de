"""This machine, and everything about it that stays the same while a worker runs.

The agent touches the outside world only through it: clocks, files and background readers are
arguments, so that a simulation can pass its own.

The first worker makes the queue's id and claims its results root, if neither has an id. It writes
the id into the queue, then `queue.json` into the root, then a note into the queue that it has a
root. So if it dies between these steps, the next worker goes on from there, and a queue that has a
root is never given an empty folder instead.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mlq.copies.keeper import ROOT_COPY_FILES, CopyFiles
from mlq.errors import EmptiedQueueError, MlqError, StorageError
from mlq.files.layout import Layout
from mlq.files.paths import machine_dir
from mlq.files.root import claim_root, largest_number, read_owner
from mlq.files.shims import data_folder, make_shims
from mlq.jobs.signing import load_key
from mlq.settings.load import load
from mlq.settings.people import user_name
from mlq.settings.settings import Settings
from mlq.store import identity
from mlq.store.client import Client
from mlq.store.machine_names import WorkerIdentity
from mlq.store.store import Store
from mlq_worker.agent.background import BackgroundReader, NewReader
from mlq_worker.agent.batch_environment import Here
from mlq_worker.agent.collector_child import CollectorChild, CollectorPort
from mlq_worker.agent.gpu_watch import GpuWatch
from mlq_worker.agent.host_id import identity_of, is_alive
from mlq_worker.agent.job_environment import login_environment, look
from mlq_worker.agent.nfs import ROOT_FILES, Files
from mlq_worker.agent.options import WorkerOptions
from mlq_worker.agent.supervisor_client import SupervisorLink, ensure_running
from mlq_worker.allocation.inside import Inside
from mlq_worker.guest.off_file import guest_words
from mlq_worker.guest.rules import GUEST_SETTINGS, GuestRules
from mlq_worker.ipc import clock
from mlq_worker.ipc.clock import boottime
from mlq_worker.ipc.options import Options
from mlq_worker.liveness.fence import LivenessTimings
from mlq_worker.probes.machine import Gpus, Limits, MachineProbe, NoGpus


def belong(client: Client, root: Path) -> str:
    """Return the id of the queue that answers, after its results root was claimed.

    Raises:
        StorageError: the root cannot be used, or is not the queue's.
        EmptiedQueueError: the root has a queue, and the queue that answers has no data.
        UnsafePathError: the root is open to others.
    """
    try:
        return _belong(client, root)
    except (EmptiedQueueError, StorageError):
        # Another first worker may have been half-way through the steps above: try once more.
        return _belong(client, root)


def _belong(client: Client, root: Path) -> str:
    queue_id, known_root = identity.queue_and_root(client)
    with suppress(OSError):  # `claim_root` reports it
        if not queue_id and read_owner(root) is None:
            queue_id = identity.make_queue(client, secrets.token_hex(8))
    claim_root(Layout(root), queue_id, known_root)
    if not known_root:
        identity.give_root(client, str(root))
    return queue_id


@dataclass(frozen=True, slots=True)
class Clocks:
    """Three clocks, each in seconds.

    Args:
        boot_s: since the machine booted, suspension included; shared with the supervisor. The
            worker's clock.
        monotonic_s: counts only while the machine is awake. The reaper measures with it how long a
            beat has not changed, so that a machine that slept declares no other dead.
        utc_s: unix time; for the record only, no decision uses it.
    """

    boot_s: Callable[[], float] = boottime
    monotonic_s: Callable[[], float] = time.monotonic
    utc_s: Callable[[], float] = time.time


_NO_IDENTITY = WorkerIdentity("", "", "", "", "")


@dataclass(frozen=True)
class MachineContext:
    """One machine, as its worker knows it.

    Args:
        settings: of this installation; they name the machine.
        login: the variables that a login on this machine sets; jobs begin with them.
        key: the signing key, or None if there is none here.
        mark_prefix: the start of the marks of this machine's attempts; unique to queue and machine.
        cwd: where a job that came by plain rq runs.
        boot_id: of this boot.
        limits: what mlq may use of the machine.
        probe: measures the machine.
        has_gpus: whether GPUs are offered at all.
        clocks: the worker's clocks.
        new_reader: makes a background reader of NFS.
        files: how the results root is read.
        copy_files: how copies of the queue are kept on it; None: this worker keeps none.
        collector: reads what jobs write of themselves; None: nothing does.
        queue_id: the id of the queue that this worker belongs to for as long as it lives.
        identity: what tells this worker from others that may want the machine's name.
        dead_beat: see `mlq_worker.ipc.options`.
        is_alive: returns whether a worker of this host and boot lives.
        tunnel: whether a tunnel leads from here to the queue.
        link_trouble: returns what is wrong with the connection to the queue; "" if nothing.
        shims: the folder of Slurm's commands for its jobs; "" if it could not be made.
        inside: the allocation that the worker runs in, and what it may offer there; None: none.
        shared_dir: where the users of this machine meet; None: no other user is looked for.
    """

    settings: Settings
    login: Mapping[str, str]
    key: bytes | None
    mark_prefix: str
    cwd: str
    boot_id: str
    limits: Limits
    probe: MachineProbe
    has_gpus: bool
    clocks: Clocks = field(default_factory=Clocks)
    new_reader: NewReader = BackgroundReader
    files: Files = ROOT_FILES
    copy_files: CopyFiles | None = ROOT_COPY_FILES
    collector: CollectorPort | None = None
    queue_id: str = ""
    identity: WorkerIdentity = _NO_IDENTITY
    dead_beat: str = ""
    is_alive: Callable[[WorkerIdentity], bool] = lambda _: False
    tunnel: bool = False
    link_trouble: Callable[[], str] = lambda: ""
    shims: str = ""
    inside: Inside | None = None
    shared_dir: Path | None = None

    @property
    def machine(self) -> str:
        """The machine's name."""
        return self.settings.machine

    @property
    def here(self) -> Here:
        """This machine, in the words of other batch systems.

        In an allocation the machine is called after it, and that is no name by which ranks could
        reach each other.
        """
        node = self.machine if self.inside is None else os.uname().nodename.split(".")[0]
        user = self.login.get("USER") or self.login.get("LOGNAME") or str(os.getuid())
        return Here(node, user, os.getuid(), os.getgid(), self.shims)

    @property
    def layout(self) -> Layout:
        """The results root, and the queue it must belong to."""
        return Layout(self.settings.root, self.queue_id)

    @property
    def rules(self) -> GuestRules:
        """How jobs here give way to others; in an allocation that is its system's business."""
        settings = self.settings
        said = {name: getattr(settings, name) for name in GUEST_SETTINGS}
        return GuestRules(**said, is_granted=self.inside is not None)

    @property
    def guest_words(self) -> str:
        """What tells people at this machine whose jobs these are, and how to stop them."""
        return guest_words(user_name(self.login), self.shared_dir)

    def reach_supervisor(self) -> SupervisorLink:
        """Connect to this machine's supervisor, starting it if it is missing.

        Raises:
            SupervisorError: it can be neither found nor started.
        """
        settings = self.settings
        return ensure_running(
            Options(
                runtime=machine_dir(settings.runtime_dir, self.machine),
                machine=self.machine,
                root=settings.root,
                mark_prefix=self.mark_prefix,
                timings=LivenessTimings(
                    settings.beat_s, settings.lease_s, settings.fence_s, settings.dead_s
                ),
                queue_id=self.queue_id,
                host_id=self.identity.host_id,
                dead_beat=self.dead_beat,
                parent=0 if self.inside is None else os.getpid(),
                shared_dir=self.shared_dir,
                words=self.guest_words,
            )
        )

    def own_pids(self, link: SupervisorLink | None) -> list[int]:
        """Return the roots of all our process trees on this machine."""
        return [os.getpid()] if link is None else [os.getpid(), link.hello["pid"]]


def find_context(
    settings: Settings, options: WorkerOptions, client: Client, inside: Inside | None = None
) -> MachineContext:
    """Find out what this machine is, and claim the results root for this queue.

    Raises:
        StorageError: the root cannot be written, or is not this queue's.
        EmptiedQueueError: the root has a queue, and the queue that answers has no data.
    """
    queue_id = belong(client, settings.root)
    Store(client, queue_id).raise_numbers(largest_number(Layout(settings.root)))
    try:
        key = load_key(settings.key_file)
    except MlqError:
        # Jobs are then refused one by one, each with this as its reason.
        key = None
    boot_id = clock.boot_id()
    return MachineContext(
        settings=settings,
        identity=identity_of(settings.machine, boot_id, load(os.environ).config_file.parent),
        is_alive=is_alive,
        queue_id=queue_id,
        login=login_environment(os.environ, look()),
        shims=_shims(),
        key=key,
        mark_prefix=f"mlq:{queue_id}:{settings.machine}:",
        cwd=str(Path.cwd()),
        boot_id=boot_id,
        limits=_limits(settings, options, inside),
        probe=MachineProbe(
            _gpus(options, inside),
            machine=settings.machine,
            measures_own=inside is not None and inside.mem_mib is not None,
        ),
        has_gpus=options.gpus != "none",
        collector=CollectorChild(str(settings.root), queue_id),
        inside=inside,
        # An allocation is no other user's, whoever else is on its machine.
        shared_dir=settings.shared_dir if inside is None else None,
    )


def _limits(settings: Settings, options: WorkerOptions, inside: Inside | None) -> Limits:
    if inside is None:
        return Limits(
            options.cores,
            options.mem_mib,
            settings.guest != "mine",
            reserve_cores=settings.reserve_cores,
            reserve_mem_mib=settings.reserve_mem_mib,
        )
    cores = [one for one in (options.cores, inside.cores) if one is not None]
    # What was granted is ours: what others do on the machine does not count.
    return Limits(
        min(cores, default=None), options.mem_mib, yield_to_others=False, granted_mib=inside.mem_mib
    )


def _gpus(options: WorkerOptions, inside: Inside | None) -> Gpus:
    if inside is not None and inside.no_gpus_because:
        return NoGpus(inside.no_gpus_because)
    return GpuWatch(options.gpus)


def _shims() -> str:
    """Return the folder of Slurm's commands; "" if it cannot be made: jobs then lack them."""
    data = data_folder(os.environ)
    try:
        return make_shims(data) if data else ""
    except OSError:
        return ""
