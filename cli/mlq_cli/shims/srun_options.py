"""The command line of `srun`, and the variables that stand for its options.

Standard library only, and no `argparse`: `srun` stands before each rank's start, and programs call
it again and again. Options that choose machines, cores or memory were decided when the job was
queued; they are taken and have no effect in a job. Outside a job `srun_outside` uses them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mlq.errors import InvalidInputError

# Option -> its short form, with `=` if it takes a value, `?` if it may take one.
_VALUE = {
    "ntasks": "n", "nodes": "N", "cpus-per-task": "c", "output": "o", "error": "e", "input": "i",
    "chdir": "D", "job-name": "J", "time": "t", "nodelist": "w", "partition": "p", "account": "A",
    "qos": "q", "exclude": "x", "constraint": "C", "distribution": "m", "gpus": "G", "wait": "W",
    "relative": "r", "licenses": "L", "dependency": "d", "sockets-per-node": "", "extra-node-info":
    "B", "mem": "", "mem-per-cpu": "", "mem-per-gpu": "", "mem-bind": "", "gres": "", "gres-flags":
    "", "gpus-per-node": "", "gpus-per-task": "", "gpus-per-socket": "", "gpu-bind": "",
    "gpu-freq": "", "cpus-per-gpu": "", "cpu-bind": "", "cpu-freq": "", "ntasks-per-node": "",
    "ntasks-per-core": "", "ntasks-per-socket": "", "ntasks-per-gpu": "", "cores-per-socket": "",
    "threads-per-core": "", "mincpus": "", "hint": "", "mpi": "", "export": "", "open-mode": "",
    "jobid": "", "reservation": "", "comment": "", "network": "", "propagate": "", "signal": "",
    "tmp": "", "acctg-freq": "", "slurmd-debug": "", "wckey": "M", "container": "", "profile": "",
    "task-epilog": "", "task-prolog": "", "epilog": "", "prolog": "", "accel-bind": "",
    "tres-per-task": "", "deadline": "", "begin": "", "mail-type": "", "mail-user": "",
    "switches": "", "cluster-constraint": "", "clusters": "", "priority": "", "threads": "T",
    "immediate": "I", "max-threads": "", "tres-bind": "", "thread-spec": "", "core-spec": "S",
    "mcs-label": "", "bb": "", "bbf": "", "delay-boot": "", "uid": "", "gid": "", "export-file":
    "", "prefer": "", "exact-core": "",
}  # fmt: skip
_MAYBE = {"kill-on-bad-exit": "K", "nice": "", "exclusive": "", "bcast": ""}
_PLAIN = {
    "label": "l", "unbuffered": "u", "quiet": "Q", "verbose": "v", "disable-status": "X",
    "overcommit": "O", "oversubscribe": "s", "overlap": "", "exact": "", "whole": "", "pty": "",
    "no-kill": "k", "preserve-env": "E", "no-allocate": "Z", "hold": "H", "multi-prog": "",
    "contiguous": "", "interactive": "", "quit-on-interrupt": "", "reboot": "", "spread-job": "",
    "use-min-nodes": "", "help": "h", "version": "V", "requeue": "", "no-requeue": "",
}  # fmt: skip
_ALIASES = {
    "cpu_bind": "cpu-bind", "mem_bind": "mem-bind", "gpu_bind": "gpu-bind", "tasks": "ntasks",
    "share": "oversubscribe", "workdir": "chdir",
}  # fmt: skip
_SHORT = {short: name for some in (_VALUE, _MAYBE, _PLAIN) for name, short in some.items() if short}
_VARIABLES = {
    "SLURM_NTASKS": "ntasks",
    "SLURM_NTASKS_PER_NODE": "ntasks-per-node",
    "SLURM_STDOUTMODE": "output",
    "SLURM_STDERRMODE": "error",
    "SLURM_STDINMODE": "input",
    "SLURM_OPEN_MODE": "open-mode",
    "SLURM_KILL_BAD_EXIT": "kill-on-bad-exit",
    "SLURM_GPUS_PER_TASK": "gpus-per-task",
    "SLURM_GPU_BIND": "gpu-bind",
    "SRUN_CPUS_PER_TASK": "cpus-per-task",
    "SRUN_EXPORT_ENV": "export",
}
_SWITCHES = {"SLURM_LABELIO": "label", "SLURM_UNBUFFEREDIO": "unbuffered"}


class Typed(NamedTuple):
    """What was typed: options by their long names, and the command with its arguments."""

    options: Mapping[str, str]
    command: tuple[str, ...]

    def number(self, name: str, default: int, least: int = 1) -> int:
        """Return the value of an option that is a number.

        Raises:
            InvalidInputError: it is none, or too small.
        """
        text = self.options.get(name, "")
        if not text:
            return default
        if not text.isascii() or not text.isdecimal() or int(text) < least:
            raise InvalidInputError(f"--{name}={text} is no number from {least} on")
        return int(text)


def read(words: Sequence[str]) -> Typed:
    """Return what was typed after `srun`.

    Raises:
        InvalidInputError: an option is unknown, or lacks its value.
    """
    options: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            rest.insert(0, word)
            break
        if word.startswith("--"):
            _long(word[2:], rest, options)
        else:
            _short(word[1:], rest, options)
    return Typed(options, tuple(rest))


def with_variables(typed: Typed, environ: Mapping[str, str]) -> Typed:
    """Return the same with what the environment says of options that were not typed."""
    said = {name: environ[one] for one, name in _VARIABLES.items() if environ.get(one)}
    said |= {name: "1" for one, name in _SWITCHES.items() if environ.get(one, "0") != "0"}
    return typed._replace(options={**said, **typed.options})


def takes_value(name: str) -> bool:
    """Return whether an option has a value."""
    return name not in _PLAIN


def _long(word: str, rest: list[str], options: dict[str, str]) -> None:
    typed, equals, value = word.partition("=")
    name = _named(_ALIASES.get(typed, typed))
    if name in _VALUE:
        if not equals:
            if not rest:
                raise InvalidInputError(f"option '--{name}' requires an argument")
            value = rest.pop(0)
        options[name] = value
    elif name in _MAYBE:
        options[name] = value or "1"
    elif equals:
        raise InvalidInputError(f"option '--{name}' doesn't allow an argument")
    else:
        options[name] = "1"


def _named(typed: str) -> str:
    every = (*_VALUE, *_MAYBE, *_PLAIN)
    if typed in every:
        return typed
    found = [name for name in every if typed and name.startswith(typed)]
    if len(found) != 1:
        raise InvalidInputError(
            f"option '--{typed}' is ambiguous" if found else f"unrecognized option '--{typed}'"
        )
    return found[0]


def _short(letters: str, rest: list[str], options: dict[str, str]) -> None:
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _SHORT.get(letter)
        if name is None:
            raise InvalidInputError(f"invalid option -- '{letter}'")
        if name in _PLAIN:
            options[name] = "1"
            continue
        if name in _MAYBE:
            options[name], letters = letters.removeprefix("=") or "1", ""
            continue
        if not letters and not rest:
            raise InvalidInputError(f"option requires an argument -- '{letter}'")
        options[name] = letters or rest.pop(0)
        return
