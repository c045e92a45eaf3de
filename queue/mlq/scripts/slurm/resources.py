"""What a Slurm script asks of its machine: tasks, cores, memory and GPUs, all on one machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from mlq.scripts.slurm import values
from mlq.scripts.slurm.reading import Given
from mlq.scripts.slurm.values import Gpus

T = TypeVar("T")

_NO_GRES: tuple[Gpus | None, tuple[str, ...]] = (None, ())


class Resources(NamedTuple):
    """What a job asks for; fields as in `ScriptJob` and `BatchJob`."""

    cores: int
    mem_mib: int | None
    gpus: int
    gpu_type: str
    tasks: int
    cpus_per_task: int
    gpus_per_task: int
    notes: tuple[str, ...]


def read(given: Given | None, reader: Callable[[str], T], otherwise: T) -> T:
    """Return the value of an option, or `otherwise` if it was not given.

    Raises:
        InvalidInputError: the value cannot be read; the message names the line.
    """
    if given is None:
        return otherwise
    try:
        return reader(given.value or "")
    except ValueError as error:
        raise given.mistake(str(error)) from None


def resources_of(given: Mapping[str, Given]) -> Resources:
    """Return what these options ask for.

    Raises:
        InvalidInputError: a number cannot be used, two contradict, or more than one machine is
            asked for.
    """
    _one_machine(given)
    notes: list[str] = []
    total, per_task = _gpus(given, notes)
    tasks = _tasks(given, total.number, per_task.number)
    per_task_cpus = read(given.get("cpus-per-task"), values.whole, 0)
    if per_task.number and not total.number:
        total = Gpus(per_task.number * max(tasks, 1), total.kind)
    cores = max(
        max(tasks, 1) * max(per_task_cpus, 1),
        read(given.get("cpus-per-gpu"), values.whole, 0) * total.number,
        read(given.get("mincpus"), values.whole, 1),
    )
    return Resources(
        cores,
        _mem_mib(given, cores, total.number, notes),
        total.number,
        total.kind,
        tasks,
        per_task_cpus,
        per_task.number,
        tuple(notes),
    )


def _one_machine(given: Mapping[str, Given]) -> None:
    nodes = given.get("nodes")
    if nodes is None:
        return
    match = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", nodes.value or "", re.ASCII)
    if match is None or not int(match[1]):
        raise nodes.mistake("a whole number from 1 on is needed")
    if int(match[1]) > 1:
        raise nodes.mistake(
            "a job of mlq runs on one machine", fix="ask for several GPUs or tasks on one machine"
        )


def _tasks(given: Mapping[str, Given], gpus: int, gpus_per_task: int) -> int:
    """Return how many tasks were asked for; 0 if that was left open."""
    per_node = read(given.get("ntasks-per-node"), values.whole, 0)
    per_gpu = read(given.get("ntasks-per-gpu"), values.whole, 0)
    if "ntasks" in given:
        tasks = read(given["ntasks"], values.whole, 1)
        if per_node and tasks > per_node:
            raise given["ntasks-per-node"].mistake(
                f"{tasks} tasks then need more than one machine",
                fix="a job of mlq runs on one machine",
            )
        return tasks
    if per_gpu:
        return per_gpu * gpus
    if gpus and gpus_per_task:
        if gpus % gpus_per_task:
            raise given["gpus-per-task"].mistake(f"{gpus} GPUs cannot be shared out like that")
        return gpus // gpus_per_task
    return per_node


def _gpus(given: Mapping[str, Given], notes: list[str]) -> tuple[Gpus, Gpus]:
    """Return the GPUs of the job and those of each task."""
    asked: list[tuple[Given, Gpus]] = []
    if "gres" in given:
        of_gres, others = read(given["gres"], values.gres, _NO_GRES)
        if of_gres is not None:
            asked.append((given["gres"], of_gres))
        notes += [f"--gres={one} has no effect: mlq knows only GPUs" for one in others]
    asked += [
        (given[name], read(given[name], values.gpus, Gpus(0)))
        for name in ("gpus-per-node", "gpus")
        if name in given
    ]
    per_task = read(given.get("gpus-per-task"), values.gpus, Gpus(0))
    for one, found in asked[1:]:
        if found.number != asked[0][1].number:
            raise one.mistake(f"{asked[0][0].text} asks for another number of GPUs")
    kinds = {found.kind for _, found in asked if found.kind} | {per_task.kind} - {""}
    if len(kinds) > 1:
        raise (asked[-1][0] if asked else given["gpus-per-task"]).mistake(
            "one job gets GPUs of one model"
        )
    total = asked[0][1].number if asked else 0
    return Gpus(total, "".join(kinds)), per_task


def _mem_mib(given: Mapping[str, Given], cores: int, gpus: int, notes: list[str]) -> int | None:
    """Return the memory of the whole job; None if it is left to the setting."""
    ways = [name for name in ("mem", "mem-per-cpu", "mem-per-gpu") if name in given]
    if not ways:
        return None
    if len(ways) > 1:
        raise given[ways[1]].mistake(f"{given[ways[0]].text} says it in another way")
    asked = given[ways[0]]
    amount = read(asked, values.mib, 0)
    if not amount:
        notes.append(f"{asked.text} has no effect: a job of mlq gets no machine's whole memory")
        return None
    if ways[0] == "mem-per-gpu" and not gpus:
        raise asked.mistake("no GPU is asked for")
    return amount * {"mem": 1, "mem-per-cpu": cores, "mem-per-gpu": gpus}[ways[0]]
