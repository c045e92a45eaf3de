"""The judgements: pure functions from facts to checks, with all thresholds and remedies."""

from __future__ import annotations

from collections.abc import Iterator

from mlq.errors import TunnelError
from mlq.machines.health import clock_in_words
from mlq.settings.settings import Settings
from mlq.units import format_duration
from mlq_cli.doctor.check import Check, Level, of_error, ok, problem, warning
from mlq_cli.doctor.facts import (
    FileFacts,
    GpuFacts,
    MachineFacts,
    QueueFacts,
    RootFacts,
    SshFacts,
)
from mlq_cli.render.words import about, count

OLDEST_PYTHON = (3, 11)
LITTLE_MIB = 2048
FULL_MIB = 100
SLOW_WRITE_S = 0.5
SKEW_S = 5.0
QUOTA_SHARE = 0.9
SLOW_QUEUE_S = 0.5
SLOW_SSH_S = 8.0


def machine(facts: MachineFacts) -> Iterator[Check]:
    """Judge the machine itself."""
    shown = ".".join(str(part) for part in facts.python)
    if facts.python[:2] >= OLDEST_PYTHON:
        yield ok("python", f"{shown} ({facts.python_path})")
    else:
        yield problem("python", f"{shown} is too old", "mlq needs 3.11: `mlq deploy --python`")
    if facts.deployed and not facts.deployed.startswith(facts.mlq):
        says = f"{facts.mlq} runs here, {facts.deployed} lies in the results root"
        yield warning("mlq", says, "`mlq deploy` from where the newer one is")
    else:
        yield ok("mlq", f"{facts.mlq}; deployed: {facts.deployed or 'nothing'}")
    yield from _reboots(facts)
    yield ok("cores", f"{count(facts.cores, 'core')}, {facts.foreign_load:.1f} kept busy by others")
    who = ", ".join(facts.logged_in)
    if facts.batch_systems:
        says = f"{' and '.join(facts.batch_systems)} may run jobs here too"
        yield ok("others' jobs", f"{says}; mlq takes what they leave free")
    yield ok("people", f"also logged in: {who}" if who else "no other user is logged in")


def _reboots(facts: MachineFacts) -> Iterator[Check]:
    if facts.kills_at_logout and not facts.lingers:
        yield problem(
            "logout",
            "a logout here ends all your processes (KillUserProcesses), workers and jobs too",
            "`loginctl enable-linger`, or ask the administrators for it",
        )
    elif facts.kills_at_logout:
        says = "a logout here ends what was started by hand (KillUserProcesses), but no unit"
        yield ok("logout", f"{says}; linger is on")
    else:
        known = "unknown whether a logout" if facts.kills_at_logout is None else "no logout"
        yield ok("logout", f"{known} ends your processes" + "; linger is on" * bool(facts.lingers))
    ways = [
        *(["systemd (linger)"] if facts.lingers else []),
        *(["cron"] if facts.cron else []),
    ]
    if facts.at_boot:
        yield ok("reboot", f"started by {facts.at_boot}")
    elif ways:
        yield warning(
            "reboot",
            f"nothing starts a worker after a reboot; {' and '.join(ways)} could",
            "if this machine is to run jobs: `mlq worker install`",
        )
    else:
        yield warning(
            "reboot",
            "nothing here can start a worker after a reboot: no linger, no cron",
            "`mlq worker start --all` from any machine brings it back",
        )


def gpus(facts: GpuFacts) -> Iterator[Check]:
    """Judge the GPUs."""
    trouble = "; ".join(part for part in (facts.fault, facts.note) if part)
    if facts.names:
        each = [
            f"{name} {about(free)}/{about(total)} free"
            if total
            else f"{name} without memory numbers"
            for name, free, total in facts.names
        ]
        note = f"; {facts.note}" if facts.note else ""
        yield ok("gpus", f"{', '.join(each)}; processes on them: {facts.processes}{note}")
        if facts.fault:
            yield warning("gpus", facts.fault, "`nvidia-smi` shows more; often a reboot repairs it")
    elif facts.silent:
        yield problem(
            "gpus",
            trouble,
            "does `nvidia-smi` answer? A worker offers cores only until it does; "
            "often a reboot repairs it",
        )
    elif facts.present:
        yield problem(
            "gpus",
            f"{count(facts.present, 'NVIDIA card')} on the bus, but {trouble or 'none answers'}",
            "`nvidia-smi` must work first; a worker offers cores only until then",
        )
    else:
        yield ok("gpus", "no NVIDIA card in this machine")


