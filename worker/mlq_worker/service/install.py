"""Has the worker come back after a reboot, by what the machine allows without root.

In this order: a systemd user unit, if the user's systemd may run without a login (linger); a line
in the user's crontab; else a word about what to do. The unit bears the machine's name, because the
folder it lies in is often shared by all machines.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from mlq.errors import WorkerError
from mlq.files.layout import CURRENT, SOFTWARE
from mlq.files.paths import machine_dir
from mlq.settings.settings import CONFIG_VARIABLE, Settings, variable
from mlq_worker.agent.options import WorkerOptions
from mlq_worker.service import crontab, systemd
from mlq_worker.service.lock import holder

_LOGIN_FOLDERS = Path("/run/user")

_NEITHER = WorkerError(
    "nothing on this machine can start the worker after a reboot",
    why="systemd does not run your units without a login, and you may not use cron",
    fix="after a reboot, type `mlq worker start` here; or ask the administrators for "
    "`loginctl enable-linger` or for cron",
)


def install(settings: Settings, options: WorkerOptions, print_only: bool) -> str:
    """Have the worker of this machine start after a reboot; doing it again changes nothing.

    Args:
        settings: the settings in force; they name the machine.
        options: what the worker may give to jobs.
        print_only: only return what would be done.

    Returns:
        What was done, or would be, for a person to read.

    Raises:
        WorkerError: this machine offers no way; the message says what to do.
    """
    machine = settings.machine
    table = crontab.read()
    if print_only:
        return _plan(settings, options, cron=table is not None)
    if systemd.works() and systemd.make_linger():
        if table is not None and crontab.has_line(table, machine):
            crontab.write(crontab.without_line(table, machine))
        return _install_unit(settings, options)
    if table is None:
        raise _NEITHER
    crontab.write(crontab.with_line(table, machine, _cron_line(settings, options)))
    return (
        f"after a reboot, cron starts the worker for {machine} (see `crontab -l`); "
        "`mlq worker start` starts it now"
    )


def uninstall(settings: Settings) -> str:
    """Undo `install`; a worker that runs goes on.

    Returns:
        What was done, for a person to read.

    Raises:
        WorkerError: it cannot be undone.
    """
    machine = settings.machine
    done = []
    if systemd.unit_path(_unit(machine)).exists():
        systemd.remove(_unit(machine))
        done.append(f"removed the systemd user unit {_unit(machine)}")
    table = crontab.read()
    if table is not None and crontab.has_line(table, machine):
        crontab.write(crontab.without_line(table, machine))
        done.append("removed the crontab line")
    return "; ".join(done) or f"nothing was installed for {machine}"


def installed(machine: str) -> str:
    """Return what starts a machine's worker after a reboot, in words; "" if nothing does."""
    if systemd.unit_path(_unit(machine)).exists():
        return f"systemd user unit {_unit(machine)}"
    table = crontab.read()
    return "crontab" if table is not None and crontab.has_line(table, machine) else ""


def unit_for(settings: Settings, options: WorkerOptions) -> str:
    """Return the unit that would start just this worker; "" if there is none.

    Without options, the unit's own are meant.
    """
    unit = _unit(settings.machine)
    path = systemd.unit_path(unit)
    if not path.exists() or not systemd.works():
        return ""
    there, wanted = path.read_text().splitlines(), _unit_text(settings, options).splitlines()
    if options == WorkerOptions():
        start = next(line for line in wanted if line.startswith("ExecStart="))
        there = [start if line.startswith(f"{start} ") else line for line in there]
    return unit if there == wanted else ""


def keep_stopped(machine: str) -> None:
    """Tell systemd that the worker was stopped on purpose, or it would start it again."""
    if systemd.unit_path(_unit(machine)).exists() and systemd.works():
        systemd.stop(_unit(machine))


def _install_unit(settings: Settings, options: WorkerOptions) -> str:
    unit = _unit(settings.machine)
    systemd.put(unit, _unit_text(settings, options))
    said = f"systemd starts the worker for {settings.machine} at each boot (unit {unit})"
    with holder(machine_dir(settings.runtime_dir, settings.machine)) as running:
        if running is not None:
            return f"{said}; the worker that runs now (process {running.pid}) goes on until then"
    systemd.start(unit)
    return f"{said}, and has started it"


def _plan(settings: Settings, options: WorkerOptions, *, cron: bool) -> str:
    parts = []
    if systemd.works():
        path = systemd.unit_path(_unit(settings.machine))
        text = _unit_text(settings, options)
        parts.append(f"# {path}, enabled by `systemctl --user enable`:\n{text}")
        if systemd.lingers():
            return parts[0]
        parts.append(
            "# Units start at login only, here. `loginctl enable-linger` would be tried; if it is "
            "refused:"
        )
    if cron:
        parts.append(f"# added to your crontab:\n{_cron_line(settings, options)}")
    if not parts:
        raise _NEITHER
    return "\n".join(parts)


def _unit(machine: str) -> str:
    return f"mlq-worker-{machine}.service"


def _unit_text(settings: Settings, options: WorkerOptions) -> str:
    command = [
        *_this_mlq(settings.root),
        "worker",
        "start",
        "--foreground",
        "--keep-trying",
        "--name",
        settings.machine,
    ]
    return systemd.filled_in(
        systemd.template("mlq-worker.service"),
        socket.gethostname(),
        [*command, *options.flags()],
        _environment(settings),
    )


def _cron_line(settings: Settings, options: WorkerOptions) -> str:
    if settings.runtime_dir.is_relative_to(_LOGIN_FOLDERS):
        raise WorkerError(
            f"cron cannot start a worker whose sockets are in {settings.runtime_dir}",
            why="that folder exists only while you are logged in",
            fix=f'write into config.toml: runtime_dir = "/tmp/mlq-{os.getuid()}"',
        )
    command = [
        *_this_mlq(settings.root),
        "worker",
        "start",
        "--keep-trying",
        "--name",
        settings.machine,
        *options.flags(),
    ]
    return crontab.reboot_line(settings.machine, command, _environment(settings))


def _this_mlq(root: Path) -> list[str]:
    beside = Path(sys.executable).with_name("mlq")
    software = root / SOFTWARE
    if beside.is_relative_to(software):
        # Of the mlq that was deployed into the root, whichever version that is by then.
        return [str(software / CURRENT / "bin" / "mlq")]
    return [str(beside)] if beside.exists() else [sys.executable, "-P", "-m", "mlq_cli.main"]


def _environment(settings: Settings) -> dict[str, str]:
    """Return the variables that made the settings what they are, for a start without them."""
    names = [variable(name) for name in settings._fields]
    wanted = [CONFIG_VARIABLE, "XDG_CONFIG_HOME", "XDG_DATA_HOME", *names]
    kept = {name: os.environ[name] for name in wanted if name in os.environ}
    kept.pop(variable("machine"), None)  # said by --name
    return {**kept, variable("runtime_dir"): str(settings.runtime_dir)}
