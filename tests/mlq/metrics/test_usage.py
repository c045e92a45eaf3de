"""What attempts use: sums and peaks of samples, and what is said of what they waste."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mlq.metrics.usage import (
    LONG_S,
    Sample,
    Used,
    broken,
    line_of,
    log_sizes,
    parse_used,
    samples_of,
    wasted,
    with_sample,
)


def used_of(*samples: Sample, model: str = "") -> Used:
    used = Used(gpu_model=model)
    for one in samples:
        used = with_sample(used, one)
    return used


def steady(seconds: float = LONG_S, **changes: Any) -> Used:
    fields: dict[str, Any] = {"cores": 4.0, "mem_mib": 20_000, **changes}
    return used_of(*(Sample(at, 10.0, **fields) for at in range(0, int(seconds), 10)))


def test_means_are_over_time_and_peaks_over_samples() -> None:
    used = used_of(Sample(10, 10, 4.0, 100, 5000, 0.5), Sample(15, 5, 1.0, 300, 4000, 0.2))
    assert (used.samples, used.seconds) == (2, 15)
    assert used.cores == pytest.approx(3.0)
    assert used.gpu == pytest.approx(0.4)
    assert (used.cores_peak, used.mem_mib, used.vram_mib) == (4.0, 300, 5000)


def test_a_gpu_that_could_not_be_asked_for_a_while_counts_for_the_rest() -> None:
    used = used_of(Sample(10, 10, 1, 1, 9, 0.8), Sample(20, 10, 1, 1))
    assert (used.gpu, used.gpu_s, used.vram_mib) == (0.8, 10, 9)


def test_a_text_holds_it_all() -> None:
    used = used_of(Sample(10, 10, 4.0, 100, 5000, 0.5), model="NVIDIA A")
    assert parse_used(used.text) == used
    assert parse_used(used.as_json()) == used
    for alone in (Used(gpu_model="NVIDIA A"), Used(gpu_model="NVIDIA A", gpu_mib=24_000)):
        assert parse_used(alone.text) == alone
    assert Used().text == ""


@pytest.mark.parametrize(
    "raw",
    ["", "[", "[1]", "7", None, [], '{"samples": "many"}', '{"samples": -1}', "[" * 10_000],
)
def test_what_holds_no_sums_is_unknown(raw: object) -> None:
    assert parse_used(raw) == Used()


def test_of_rubbish_beside_good_values_the_good_ones_count() -> None:
    raw = {"samples": 3, "cores": math.nan, "mem_mib": 1e99, "gpu": 7, "gpu_model": "\x1b[31m"}
    assert parse_used(raw) == Used(3, gpu=1.0)


def test_lines_are_read_again() -> None:
    with_gpu, without = Sample(10.5, 0, 1.25, 100, 5000, 0.5), Sample(20.0, 0, 0.0, 7)
    data = line_of(with_gpu) + b'rubbish\n{"at": 1}\n[]\n' + line_of(without) + b'{"at": 30, "co'
    assert list(samples_of(data)) == [with_gpu, without]


def test_who_leaves_its_gpu_idle_is_told() -> None:
    idle = steady(gpu=0.034)
    assert wasted(idle, 4, 20_000, 1) == ["its GPU sat idle: 3% busy on average"]
    assert wasted(idle, 4, 20_000, 2) == ["its 2 GPUs sat idle: 3% busy on average"]
    assert wasted(steady(gpu=0.0), 4, 20_000, 1) == [
        "its GPU sat idle: less than 1% busy on average"
    ]
    assert wasted(idle, 4, 20_000, 0) == []
    assert wasted(steady(gpu=0.1), 4, 20_000, 1) == []
    assert wasted(steady(LONG_S - 10, gpu=0.0), 4, 20_000, 1) == []


def test_who_uses_a_tenth_of_its_cores_or_memory_is_told() -> None:
    assert wasted(steady(cores=0.8), 8, 20_000, 0) == ["it kept 0.8 of its 8 cores busy on average"]
    assert wasted(steady(cores=0.05), 1, 20_000, 0) == []
    assert wasted(steady(mem_mib=900), 4, 16_384, 0) == [
        "it used 900M of the 16384M of memory that it asked for"
    ]
    assert wasted(steady(mem_mib=100), 4, 2048, 0) == [], "the default, and little"


def test_who_wants_more_cores_is_told_how_many() -> None:
    busy = steady(cores=1.0, waited=2.7)
    assert wasted(busy, 1, 4096, 0) == ["1 core, wanted 3.7: ask -c 4"]
    assert wasted(steady(cores=1.9, waited=1.1), 2, 4096, 0) == ["2 cores, wanted 3.0: ask -c 3"]
    assert wasted(steady(cores=1.0, waited=0.4), 1, 4096, 0) == []
    assert wasted(steady(cores=0.8, waited=3.0), 1, 4096, 0) == [], "others had its core"
    assert wasted(steady(LONG_S - 10, cores=1.0, waited=3.0), 1, 4096, 0) == []


def test_while_it_is_squeezed_nothing_is_known_of_what_it_wants() -> None:
    squeezed = steady(cores=1.0)
    assert squeezed.wanted is None
    assert wasted(squeezed, 1, 4096, 0) == []
    used = used_of(Sample(10, 10, 1.0, 1, waited=3.0), Sample(20, 10, 1.0, 1))
    assert (used.wanted, used.wanted_s) == (4.0, 10)
    assert parse_used(used.text) == used


def test_the_size_of_the_log_stands_beside_a_sample() -> None:
    data = line_of(Sample(20, 10, 1.0, 5), (20.25, 70)) + line_of(Sample(30, 10, 1.0, 5))
    data += b'{"log": [1]}\n{"log": ["x", 1]}\n{"log": [1, -2]}\n{"log": 7}\n{"log": [40, 90]}'
    assert list(log_sizes(data)) == [(20.25, 70), (40, 90)]
    assert len(list(samples_of(data))) == 2


def test_a_promise_that_a_job_has_broken_is_told() -> None:
    assert broken(steady(mem_mib=5325), 4096) == [
        "it used 5.2G of memory, more than the 4G that it was promised: ask for more by -m"
    ]
    assert broken(steady(mem_mib=4159), 4096) == []
    assert broken(Used(), 4096) == []
