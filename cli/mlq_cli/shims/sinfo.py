"""`sinfo`: the one partition, and its machines by state."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mlq.errors import InvalidInputError
from mlq_cli.render.clean import clean
from mlq_cli.shims.asking import PARTITION, open_queue
from mlq_cli.shims.columns import line, of_letters
from mlq_cli.shims.options import Known, Options, read

_KNOWN = Known(
    "noheader/h Node/N long/l summarize/s exact/e all/a responding/r verbose/v version/V noconvert"
    " local hide",
    "format/o partition/p states/t nodes/n clusters/M sort/S",
)
_PLAIN = "%9P %.5a %.10l %.6D %.6t %N"
_LETTERS = {
    "P": "PARTITION",
    "R": "PARTITION",
    "a": "AVAIL",
    "l": "TIMELIMIT",
    "D": "NODES",
    "t": "STATE",
    "T": "STATE",
    "N": "NODELIST",
    "n": "HOSTNAMES",
    "c": "CPUS",
    "m": "MEMORY",
    "G": "GRES",
    "C": "CPUS(A/I/O/T)",
}


def main(words: Sequence[str]) -> int:
    """Print the machines, those alike in one line."""
    options = read(words, _KNOWN, takes_words=False)
    before, columns = of_letters(options.last("format", _PLAIN).strip("\"'"))
    for one in columns:
        if one.name not in _LETTERS:
            raise InvalidInputError(f"Invalid node format specification: %{one.name}")
    lines = []
    if not options.has("noheader"):
        lines.append(line(columns, [_LETTERS[one.name] for one in columns], before))
    rows: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for record in _machines(options):
        cells = tuple(_cell(one.name, [record]) for one in columns if one.name not in "NnDC")
        alone = (str(record["machine"]),) if options.has("Node") else ()
        rows.setdefault((*cells, *alone), []).append(record)
    lines += [
        line(columns, [_cell(one.name, alike) for one in columns], before)
        for alike in rows.values() or [[]]
    ]
    sys.stdout.write("".join(f"{clean(one)}\n" for one in lines))
    return 0


def _machines(options: Options) -> list[dict[str, Any]]:
    queue = open_queue()
    wanted, names = options.listed("states"), options.listed("nodes")
    found = []
    for name, (heard_s, record) in sorted(queue.store.reads.machines().items()):
        one = {**record, "machine": name, "is_down": heard_s > queue.settings.lease_s}
        if names and name not in names:
            continue
        if wanted and not {_state(one), "all"} & {state.lower()[:4] for state in wanted}:
            continue
        found.append(one)
    return found


def _state(record: Mapping[str, Any]) -> str:
    if record["is_down"]:
        return "down"
    if record.get("offering") is False:
        return "drai"
    total, free = _cores(record)
    return "idle" if free >= total else "mix" if free else "allo"


def _cores(record: Mapping[str, Any]) -> tuple[int, int]:
    return int(record.get("cores_total") or 0), int(record.get("cores_free") or 0)


_WORDS = {"allo": "alloc", "drai": "drain", "mix": "mix"}
_LONG = {"allo": "allocated", "drai": "drained", "mix": "mixed"}


def _cell(letter: str, alike: Sequence[Mapping[str, Any]]) -> str:
    """Return a cell of machines that are alike, or of none."""
    names = ",".join(str(one["machine"]) for one in alike)
    plain = {"P": f"{PARTITION}*", "R": PARTITION, "a": "up", "l": "infinite"}
    plain |= {"D": str(len(alike)), "N": names, "n": names}
    if letter in plain or not alike:
        return plain.get(letter, "n/a")
    first, state = alike[0], _state(alike[0])
    totals = [_cores(one) for one in alike]
    total, free = sum(one for one, _ in totals), sum(one for _, one in totals)
    gpus = len(first.get("gpus") or ())
    return {
        "t": _WORDS.get(state, state),
        "T": _LONG.get(state, state),
        "G": f"gpu:{gpus}" if gpus else "(null)",
        "C": f"{max(0, total - free)}/{free}/0/{total}",
        "c": str(totals[0][0]),
        "m": str(first.get("mem_total_mib") or 0),
    }[letter]
