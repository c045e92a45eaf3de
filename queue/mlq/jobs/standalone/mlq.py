"""How a job's Python code tells how far it is (`from mlq import report`), and is queued again.

This one file is `mlq.report`, and it is also all of `mlq` in a job whose environment has no mlq:
`mlq_worker.startup.sitecustomize` offers it there under that name. So it runs in any Python from
3.6 on, imports nothing of ours, and until the first report nothing at all but what Python has
loaded.

Each line that it appends to `$MLQ_PROGRESS_FILE` is a JSON object: `progress`, `step`, `total`,
`at` (unix time) and the metrics. Infinite values and those that are no number are the texts `nan`,
`inf` and `-inf`, which JSON has no numbers for.

Invariant: nothing that `report` does ends or stops the job. An error is one line on standard error.
"""

import os
import sys

PAUSE_S = 0.5
"""The least time between two writes of a process."""

MOST_VALUE = 1000
"""How many characters a value that is no number may have."""

MOST_LINE = 16000
"""How many bytes a line may have: whoever wants the latest line reads no more of the file's end."""

_SHARE_OF_TIME = 0.05  # that writing may take on slow storage
_OWN_NAMES = ("progress", "step", "total", "at")
# The first that is set decides. Launchers that number all processes of a run come before those that
# number what they started: `torchrun` below `srun` sets RANK.
_RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID", "LOCAL_RANK")

_of_process: "dict[int, _Writer]" = {}
_warned: "set[str]" = set()
_CLOSE = getattr(os, "O_CLOEXEC", 0)


def report(
    progress: object = None, *, step: object = None, total: object = None, **values: object
) -> None:
    """Say how far this job is, and what it measured; outside of a job this does nothing.

    It may be called as often as one likes: at most twice a second something is written, the newest
    value of each metric, each with its own step; what is left follows half a second later, or at
    the end of the program. Of a program with several ranks only rank 0 writes.

    Args:
        progress: the share that is done, from 0 to 1; by default `step / total`.
        step: the step, epoch or whatever else the job counts.
        total: the last step.
        values: metrics. A number may be a tensor or an array with one element, of any library.
            Other JSON values are kept but are no metrics; anything else is left out, with a
            warning.
    """
    try:
        path = os.environ.get("MLQ_PROGRESS_FILE")
        if path and _rank() == 0:
            counts = {"progress": progress, "step": step, "total": total}
            _writer().add(path, _counted(counts), _measured(values))
    except Exception as error:  # noqa: BLE001 - the job goes on, whatever it is
        _warn("report", "a report is lost: " + repr(error))


def requeue() -> None:
    """Queue this job again: its attempt is stopped soon, and how it ends no longer matters.

    It works while the queue cannot be reached: the wish is an empty file on this machine.

    Raises:
        RuntimeError: this process belongs to no job.
        OSError: the file cannot be made.
    """
    path = os.environ.get("MLQ_REQUEUE_FILE")
    if not path:
        raise RuntimeError("mlq.requeue() works only in a job of mlq: MLQ_REQUEUE_FILE is not set")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | _CLOSE, 0o600))


def _rank() -> int:
    """Return the rank of this process, as PyTorch knows it or as its launcher has said."""
    distributed = sys.modules.get("torch.distributed")
    try:
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return int(distributed.get_rank())
    except Exception:  # noqa: BLE001 - half imported, or another module of that name
        distributed = None
    for name in _RANKS:
        text = os.environ.get(name, "")
        if text.isdecimal():
            return int(text)
    return 0


def _writer() -> "_Writer":
    """Return the writer of this process: a fork takes over neither values nor locks."""
    own = os.getpid()
    if own not in _of_process:
        _of_process.setdefault(own, _Writer(own))  # one step, so that two threads get the same
    return _of_process[own]


