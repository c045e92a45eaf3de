"""Speaks with jug in the Python of a jug program, as a script; mlq need not be installed there.

    python in_its_python.py ask|survey|execute JSON

It is the only file that knows jug's modules. It needs the standard library and jug 2, in any Python
that this jug supports, so its syntax is that of Python 3.6. The answer of `ask` and `survey` is one
line of JSON on standard output; whatever the program prints goes to standard error.
"""
# ruff: noqa: UP032

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FORMAT = "%Y-%m-%d (%Hh%M.%S)"  # as in jug's locks
WAIT_S, WAITS = 3, 5  # what jug waits for tasks that others must do first
LOOK_S, SHARE = 2, 0.02  # between two counts of what is done; how much of the time they take


def ask(said: "dict[str, Any]") -> "dict[str, Any]":
    """Return how jug understands a program and its options: jugdir, version, user's arguments."""
    import jug
    from jug.options import parse

    options = parse(_words(said, "execute", said["options"]))
    return {
        "version": getattr(jug, "__version__", ""),
        "jugdir": options.jugdir,
        "jugfile": options.jugfile,
        "fails": hasattr(options, "execute_keep_failed"),
    }


def survey(said: "dict[str, Any]") -> "dict[str, Any]":
    """Return how far a program is: whether jug's own check says complete, and counts of tasks."""
    import jug.jug
    from jug import task

    code = _exit_code(jug.jug.main, ["jug", *_words(said, "check", ["--jugdir", said["jugdir"]])])
    if code not in (0, 1):
        return {"error": "jug check ended with exit code {}".format(code)}
    if code == 0:
        return {"complete": True, "finished": len(task.alltasks)}
    del task.alltasks[:]
    _, space = jug.jug.init(said["jugfile"], said["jugdir"], on_error="propagate")
    counts: Any = dict.fromkeys(("finished", "ready", "running", "failed", "waiting"), 0)
    for one in task.alltasks:
        counts[_state(one)] += 1
    return dict(counts, complete=False, barrier=bool(space.get("__jug__hasbarrier__")))


def _words(said: "dict[str, Any]", command: str, options: "list[str]") -> "list[str]":
    """Return a command of jug's: it understands arguments of the program only behind its name."""
    user_args = ["--", *said["user_args"]] if said["user_args"] else []
    return [command, *options, said["jugfile"], *user_args]


def _state(one: Any) -> str:
    if one.can_load():
        return "finished"
    if not one.can_run():
        return "waiting"
    if not one.is_locked():
        return "ready"
    return "failed" if one.is_failed() else "running"


def _exit_code(call: "Callable[[list[str]], object]", argv: "list[str]") -> object:
    try:
        call(argv)
    except SystemExit as ended:
        return 0 if ended.code is None else ended.code
    return 0


def execute(said: "dict[str, Any]") -> None:
    """Run tasks until nothing is left that could be run now; the exit code is jug's.

    First it leaves a note of this process, so that its locks can be told from those of others.
    """
    note = dict(
        said["note"],
        host=socket.gethostname(),
        pid=os.getpid(),
        started=time.strftime(FORMAT),
    )
    fresh = Path("{}.{}".format(said["note_file"], os.getpid()))
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(note, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(said["note_file"])

    import jug.jug

    watch = threading.Thread(target=_tell_progress, args=(said.get("progress_file"),), daemon=True)
    watch.start()
    options = ["--wait-cycle-time", str(WAIT_S), "--nr-wait-cycles", str(WAITS)]
    options += ["--keep-going", "--keep-failed", *said["options"], "--jugdir", said["jugdir"]]
    jug.jug.main(["jug", *_words(said, "execute", options)])


def _tell_progress(path: str) -> None:
    """Write how many tasks are done, again and again; what goes wrong here harms no task.

    It is said once in the job's log, unless it is gone at the next look: jug may be loading the
    program anew meanwhile.
    """
    from jug import task

    told, pause_s, fails, is_said = (0, 0), 1.0, False, False
    while path:
        time.sleep(pause_s)
        began = time.time()
        try:
            tasks = list(task.alltasks)
            now = (sum(1 for one in tasks if one.can_load()), len(tasks))
            if now != told and now[1]:
                with Path(path).open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"step": now[0], "total": now[1]}) + "\n")
                told = now
            fails = False
        except Exception as error:  # noqa: BLE001 - tasks are the program's, and may raise anything
            if fails and not is_said:
                is_said = True
                why = "{}: {}".format(type(error).__name__, error)
                sys.stderr.write("mlq: the progress cannot be told: {}\n".format(why))
                sys.stderr.flush()
            fails = True
        pause_s = max(LOOK_S, (time.time() - began) / SHARE)


def main() -> int:
    """Do what the first argument says; report an error as JSON, too."""
    what, said = sys.argv[1], json.loads(sys.argv[2])
    sys.path[0] = str(Path.cwd())  # not this folder: its modules are not the program's
    if what == "execute":
        execute(said)
        return 0
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        said = ask(said) if what == "ask" else survey(said)
    except ImportError as error:
        missing = getattr(error, "name", None) == "jug"
        said = {"error": "{}: {}".format(type(error).__name__, error), "missing": missing}
    except Exception as error:  # noqa: BLE001 - whatever the program raises is its user's to read
        said = {"error": "{}: {}".format(type(error).__name__, error)}
    except SystemExit as ended:
        said = {"error": "it ended with exit code {}".format(ended.code)}
    answer.write(json.dumps(said) + "\n")
    answer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
