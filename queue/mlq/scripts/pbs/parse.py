"""Makes a job of a PBS script."""

from __future__ import annotations

import posixpath

from mlq.errors import InvalidInputError
from mlq.jobs.batch_job import BatchJob
from mlq.scripts.pbs.asked import Asked, read_option
from mlq.scripts.pbs.directives import read_directives
from mlq.scripts.pbs.files import Files
from mlq.scripts.script_job import ScriptJob
from mlq.scripts.script_mistake import mistake
from mlq.scripts.where import Edges, Where


def parse(text: str, where: Where, edges: Edges | None = None) -> ScriptJob:
    """Return the job that a PBS script describes.

    Args:
        text: the script.
        where: where it is submitted.
        edges: tells which paths are folders.

    Raises:
        InvalidInputError: a line cannot be used; the message names it.
    """
    if "\r" in text:
        line = text[: text.index("\r")].count("\n") + 1
        why, fix = "the shell would not find its commands", f"sed -i 's/\\r$//' {where.file}"
        raise mistake(where.file, line, "the file has DOS line ends", why=why, fix=fix)
    if not text.strip():
        raise mistake(where.file, 0, "the file is empty")
    found = read_directives(text, where.file)
    asked = Asked()
    for option in found.options:
        try:
            read_option(asked, option, where)
        except InvalidInputError as error:
            what = f"{option.letter} {option.value}: {error.what}"
            raise mistake(where.file, option.line, what, why=error.why, fix=error.fix) from None
    asked.notes += [
        f"line {line}: PBS reads no directive after the first command; it has no effect"
        for line in found.late
    ]
    return _job(asked, text, where, edges or Edges())


def _job(asked: Asked, text: str, where: Where, edges: Edges) -> ScriptJob:
    file = posixpath.basename(where.file) or "STDIN"
    resources = asked.resources
    name = asked.name or file
    try:
        streams = Files(name, bool(asked.array), where, edges).streams(
            asked.output, asked.error, asked.join
        )
    except InvalidInputError as error:
        raise mistake(where.file, 0, error.what, why=error.why) from None
    mem_mib = resources.mem_mib
    if mem_mib is None and resources.mem_per_task_mib is not None:
        mem_mib = resources.mem_per_task_mib * max(1, resources.tasks)
    if resources.threads:
        asked.env.setdefault("OMP_NUM_THREADS", str(resources.threads))
    return ScriptJob(
        BatchJob(
            system="pbs",
            tasks=resources.tasks,
            partition=asked.queue,
            submit_host=where.host,
            submit_dir=where.folder,
            umask=where.umask,
            array=asked.array.partition("%")[0],
        ),
        (file, *asked.args, *where.args),
        posixpath.normpath(posixpath.join(where.home, asked.cwd)),
        script=_script(text, asked.shell or where.environ.get("SHELL", ""), bool(asked.shell)),
        name=name,
        cores=resources.cores or 1,
        mem_mib=mem_mib,
        gpus=resources.gpus or 0,
        gpu_type=resources.gpu_type,
        time_limit_s=resources.time_limit_s,
        array=asked.array,
        streams=streams,
        env=asked.env,
        passes_on=None if asked.passes is None else tuple(asked.passes),
        parents=tuple(asked.parents),
        is_requeued=asked.is_requeued,
        machines=(resources.machine,) if resources.machine else (),
        priority=asked.priority,
        start=asked.start,
        is_held=asked.is_held,
        is_waited_for=asked.is_waited_for,
        notes=tuple(asked.notes),
    )


def _script(text: str, shell: str, is_chosen: bool) -> str:
    """Return the script with the shell that PBS would give it: `-S`, else `#!`, else the user's.

    Its lines keep their numbers where it had a `#!`.
    """
    if text.startswith("#!"):
        return f"#!{shell}\n{text.partition(chr(10))[2]}" if is_chosen else text
    return f"#!{shell or '/bin/sh'}\n{text}"
