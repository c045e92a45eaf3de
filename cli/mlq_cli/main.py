"""The command `mlq`: picks the command, and turns every error into one message.

Only the module of the command that was typed is imported, so `mlq ls` does not pay for what
`mlq enqueue` needs. No error of a user ends in a traceback: `MlqError` is printed as what happened,
why, and what to do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from mlq import __version__
from mlq.errors import InvalidInputError, MlqError

COMMANDS = {
    "Experiments": (
        "enqueue",
        "submit",
        "jug",
        "ls",
        "top",
        "show",
        "logs",
        "results",
        "plot",
        "diff",
        "code",
        "pull",
        "wait",
        "cancel",
        "retry",
        "requeue",
        "edit",
        "hold",
        "release",
        "pause",
        "resume",
        "explain",
        "clean",
    ),
    "Machines": ("machines", "worker", "off", "on", "pilot", "server", "deploy"),
    "Yourself": ("init", "config", "doctor", "completion", "shims"),
}
# The names that the commands have in other queues, and in a shell.
ELSEWHERE = {
    **dict.fromkeys(("run", "add", "srun"), "enqueue"),
    **dict.fromkeys(("sbatch", "qsub", "condor_submit"), "submit"),
    **dict.fromkeys(("ps", "status", "list", "jobs", "queue", "squeue", "qstat", "condor_q"), "ls"),
    **dict.fromkeys(("kill", "rm", "delete", "abort", "scancel", "qdel", "condor_rm"), "cancel"),
    **dict.fromkeys(("nodes", "hosts", "workers", "sinfo"), "machines"),
    **dict.fromkeys(("htop", "watch", "monitor", "dashboard"), "top"),
    **dict.fromkeys(("log", "tail", "cat", "less", "output"), "logs"),
    **dict.fromkeys(("table", "metrics"), "results"),
    **dict.fromkeys(("draw", "chart", "graph", "figure"), "plot"),
    **dict.fromkeys(("info", "inspect", "describe", "view"), "show"),
    **dict.fromkeys(("why", "reason"), "explain"),
    **dict.fromkeys(("rerun", "restart", "resubmit"), "retry"),
    **dict.fromkeys(("fetch", "download", "get", "sync", "rsync", "scp", "cp"), "pull"),
    "start": "worker start",
    "stop": "worker stop",
}
_INTERRUPTED = 130
_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        argv: the words after `mlq`; None: those of this process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end in a traceback.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        _let_ctrl_c_be_told()
        code = _dispatch(words)
        sys.stdout.flush()
    except MlqError as error:
        _tell(error)
        code = error.exit_code
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except BrokenPipeError:
        _abandon_output()
        code = _BROKEN_PIPE
    except OSError as error:
        what = f"cannot use {error.filename}" if error.filename else "cannot write the output"
        _tell(MlqError(what, why=error.strerror or str(error)))
        _abandon_output()
        code = MlqError.exit_code
    return code


def script() -> NoReturn:
    """Run this process's command line as the installed script `mlq`, and end the process.

    It ends the process as soon as everything is written, without Python's own clean-up. The kernel
    frees everything anyway, and the clean-up takes a sixth of the time of `mlq ls`. So a command
    must not rely on code that runs at exit.
    """
    code = main()
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # only the output must still be written
    with contextlib.suppress(OSError):
        sys.stdout.flush()  # after an error there may be something left
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def _let_ctrl_c_be_told() -> None:
    """Make Ctrl-C raise KeyboardInterrupt from here on; see `mlq_cli.entry`."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _open_closed_streams() -> None:
    """Open standard streams that `>&-` closed: else the next file or socket would replace them."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(descriptor)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _abandon_output() -> None:
    """Discard the rest of the output: else Python would fail again, and say so, when it exits."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(error: MlqError) -> None:
    from mlq_cli.render.clean import clean

    lines = [clean(line) for line in f"mlq: {error}".split("\n")]
    with contextlib.suppress(OSError):
        print("\n".join(lines), file=sys.stderr, flush=True)


def _dispatch(words: list[str]) -> int:
    if "_ARGCOMPLETE" in os.environ:
        return answer_completion()
    if not words or words[0] in {"-h", "--help", "help"}:
        print(overview())
        return 0
    if words[0] in {"-V", "--version"}:
        print(f"mlq {__version__}")
        return 0
    return run_command(words[0], words[1:])


def command_names() -> list[str]:
    """Return the names of all commands, in the order in which they are shown."""
    return [name for names in COMMANDS.values() for name in names]


def command_module(name: str) -> Any:
    """Import the module of a command."""
    return import_module(f"mlq_cli.commands.{name}")


def run_command(name: str, words: Sequence[str]) -> int:
    """Parse the words after a command's name and run it.

    Raises:
        InvalidInputError: there is no such command, or the words do not fit it.
    """
    from mlq_cli.invocation.parser import check_text, nearest, new_parser

    for word in (name, *words):
        check_text(word)
    if name not in command_names():
        guess = ELSEWHERE.get(name) or nearest(name, command_names())
        raise InvalidInputError(
            f"there is no command {name}" if name else "an empty command",
            fix=f"did you mean `mlq {guess}`?" if guess else "`mlq --help` lists the commands",
        )
    command = command_module(name)
    parser = new_parser(f"mlq {name}", command.HELP, command.EXAMPLES)
    command.configure(parser)
    return int(command.run(parser.parse_args(list(words))))


def answer_completion() -> int:
    """Answer argcomplete's question about the whole command line; ends the process."""
    import argcomplete

    from mlq_cli.invocation.parser import new_parser

    parser = new_parser("mlq", "", "")
    commands = parser.add_subparsers()
    for name in command_names():
        module = command_module(name)
        module.configure(commands.add_parser(name, help=module.HELP, allow_abbrev=False))
    argcomplete.autocomplete(parser)
    return 0


def overview() -> str:
    """Return what `mlq` alone prints."""
    lines = [
        "mlq: one queue for your experiments on all the lab's machines",
        "",
        "  mlq enqueue --gpus 1 --time 2h -- python train.py    put a job in the queue",
        "  mlq ls                                               see how it goes",
        "  mlq logs -f 1                                        read along",
    ]
    for group, names in COMMANDS.items():
        lines += ["", f"{group}:"]
        lines += [f"  {name:<12}{command_module(name).HELP}" for name in names]
    lines += ["", "`mlq COMMAND --help` shows a command's options, with examples; `mlq --version`."]
    return "\n".join(lines)


if __name__ == "__main__":
    script()
