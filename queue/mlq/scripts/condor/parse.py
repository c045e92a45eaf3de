"""Makes jobs of an HTCondor submit file, as `condor_submit` would.

The file is read from above: a macro is set where it stands, and `queue` makes jobs of what is set
by then. Several `queue` lines make one cluster, whose processes are numbered through.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager

from mlq.errors import InvalidInputError
from mlq.scripts.condor import commands
from mlq.scripts.condor.conditions import Conditions
from mlq.scripts.condor.functions import Functions
from mlq.scripts.condor.lines import Line, logical_lines
from mlq.scripts.condor.macros import Macros
from mlq.scripts.condor.one_job import Values, element_of
from mlq.scripts.condor.queueing import MOST, read_queue
from mlq.scripts.condor.whole_file import job_of
from mlq.scripts.number_mark import NUMBER
from mlq.scripts.script_job import Element, ScriptJob
from mlq.scripts.script_mistake import mistake
from mlq.scripts.where import Edges, Where


def parse(text: str, where: Where, edges: Edges | None = None) -> ScriptJob:
    """Return the jobs that a submit file describes.

    Args:
        text: the file.
        where: where it is submitted.
        edges: reads the files, pipes and globs that `queue` names.

    Raises:
        InvalidInputError: a line cannot be used; the message names it.
    """
    if NUMBER in text:
        raise mistake(where.file, 0, "the file holds a character that Unicode keeps from all use")
    return _Reader(where, edges or Edges()).read(text)


class _Reader:
    """Reads one file."""

    def __init__(self, where: Where, edges: Edges) -> None:
        self._where, self._edges = where, edges
        self._macros = Macros(Functions(where.environ, where.folder))
        self._conditions = Conditions(
            lambda text: self._macros.expand(text, {}),
            lambda name: self._macros.raw(name) is not None,
        )
        self._set_at: dict[str, int] = {}
        self._elements: list[Element] = []
        self._shared: Values | None = None
        self._notes: list[str] = []

    def read(self, text: str) -> ScriptJob:
        """Return what the file describes."""
        lines = logical_lines(text, self._where.file)
        at = 0
        while at < len(lines):
            line, listed = lines[at], []
            if _begins_list(line.text):
                while not lines[at].text.endswith(")"):
                    at += 1
                    listed.append(lines[at])
            at += 1
            with self._at(line.number):
                self._take(line, listed)
        if self._conditions.is_open:
            raise mistake(self._where.file, lines[-1].number, "an if has no endif")
        if not self._elements or self._shared is None:
            fix = "end the file with: queue"
            raise mistake(self._where.file, 0, "the file queues no job", fix=fix)
        self._check_names()
        with self._at(0):
            job = job_of(self._shared, self._elements, self._where)
        return job._replace(notes=tuple(self._notes))

    @contextmanager
    def _at(self, line: int) -> Iterator[None]:
        """Let a mistake name its line: that of the command at fault, else this one."""
        try:
            yield
        except InvalidInputError as error:
            command = error.what.partition(":")[0]
            raise mistake(
                self._where.file,
                self._set_at.get(command, line),
                error.what,
                why=error.why,
                fix=error.fix,
            ) from None

    def _take(self, line: Line, listed: list[Line]) -> None:
        if self._conditions.take(line.text) or not self._conditions.counts:
            return
        word = line.text.split(maxsplit=1)[0].lower()
        name, is_set, value = (part.strip() for part in line.text.partition("="))
        if word == "queue":
            self._queue(line.text[len(word) :].strip(), listed)
        elif word in ("include", "use", "include:") and not value:
            raise InvalidInputError(f"{word.rstrip(':')} is not done", fix="write its lines here")
        elif word in ("error", "warning") and line.text[len(word) :].lstrip().startswith(":"):
            self._message(word, line)
        elif not is_set or not name or " " in name:
            raise InvalidInputError(f"{line.text!r} neither sets a value nor queues jobs")
        else:
            self._set(name, value, line.number)

    def _message(self, word: str, line: Line) -> None:
        said = self._macros.expand(line.text.partition(":")[2].strip(), {})
        if word == "error":
            raise InvalidInputError(f"the file says: {said}")
        self._notes.append(f"line {line.number}: the file says: {said}")

    def _set(self, name: str, value: str, number: int) -> None:
        if commands.is_attribute(name):
            self._notes.append(f"line {number}: {name} has no effect")
            return
        command = commands.usual(name)
        if command in commands.REFUSED:
            why = commands.REFUSED[command]
            raise InvalidInputError(f"{name} cannot be followed", why=why)
        if command in commands.NO_EFFECT and command not in self._set_at:
            self._notes.append(f"line {number}: {name} has no effect")
        self._set_at[command] = number
        self._macros.define(command, value)

    def _queue(self, text: str, listed: list[Line]) -> None:
        queue = read_queue(self._macros.expand(text, {}).strip(), listed, self._where, self._edges)
        if len(self._elements) + queue.times * len(queue.rows) > MOST:
            raise InvalidInputError(f"the file asks for more than {MOST} jobs")
        for told in queue.jobs():
            process = str(len(self._elements))
            live = told | {
                "process": process,
                "procid": process,
                "cluster": NUMBER,
                "clusterid": NUMBER,
            }
            self._add(live)

    def _add(self, live: dict[str, str]) -> None:
        of_each = self._values(commands.OF_EACH, live)
        self._elements.append(element_of(of_each, self._where.folder, self._where.args))
        shared = self._values(commands.OF_ALL, live)
        for name in commands.OF_ALL:
            if self._shared is not None and shared.get(name) != self._shared.get(name):
                why = f"one says {self._shared.get(name)}, another {shared.get(name)}"
                fix = "submit a file for each"
                raise InvalidInputError(f"{name}: all jobs of a file share it", why=why, fix=fix)
        self._shared = shared

    def _values(self, names: tuple[str, ...], live: dict[str, str]) -> dict[str, str]:
        found = {}
        for name in names:
            try:
                value = self._macros.value(name, live)
            except InvalidInputError as error:
                what = f"{name}: {error.what}"
                raise InvalidInputError(what, why=error.why, fix=error.fix) from None
            if value is not None:
                found[name] = value.strip()
        return found

    def _check_names(self) -> None:
        """Refuse a slip of the pen; name what is used nowhere, and what was used and never set."""
        for name, line in self._set_at.items():
            if name in self._macros.used or commands.is_known(name):
                continue
            meant = commands.meant(name)
            if meant:
                fix = f"perhaps you mean {meant}"
                raise mistake(self._where.file, line, f"{name} is no command", fix=fix)
            self._notes.append(f"line {line}: {name} is no command and is used nowhere")
        file = posixpath.basename(self._where.file)
        self._notes += [
            f"{file}: $({name}) is set nowhere, and means nothing"
            for name in self._macros.undefined
        ]


def _begins_list(text: str) -> bool:
    return text.lower().startswith("queue") and "(" in text and ")" not in text