def root(facts: RootFacts) -> Iterator[Check]:
    """Judge the results root."""
    if facts.missing:
        says = f"{facts.path} is not there"
        if facts.needed:
            yield problem("root", says, "is it mounted? `mlq deploy` makes it, below what exists")
        else:
            yield warning(
                "root", f"{says}: logs and results are not seen here", "look at them by ssh"
            )
        return
    if not facts.ours:
        yield problem("root", f"{facts.path} belongs to another user", "set another root")
        return
    if facts.mode & 0o077:
        says = f"{facts.path} is open to others: its mode is {facts.mode:04o}"
        yield problem("root", says, f"chmod 700 {facts.path}")
    if facts.error:
        yield problem("root", f"{facts.path} cannot be written: {facts.error}", "make room there")
        return
    yield ok("root", f"{facts.path} can be written ({facts.kind or 'a local disk'})")
    yield from _space(facts)
    took = f"a small file takes {facts.write_s * 1000:.0f} ms"
    slow = facts.write_s > SLOW_WRITE_S
    yield (
        warning("latency", took, "mlq copes; jobs that write much do not")
        if slow
        else ok("latency", took)
    )
    yield _skew(facts)


def _space(facts: RootFacts) -> Iterator[Check]:
    says = f"{about(facts.free_mib)} of {about(facts.total_mib)} are free"
    remedy = "delete folders of old jobs there, or choose another root"
    if facts.free_mib < FULL_MIB:
        yield problem("space", says, remedy)
    elif facts.free_mib < LITTLE_MIB:
        yield warning("space", says, remedy)
    else:
        yield ok("space", says)
    for system, used, limit in facts.quota:
        says = f"{about(used // 1024)} of {about(limit // 1024)} used on {system}"
        if used >= limit:
            yield problem("quota", says, remedy)
        elif used >= QUOTA_SHARE * limit:
            yield warning("quota", says, remedy)
        else:
            yield ok("quota", says)


def _skew(facts: RootFacts) -> Check:
    off = abs(facts.skew_s)
    if off <= max(SKEW_S, facts.skew_error_s):
        return ok("clock", f"within {max(off, facts.skew_error_s):.1f} s of the file server's")
    way = "behind" if facts.skew_s > 0 else "ahead of"
    return warning(
        "clock",
        f"this machine's is {format_duration(round(off))} {way} the file server's",
        "mlq compares no two clocks, but times you read will be off: is NTP on?",
    )


def file(facts: FileFacts) -> Check:
    """Judge a file or folder that must be open to its user only."""
    if facts.missing:
        remedies = {
            "config": "`mlq init` writes it",
            "signing key": "`mlq init` makes it, or fetches it from the queue's host",
            "password": "`mlq server start` makes it on the queue's host; `mlq init` fetches it",
        }
        remedy = remedies.get(facts.name, "")
        says = f"there is no {facts.path}"
        return warning(facts.name, says, remedy) if remedy else ok(facts.name, says)
    if facts.error:
        return of_error(facts.name, facts.error)
    if facts.mode & 0o077:
        says = f"{facts.path} is open to others: its mode is {facts.mode:04o}"
        return warning(facts.name, says, f"chmod go= {facts.path}")
    return Check(facts.name, Level.OK, f"{facts.path} ({facts.mode:04o})", shared=facts.shared)


def times(settings: Settings) -> Check:
    """Report the times of liveness; they are valid by themselves, or no command would run."""
    spans = (settings.beat_s, settings.lease_s, settings.fence_s, settings.dead_s)
    said = "/".join(f"{one:g}" for one in spans)
    says = f"beat, lease, fence, dead: {said} s"
    return Check("times", Level.OK, says, shared=said)


def queue(facts: QueueFacts) -> Iterator[Check]:
    """Judge the queue."""
    for says in facts.passed_over:
        yield warning("server program", says, "mlq uses another one; update or remove it")
    if facts.error:
        yield of_error("tunnel" if isinstance(facts.error, TunnelError) else "queue", facts.error)
        return
    took = f"{facts.took_s * 1000:.0f} ms"
    says = f"{facts.version} answers at {facts.where} in {took}, as user {facts.user}"
    slow = facts.took_s > SLOW_QUEUE_S
    yield (
        warning("queue", says, "the way there is slow: is the network?")
        if slow
        else ok("queue", says)
    )
    if facts.paused:
        yield warning("paused", f"it gives nothing out: {facts.paused}", "let it go on: mlq resume")
    if off := clock_in_words(facts.clock_off_s):
        remedy = "mlq decides nothing by it, but times you read will be off: is NTP on?"
        yield warning("queue's clock", f"this machine: {off}", remedy)
    holes = [
        *([] if facts.default_off else ["it answers without a password"]),
        *([] if facts.confined else [f"user {facts.user} may change the server"]),
    ]
    if holes:
        remedy = "is this server mlq's own? `mlq server start` writes its users anew"
        yield problem("acl", " and ".join(holes), remedy)
    else:
        yield ok("acl", f"none without the password, and {facts.user} may use the queue only")
    if facts.missing:
        yield problem("server disk", facts.missing, "see `mlq server restore`")
    elif facts.aof:
        yield ok("server disk", "its log is written")
    else:
        yield problem("server disk", "its log is not written", "is the server's disk full?")


def ssh(facts: SshFacts) -> Check:
    """Judge the ssh connection to a host."""
    if facts.error:
        return of_error("ssh", facts.error)
    says = f"{facts.host} lets us in after {facts.took_s:.1f} s, its key is known"
    if facts.took_s > SLOW_SSH_S:
        return warning("ssh", says, "is its home folder slow, or its name server?")
    return ok("ssh", says)
