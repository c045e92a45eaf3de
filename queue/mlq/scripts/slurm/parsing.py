"""Makes a `ScriptJob` of a Slurm script, and of what its user typed for sbatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from mlq.errors import InvalidInputError
from mlq.jobs.batch_job import BatchJob, Streams
from mlq.jobs.stop_signal import parse_stop_signal
from mlq.scripts.script_job import ScriptJob
from mlq.scripts.script_mistake import mistake
from mlq.scripts.slurm import values
from mlq.scripts.slurm.dependencies import Dependencies, dependencies
from mlq.scripts.slurm.options import SILENT
from mlq.scripts.slurm.reading import Directives, Given, directives, latest
from mlq.scripts.slurm.resources import read, resources_of
from mlq.scripts.where import Where
from mlq.sweeps import array as arrays

WRAPPED = "#!/bin/sh\n# This script was created by sbatch --wrap.\n\n"
NICE = 100
"""By how much `--nice` without a number lowers the priority, as in Slurm."""


def parse(
    text: str, where: Where, typed: Sequence[Given] = (), by_variable: Sequence[Given] = ()
) -> ScriptJob:
    """Return the job that a Slurm script describes.

    Args:
        text: of the script; not used with `--wrap`.
        where: where it is submitted.
        typed: what was typed for sbatch; it overrides what the file says.
        by_variable: what variables say; it overrides the file and not what was typed.

    Raises:
        InvalidInputError: the script cannot be used; the message names file and line.
    """
    over = latest([*by_variable, *typed])
    wrapped = over.get("wrap")
    if wrapped is not None:
        said = Directives((), ())
        script = f"{WRAPPED}{wrapped.value}\n"
    else:
        check_script(text, where.file)
        said, script = directives(text, where.file), text
    given = latest([*said.given, *by_variable, *typed])
    if wrapped is None and "wrap" in given:
        raise given["wrap"].mistake("a script cannot be another one", fix="leave it out")
    for one in given.values():
        if one.option.use == "refused":
            raise one.mistake(one.option.why)
    notes = [*_without_effect(given), *_late(said.late, where.file)]
    return _job(script, where, given, "wrap" if wrapped else "", notes)


def check_script(text: str, file: str) -> None:
    """Refuse what sbatch refuses to take for a script.

    Raises:
        InvalidInputError: it is empty, has no `#!` or has line breaks of DOS.
    """
    if not text.strip():
        raise mistake(file, 0, "the script is empty")
    if not text.startswith("#!"):
        raise mistake(
            file,
            1,
            "this is no batch script",
            why="it must begin with #! and the path of its interpreter",
            fix="write #!/bin/bash as the first line",
        )
    if "\0" in text:
        raise mistake(file, text.count("\n", 0, text.index("\0")) + 1, "there is a NUL character")
    if "\r\n" in text:
        raise mistake(
            file,
            text.count("\n", 0, text.index("\r\n")) + 1,
            "the script has line breaks of DOS (\\r\\n)",
            why="its interpreter would not be found",
            fix=f"sed -i 's/\\r$//' {file}",
        )


def _job(
    script: str, where: Where, given: Mapping[str, Given], name: str, notes: list[str]
) -> ScriptJob:
    asked = resources_of(given)
    waits = read(given.get("dependency"), dependencies, Dependencies())
    limit_s = read(given.get("time"), values.seconds, None)
    array = _array(given)
    cwd = _folder(given, where)
    passes_on, env = _export(given)
    file = name or PurePosixPath(where.file).name or "sbatch"
    batch = BatchJob(
        system="slurm",
        tasks=asked.tasks,
        cpus_per_task=asked.cpus_per_task,
        gpus_per_task=asked.gpus_per_task,
        partition=_value(given, "partition"),
        submit_host=where.host,
        submit_dir=where.folder,
        umask=where.umask,
        array=array.partition("%")[0],
    )
    return ScriptJob(
        batch=batch,
        argv=(file, *where.args),
        cwd=cwd,
        script=script,
        name=_value(given, "job-name") or ("sbatch" if where.file == "-" and not name else file),
        cores=asked.cores,
        mem_mib=asked.mem_mib,
        gpus=asked.gpus,
        gpu_type=asked.gpu_type,
        time_limit_s=limit_s,
        array=array,
        streams=_streams(given, cwd, bool(array)),
        env=env,
        passes_on=passes_on,
        parents=waits.parents,
        parents_at=given["dependency"].place if waits.parents else "",
        is_singleton=waits.is_singleton,
        signal=_signal(given.get("signal"), limit_s),
        is_requeued="no-requeue" not in given,
        machines=read(given.get("nodelist"), values.machines, ()),
        excluded=read(given.get("exclude"), values.machines, ()),
        priority=-read(given.get("nice"), _nice, 0),
        start=read(given.get("begin"), values.start, None),
        is_held="hold" in given,
        is_waited_for="wait" in given,
        is_parsable="parsable" in given,
        is_test="test-only" in given,
        comment=_value(given, "comment"),
        notes=(*notes, *asked.notes),
    )


def _value(given: Mapping[str, Given], name: str) -> str:
    return (given[name].value or "") if name in given else ""


def _nice(text: str) -> int:
    if not text:
        return NICE
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number is needed") from None


def _array(given: Mapping[str, Given]) -> str:
    one = given.get("array")
    if one is None:
        return ""
    try:
        arrays.parse(one.value or "")
    except InvalidInputError as error:
        raise one.mistake(error.why, error.fix) from None
    return (one.value or "").replace(" ", "")


def _folder(given: Mapping[str, Given], where: Where) -> str:
    typed = _value(given, "chdir")
    return str(PurePosixPath(where.folder) / typed) if typed else where.folder


def _signal(given: Given | None, limit_s: float | None) -> str | None:
    """Return `--signal` as `mlq enqueue` takes it."""
    if given is None:
        return None
    text = (given.value or "").strip()
    flags, colon, rest = text.rpartition(":")
    if not set(flags.upper()) <= set("RB"):
        raise given.mistake(f"{flags}: means nothing", fix="write for example USR1@60 or B:USR1@60")
    name, at, ahead = rest.partition("@")
    if at and not (ahead.isdecimal() and len(ahead) < 6):
        raise given.mistake("after @ stand seconds before the time limit")
    # R: is about reservations. Without a time limit Slurm has no moment to count back from.
    first = "B:" if colon and "B" in flags.upper() else ""
    plain = f"{first}{name}" + (f"@{ahead}" if at and limit_s is not None and int(ahead) else "")
    try:
        parse_stop_signal(f"{first}{name}", None)
    except InvalidInputError as error:
        raise given.mistake(error.why, error.fix) from None
    return plain


def _export(given: Mapping[str, Given]) -> tuple[tuple[str, ...] | None, dict[str, str]]:
    """Return the variables that go along, None for all, and those that are set."""
    text = _value(given, "export")
    if not text or text.upper() == "ALL":
        return None, {}
    if text.upper() in ("NONE", "NIL"):
        return (), {}
    names: list[str] = []
    env: dict[str, str] = {}
    takes_all = False
    for part in values.quoted_list(text):
        name, equals, value = part.partition("=")
        if not equals and name.upper() == "ALL":
            takes_all = True
        elif equals and name:
            env[name] = value
        elif name:
            names.append(name)
        else:
            raise given["export"].mistake(f"{part} has no name")
    return (None if takes_all else tuple(names)), env


def _streams(given: Mapping[str, Given], cwd: str, is_array: bool) -> Streams:
    mode = _value(given, "open-mode").lower()
    if mode and not any(one.startswith(mode) for one in ("append", "truncate")):
        raise given["open-mode"].mistake("it is append or truncate")
    output = _value(given, "output") or ("slurm-%A_%a.out" if is_array else "slurm-%j.out")
    error = _value(given, "error")
    return Streams(
        output=_pattern(output, cwd),
        error=_pattern(error, cwd) if error and error != output else "",
        appends=bool(mode) and "append".startswith(mode),
    )


def _pattern(text: str, cwd: str) -> str:
    """Return the absolute pattern of a file.

    Its folder has no pattern in it, and neither has a name with a backslash, which is dropped.
    """
    if "\\" in text:
        text = text.replace("\\", "").replace("%", "%%")
    return text if text.startswith("/") else f"{cwd.rstrip('/').replace('%', '%%')}/{text}"


def _without_effect(given: Mapping[str, Given]) -> list[str]:
    names = [
        f"--{one.option.name}"
        for one in given.values()
        if one.option.use == "no effect" and one.option.name not in SILENT
    ]
    if not names:
        return []
    verb = "has" if len(names) == 1 else "have"
    return [f"{', '.join(names)} {verb} no effect on mlq"]


def _late(lines: Sequence[int], file: str) -> list[str]:
    if not lines:
        return []
    what = f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(map(str, lines))}"
    verb = "stands" if len(lines) == 1 else "stand"
    return [f"{file}, {what}: ignored, as by sbatch: #SBATCH {verb} after the first command"]
