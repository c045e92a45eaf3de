"""Who holds what on the machines, as a table."""

from __future__ import annotations

from typing import Any

from mlq_cli.render.people import people_json, people_table
from mlq_cli.render.style import Style

PLAIN = Style(colour=False, width=200)
NOTHING: dict[str, Any] = {"jobs": 0, "cores": 0, "mem_mib": 0, "vram_mib": {}}


def person(user: str, **changes: Any) -> dict[str, Any]:
    otherwise = {"cores": 0.0, "vram_mib": {}}
    return {"user": user, "is_us": False, "mlq": NOTHING, "otherwise": otherwise, **changes}


def shown(*people: Any) -> list[str]:
    gpus = [{"uuid": "GPU-1", "name": "g", "free_mib": 0, "total_mib": 11264}]
    return people_table({"lab07": {"gpus": gpus, "people": list(people)}}, PLAIN)


def test_by_mlq_otherwise_and_waiting() -> None:
    held = {"jobs": 2, "cores": 3, "mem_mib": 10240, "vram_mib": {"GPU-1": 8192}}
    use = {"cores": 1.5, "vram_mib": {"GPU-1": 1024}}
    waits = [{"cores": 4, "mem_mib": 2048, "gpus": 1, "vram_mib": 6144, "for_s": 90}]
    lines = shown(person("kt42", mlq=held, otherwise=use, waits=waits), person("me", is_us=True))
    for words in ("2 jobs: 3 cores", "8G of GPU memory", "1.5 cores", "1 GPU with 6G for 1m30s"):
        assert words in lines[1]
    assert "me (you)" in lines[2]


def test_a_whole_gpu_is_all_of_its_memory() -> None:
    held = {"jobs": 1, "cores": 1, "mem_mib": 0, "vram_mib": {"GPU-1": 0}}
    assert "11G of GPU memory" in shown(person("kt42", mlq=held))[1]


def test_what_cannot_be_read_is_left_out() -> None:
    assert people_table({"lab07": {}}, PLAIN) == []
    assert people_table({"lab07": {"people": 3}}, PLAIN) == []
    odd = {"user": "a\x1b[2Jb", "mlq": 5, "otherwise": {"cores": "x", "vram_mib": 3}, "waits": [7]}
    assert "\x1b" not in "".join(shown(odd, "nobody", None))


def test_json() -> None:
    assert list(people_json({"lab07": {"people": [person("kt42")]}})) == [
        {"machine": "lab07", **person("kt42")}
    ]
