"""The options of sbatch: how each is written, and what it means for mlq.

The table is that of sbatch 22.05 and a few newer ones. An option that is not in it is a mistake,
as for sbatch; one that mlq does not honour is either said to have no effect or is refused, because
the job would not be what its file describes.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Value = Literal["none", "needed", "optional"]
Use = Literal["honoured", "no effect", "refused"]


class Option(NamedTuple):
    """One option.

    Args:
        name: its long form, without dashes.
        short: its letter; "" for none.
        value: whether it takes a value.
        use: what mlq does with it.
        why: why it is refused.
    """

    name: str
    short: str = ""
    value: Value = "needed"
    use: Use = "honoured"
    why: str = ""


# `name`, or `name/letter`; `!` after it: takes no value; `?`: may have one.
_HONOURED = """
    array/a begin/b chdir/D comment cpus-per-gpu cpus-per-task/c dependency/d error/e exclude/x
    export gpus/G gpus-per-node gpus-per-task gres hold/H! job-name/J mem mem-per-cpu mem-per-gpu
    mincpus nice? no-requeue! nodelist/w nodes/N ntasks/n ntasks-per-gpu ntasks-per-node open-mode
    output/o parsable! requeue! signal test-only! time/t wait/W! wrap"""

_NO_EFFECT = """
    account/A acctg-freq batch bb bbf cluster-constraint clusters/M constraint/C contiguous!
    core-spec/S cores-per-socket cpu-freq deadline delay-boot distribution/m exclusive?
    extra-node-info/B get-user-env? gid gpu-bind gpu-freq gres-flags hint ignore-pbs!
    kill-on-invalid-dep licenses/L mail-type mail-user mcs-label mem-bind network no-kill/k?
    ntasks-per-core ntasks-per-socket oom-kill-step? overcommit/O! oversubscribe/s? partition/p
    power prefer priority profile propagate? qos/q quiet/Q! reboot! reservation
    sockets-per-node spread-job! switches thread-spec threads-per-core time-min tmp uid
    use-min-nodes! verbose/v! wait-all-nodes wckey segment stepmgr! resv-ports? tres-bind
    tres-per-task x11?"""

_REFUSED = {
    "container": "mlq starts no containers",
    "export-file": "the variables would have to be read from another file",
    "gpus-per-socket": "mlq knows nothing of sockets",
    "input/i": "mlq gives a job no standard input",
    "nodefile/F": "mlq reads no file of machines",
}

# Said by sbatch itself, not by its job.
_ABOUT = "help/h! usage! version/V!"

SILENT = frozenset({"quiet", "verbose", "ignore-pbs", "get-user-env", "kill-on-invalid-dep"})
"""Of those without effect: those that change nothing that a user could miss."""


def _options(listed: str, use: Use) -> dict[str, Option]:
    found = {}
    for word in listed.split():
        value: Value = "none" if word[-1] == "!" else "optional" if word[-1] == "?" else "needed"
        name, _, short = word.rstrip("!?").partition("/")
        found[name] = Option(name, short, value, use)
    return found


def _refused() -> dict[str, Option]:
    found = {}
    for word, why in _REFUSED.items():
        name, _, short = word.partition("/")
        found[name] = Option(name, short, "needed", "refused", why)
    return found


OPTIONS: dict[str, Option] = {
    **_options(_HONOURED, "honoured"),
    **_options(_NO_EFFECT, "no effect"),
    **_options(_ABOUT, "no effect"),
    **_refused(),
}

LETTERS: dict[str, Option] = {one.short: one for one in OPTIONS.values() if one.short}

# Long names that mean another one.
_ALIASES = {"workdir": "chdir", "tasks": "ntasks", "tasks-per-node": "ntasks-per-node"}


def named(word: str) -> tuple[Option, ...]:
    """Return the options that a long name may mean: it may be cut short where one is left."""
    name = _ALIASES.get(word, word)
    if name in OPTIONS:
        return (OPTIONS[name],)
    return tuple(one for one in OPTIONS.values() if one.name.startswith(name)) if name else ()


# Variables that sbatch reads like options; they override those of the file.
VARIABLES = {
    "SBATCH_ARRAY_INX": "array",
    "SBATCH_CPUS_PER_GPU": "cpus-per-gpu",
    "SBATCH_ERROR": "error",
    "SBATCH_EXPORT": "export",
    "SBATCH_GPUS": "gpus",
    "SBATCH_GPUS_PER_NODE": "gpus-per-node",
    "SBATCH_GPUS_PER_TASK": "gpus-per-task",
    "SBATCH_GRES": "gres",
    "SBATCH_JOB_NAME": "job-name",
    "SBATCH_MEM_PER_CPU": "mem-per-cpu",
    "SBATCH_MEM_PER_GPU": "mem-per-gpu",
    "SBATCH_MEM_PER_NODE": "mem",
    "SBATCH_NO_REQUEUE": "no-requeue",
    "SBATCH_OPEN_MODE": "open-mode",
    "SBATCH_OUTPUT": "output",
    "SBATCH_REQUEUE": "requeue",
    "SBATCH_SIGNAL": "signal",
    "SBATCH_TIMELIMIT": "time",
    "SBATCH_WAIT": "wait",
}
