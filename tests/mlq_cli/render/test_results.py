"""Results as tables: on a terminal, as CSV, JSON, Markdown and LaTeX."""

import csv
import io
import json
import math

import pytest

from mlq.metrics.extent import Extent
from mlq.metrics.member import Member
from mlq.metrics.table import Table, table_of
from mlq_cli.render.result_texts import csv_text, json_rows, latex, markdown
from mlq_cli.render.results import remarks, result_table
from mlq_cli.render.style import Style


def extent(value: float) -> Extent:
    return Extent(value, 1, value, 1, value, 1)


def a_sweep(metrics: int = 1, last: str = "started", **more: str) -> Table:
    members = []
    for at in range(6):
        lr, seed = ("1e-3", "0.3")[at // 3], str(at % 3)
        found = {"acc": extent(0.8 + at / 37)}
        found |= {f"metric_{n}": extent(n * 1.1) for n in range(1, metrics)}
        state = last if at == 5 else "finished"
        members.append(
            Member(
                f"7_{at}",
                "tune",
                state,
                params={"lr": lr, "seed": seed, **more},
                metrics=found,
                time_s=62.0,
            )
        )
    return table_of(members, ["lr", "seed"])


def test_a_terminal_shows_aligned_numbers_and_states() -> None:
    lines = result_table(a_sweep(), Style(80))
    assert lines[0].split() == ["ID", "lr", "seed", "STATE", "TIME", "acc"]
    assert lines[1].split() == ["7_0", "1e-3", "0", "finished", "1m2s", "0.8000"]
    assert len({line.rindex(".") for line in lines[1:]}) == 1
    painted = result_table(a_sweep(), Style(80, colour=True))
    assert "\x1b[32mfinished" in painted[1]
    assert "\x1b[36mstarted" in painted[6]


@pytest.mark.parametrize("width", [80, 140])
def test_a_wide_table_says_which_columns_did_not_fit(width: int) -> None:
    lines = result_table(a_sweep(30), Style(width))
    assert max(map(len, lines[:7])) <= width
    assert "columns did not fit: " in lines[-1]
    assert "STATE" in lines[0]
    # That all have finished, the line above the table says: their metrics say more.
    assert "STATE" not in result_table(a_sweep(30, last="finished"), Style(width))[0]
    assert "--cols" in lines[-1]
    assert "acc" in lines[0]
    assert "metric_29" in lines[-1] or "and more" in lines[-1]
    assert len(result_table(a_sweep(30), Style(None))) == 7


def test_means_are_aligned() -> None:
    lines = result_table(a_sweep().with_means(["seed"]), Style(80))
    assert lines[0].split() == ["N", "lr", "STATE", "TIME", "acc"]
    assert lines[1].endswith("0.827 ± 0.027 (3/3)")
    assert lines[2].endswith("0.895 ± 0.019 (2/3)")
    assert "2 finished, 1 started" in lines[2]


def test_what_must_be_said() -> None:
    table = a_sweep()
    assert remarks(table) == []
    assert "1 of 6 are not" in remarks(table.with_means(["seed"]))[0]
    fresh = table_of([one._replace(state="queued", metrics={}) for one in table.members])
    said = remarks(fresh)
    assert "mlq.report(" in said[0]
    assert said[1] == "None of 6 jobs has ended yet."
    running = table_of([one._replace(state="started") for one in table.members])
    assert remarks(running) == ["None of 6 jobs has ended yet; the values are the latest."]


def test_different_code_and_gpus_are_named() -> None:
    members = [
        one._replace(code=("a" * 64, "b" * 64, "")[at % 3], gpu=("A100", "RTX 4090", "")[at % 3])
        for at, one in enumerate(a_sweep().members)
    ]
    code, gpu = remarks(table_of(members))
    assert code == (
        "Their code differs: aaaaaaaa: 7_0, 7_3; bbbbbbbb: 7_1, 7_4; the live folder: 7_2, 7_5."
        " What differs: mlq diff 7_0 7_1"
    )
    assert gpu == "Their GPU models differ: A100: 7_0, 7_3; RTX 4090: 7_1, 7_4"


def test_csv_and_json_have_all_digits() -> None:
    table = a_sweep(odd='a,"b"\nc').showing(["id", "lr", "odd", "acc"])
    rows = list(csv.DictReader(io.StringIO(csv_text(table))))
    assert [float(one["acc"]) for one in rows] == [0.8 + at / 37 for at in range(6)]
    assert (rows[0]["lr"], rows[0]["odd"]) == ("0.001", 'a,"b"\nc')
    found = json.loads(json.dumps(json_rows(table)))
    assert found[5]["metrics"] == {"acc": 0.8 + 5 / 37}
    assert found[5]["params"]["lr"] == "0.3"
    assert (found[5]["id"], found[5]["state"], found[5]["time_s"]) == ("7_5", "started", 62.0)
    (low, high) = json_rows(a_sweep().with_means(["seed"]))
    assert low["metrics"]["acc"]["n"] == 3
    assert (high["states"], high["ids"]) == ({"finished": 2, "started": 1}, ["7_3", "7_4", "7_5"])


def test_what_is_no_number_has_a_text() -> None:
    members = [
        Member("1", metrics={"a": extent(value)}) for value in (math.nan, math.inf, -math.inf)
    ]
    table = table_of(members).showing(["a"])
    assert csv_text(table).split() == ["a", "nan", "inf", "-inf"]
    assert [one["metrics"]["a"] for one in json_rows(table)] == ["nan", "inf", "-inf"]
    assert latex(table)[5:8] == ["nan \\\\", "$\\infty$ \\\\", "$-\\infty$ \\\\"]
    assert [line.split()[-1] for line in result_table(table, Style())[1:]] == ["nan", "inf", "-inf"]


def test_markdown_and_latex_are_escaped() -> None:
    one = Member("1", "a", params={"x|y_z": "5%|`&\x1b[31m"}, metrics={"m_1": extent(-0.5)})
    table = table_of([one]).showing(["x|y_z", "m_1"])
    assert markdown(table) == [
        r"| x\|y\_z | m\_1 |",
        "| --- | --: |",
        r"| 5%\|\`& | -0.5000 |",
    ]
    lines = latex(table)
    assert lines[3] == r"x\textbar{}y\_z & m\_1 \\"
    assert lines[5] == r"5\%\textbar{}`\& & $-0.5000$ \\"
    small = Member("1", metrics={"m": extent(1.5e-7)})
    assert latex(table_of([small]).showing(["m"]))[5] == r"$1.500 \times 10^{-7}$ \\"
    means = latex(a_sweep().with_means(["seed"]).showing(["lr", "acc"]))
    assert means[5] == r"1e-3 & $0.827 \pm 0.027$ (3/3) \\"