class _Writer:
    """Holds what one process has reported and not yet written."""

    def __init__(self, pid: int) -> None:
        # Imported here, for to import `mlq` must cost nothing.
        import atexit
        import threading

        self._pid = pid
        # Reentrant: a handler of a signal may report while its thread is in here.
        self._lock = threading.RLock()
        self._path = ""
        # step -> the line about it, in the order in which they were last added to.
        self._held: dict[object, dict[str, object]] = {}
        self._due_s = 0.0  # on the monotonic clock
        self._is_timed = False
        self._is_closing = False
        self._is_torn = False
        atexit.register(self.close)
        if "multiprocessing.util" in sys.modules:
            # Its child processes end without `atexit`.
            sys.modules["multiprocessing.util"].Finalize(None, self.close, exitpriority=0)

    def add(self, path: str, counts: "dict[str, object]", found: "dict[str, object]") -> None:
        """Take what one call reported, and write if it is time to."""
        import time

        with self._lock:
            self._path = path
            self._merge(counts, dict(found, at=round(time.time(), 3)))
            if self._is_closing or time.monotonic() >= self._due_s:
                self._write()
            elif not self._is_timed:
                self._set_timer()

    def _merge(self, counts: "dict[str, object]", found: "dict[str, object]") -> None:
        """Add values to the line of their step; what is held of the same names goes.

        How far the job is stands in the newest line only.
        """
        step = counts.get("step")
        for key, held in list(self._held.items()):
            for name in ("progress", "total"):
                if name in held:
                    counts.setdefault(name, held.pop(name))
            for name in [name for name in found if name != "at"]:
                held.pop(name, None)
            is_empty = all(name in _OWN_NAMES for name in held)
            if is_empty and (step is not None or key is None):
                self._held.pop(key, None)
        line = self._held.pop(step, {})
        line.update(counts)
        line.update(found)
        self._held[step] = line

    def _set_timer(self) -> None:
        """Write what is held when it is due, so that a killed job has lost no more than that."""
        import _thread

        self._is_timed = True
        try:
            _thread.start_new_thread(self._wait, ())
        except Exception:  # noqa: BLE001 - there may be no more threads: then it is written now
            self._is_timed = False
            self._write()

    def _wait(self) -> None:
        import contextlib
        import signal
        import time

        with contextlib.suppress(Exception):
            # This thread must not take signals that are meant for the job's own.
            signals = getattr(signal, "valid_signals", lambda: range(1, 32))  # since Python 3.8
            signal.pthread_sigmask(signal.SIG_BLOCK, signals())
        while True:
            time.sleep(max(0.01, min(self._due_s - time.monotonic(), 60.0)))
            with self._lock:
                if self._held and time.monotonic() >= self._due_s:
                    self._write()
                if not self._held:
                    self._is_timed = False
                    return

    def close(self) -> None:
        """Write what is held; from now on nothing is held."""
        if self._pid == os.getpid():  # in a fork this is its parent's
            with self._lock:
                self._is_closing = True
                if self._held:
                    self._write()

    def _write(self) -> None:
        """Write what is held; if that fails it stays held for the next time."""
        import time

        lines, self._held = self._held, {}
        began_s = time.monotonic()
        try:
            data = b"".join(map(_encoded, lines.values()))
            began_s = time.monotonic()
            # Appended at once, so lines of processes that share the file stay whole.
            opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _CLOSE, 0o600)
            try:
                self._append(opened, data)
            finally:
                os.close(opened)
        except Exception as error:  # noqa: BLE001 - a full disk, a deleted folder: the job goes on
            lines.update(self._held)
            self._held = lines
            _warn("write", "progress cannot be written; the job goes on: " + str(error))
        ended_s = time.monotonic()
        self._due_s = ended_s + max(PAUSE_S, (ended_s - began_s) / _SHARE_OF_TIME)

    def _append(self, opened: int, data: bytes) -> None:
        data = b"\n" + data if self._is_torn else data
        written = os.write(opened, data)
        self._is_torn = written < len(data)
        if self._is_torn:
            raise OSError("no room is left for the whole line")


def _warn(about: str, text: str) -> None:
    """Say something on standard error, once a process for each thing it is about."""
    if about not in _warned and len(_warned) < 100:
        _warned.add(about)
        try:
            sys.stderr.write("mlq: " + " ".join(text[:500].split()) + "\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 - standard error is closed: there is nobody to tell
            return


def _encoded(line: "dict[str, object]") -> bytes:
    """Return a line of the file; values for which it has no room are left out."""
    import json

    parts, size = [], 2
    names = [name for name in _OWN_NAMES if name in line]
    for name in names + [name for name in line if name not in _OWN_NAMES]:
        part = json.dumps(name) + ": " + json.dumps(line[name])
        size += len(part) + 2
        if size > MOST_LINE:
            _warn(
                "line", "a report is too long, so " + repr(name) + " and what follows is left out"
            )
            break
        parts.append(part)
    return ("{" + ", ".join(parts) + "}\n").encode("ascii")


def _counted(counts: "dict[str, object]") -> "dict[str, object]":
    """Return how far the job is, as far as that is known: finite numbers only."""
    found: dict[str, int | float] = {}
    for name, value in counts.items():
        plain = _plain(name, value)
        if isinstance(plain, (int, float)) and not isinstance(plain, bool):
            found[name] = plain
        elif plain is not None:
            _warn(name, name + " is left out of reports, for it is no number: " + _shown(value))
    if "progress" not in found and "step" in found and found.get("total", 0) > 0:
        found["progress"] = min(1.0, max(0.0, found["step"] / found["total"]))
    return dict(found)


def _measured(values: "dict[str, object]") -> "dict[str, object]":
    """Return the metrics as JSON can hold them."""
    found = {}
    for name, value in values.items():
        if name == "at":
            _warn(name, "at is left out of reports: it is the name of their time")
            continue
        plain = _plain(name, value)
        if plain is not None:
            found[name] = plain
    return found


def _plain(name: str, value: object) -> object:
    """Return a value as JSON can hold it; None, with a warning, if it cannot be held."""
    try:
        if value is None or isinstance(value, bool):
            return value
        if not isinstance(value, (int, float, str, list, tuple, dict)):
            value = _number(value)
        if isinstance(value, str):
            return value[:MOST_VALUE]
        if isinstance(value, float):
            return _text_of(float(value))
        if isinstance(value, int):
            float(value)  # raises if it is larger than any float
            return int(value)
        return _json_value(value)
    except Exception as error:  # noqa: BLE001 - any class may raise anything
        _warn(name, name + " is left out of reports: " + _shown(value) + " (" + str(error) + ")")
        return None


def _number(value: object) -> object:
    """Return the number in a tensor, an array of one element, a Decimal and the like."""
    item = getattr(value, "item", None)
    if item is not None:
        value = item()
        if isinstance(value, (bool, int, float, str)):
            return value
    if isinstance(value, complex) or not hasattr(value, "__float__"):
        raise TypeError("it is no number")
    return float(value)


def _text_of(value: float) -> object:
    import math

    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _json_value(value: object) -> object:
    """Return a container that JSON can hold, if it is short."""
    import json

    if len(json.dumps(value, allow_nan=False)) > MOST_VALUE:
        raise ValueError("it is too long")
    return value


def _shown(value: object) -> str:
    try:
        return repr(value)[:100]
    except Exception:  # noqa: BLE001 - its class is broken
        return type(value).__name__
