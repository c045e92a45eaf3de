"""One attempt's files together: what a job says of itself without a line that knows of mlq."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import pytest
from event_files import event, float_value, record, summary

from mlq.files.layout import JobFolder
from mlq.metrics.extent import Extent, extents
from mlq.metrics.series import Point
from mlq_worker.collector.reading import JobReader, Reading, Watched

STARTED_S = 1_800_000_000.0
NOW_S = STARTED_S + 60


class Job:
    """A job's folder, and its reader, which is made anew from its state before each look."""

    def __init__(self, folder: Path, attempt: int = 1, **patterns: str) -> None:
        self.paths = JobFolder(str(folder))
        self.watched = Watched("7", attempt, str(folder), tuple(patterns.items()), STARTED_S)
        self.state: dict[str, object] | None = None
        self.now_s = STARTED_S

    def write(self, path: str, data: str | bytes, *, written_s: float = NOW_S) -> None:
        """Append to a file."""
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as out:
            out.write(data.encode() if isinstance(data, str) else data)
        os.utime(file, (written_s, written_s))

    def rewrite(self, path: str, data: str) -> None:
        """Write a file anew in its place."""
        Path(path).write_text("", encoding="utf-8")
        self.write(path, data)

    def log(self, text: str) -> None:
        self.write(self.paths.log_file(self.watched.attempt), text)

    def report(self, *lines: object) -> None:
        text = "".join(f"{json.dumps(one)}\n" for one in lines)
        self.write(self.paths.progress_file(self.watched.attempt), text)

    def read(self, after_s: float = 60, *, is_last: bool = False) -> Reading:
        self.now_s += after_s
        reader = JobReader(self.watched, self.state)
        found = reader.read(self.now_s, is_last)
        self.state = json.loads(json.dumps(reader.state()))
        return found


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def _values(found: Reading) -> list[tuple[float | None, dict[str, float]]]:
    return [(one.step, one.values) for one in found.points]


def test_a_job_that_wrote_nothing_says_nothing(job: Job) -> None:
    found = job.read()
    assert found.points == []
    assert set(found.advance) == {None}


def test_only_what_was_appended_is_read_also_by_a_collector_that_was_started_again(
    job: Job,
) -> None:
    job.log("{'loss': 0.5, 'epoch': 1}\n{'loss': 0.4, ")
    job.write(f"{job.paths.work_dir}/logs/version_0/metrics.csv", "step,acc\n1,0.5\n2,0.6")
    job.write(f"{job.paths.work_dir}/runs/events.out.tfevents.1", _scalar(1, lr=0.125) + b"\x18")
    job.report({"step": 1, "x": 1})
    assert {str(one) for one in _values(job.read())} == {
        "(1.0, {'x': 1.0})",
        "(1.0, {'acc': 0.5})",
        "(1.0, {'lr': 0.125})",
        "(1.0, {'loss': 0.5})",
    }
    assert job.read().points == []
    job.log("'epoch': 2}\n")
    job.write(f"{job.paths.work_dir}/logs/version_0/metrics.csv", "5\n")
    job.report({"step": 2, "x": 2})
    assert {str(one) for one in _values(job.read())} == {
        "(2.0, {'x': 2.0})",
        "(2.0, {'acc': 0.65})",
        "(2.0, {'loss': 0.4})",
    }


def _scalar(step: int, time_s: float = NOW_S, **values: float) -> bytes:
    rest = summary(*(float_value(name, one) for name, one in values.items()))
    return record(event(time_s, step, rest))


def test_a_metric_that_two_sources_give_is_taken_from_the_more_exact_one(job: Job) -> None:
    job.log("{'loss': 0.5, 'only': 1, 'epoch': 1}\n")
    job.write(f"{job.paths.work_dir}/runs/events.out.tfevents.1", _scalar(100, loss=0.25))
    found = {str(one) for one in _values(job.read())}
    assert found == {"(100.0, {'loss': 0.25})", "(1.0, {'only': 1.0})"}
    job.log("{'loss': 0.4, 'epoch': 2}\n")
    assert job.read().points == []


def test_a_metric_stays_with_the_source_that_told_it_first(job: Job) -> None:
    job.log("{'loss': 0.5, 'epoch': 1}\n")
    assert len(job.read().points) == 1
    job.write(f"{job.paths.work_dir}/runs/events.out.tfevents.1", _scalar(100, loss=0.25))
    job.log("{'loss': 0.4, 'epoch': 2}\n")
    assert _values(job.read(is_last=True)) == [(2, {"loss": 0.4})]


def test_a_table_that_reaches_the_disk_after_a_last_print_is_the_metrics_own(job: Job) -> None:
    job.log("{'loss': 0.2, 'acc': 0.9}\n")
    assert len(job.read().points) == 1
    table = f"{job.paths.work_dir}/metrics.csv"
    job.write(table, "step,loss,acc\n1,0.5,\n2,0.3,\n3,0.2,0.9\n")
    found = job.read()
    assert _values(found) == [(1, {"loss": 0.5}), (2, {"loss": 0.3}), (3, {"loss": 0.2})]
    assert found.again == {"loss": -math.inf}, "of acc it tells no more than the log did"
    job.log("{'loss': 0.1}\n")
    assert job.read(is_last=True).points == []


def test_a_source_that_was_passed_over_once_takes_nothing_over_later(job: Job) -> None:
    job.log("{'loss': 0.5, 'epoch': 1}\n")
    assert len(job.read().points) == 1
    table = f"{job.paths.work_dir}/metrics.csv"
    job.write(table, "step,loss\n1,0.5\n")
    assert job.read().points == []
    job.write(table, "2,0.4\n3,0.3\n")
    assert job.read().points == [], "its first row would be missing"


def test_points_without_a_time_lie_between_two_looks_and_all_are_in_order(job: Job) -> None:
    job.read(60)
    job.log("{'loss': 0.5}\n{'loss': 0.4}\n")
    job.report({"at": STARTED_S + 85, "x": 1}, {"at": 5, "x": 2})
    times = [one.at_s - STARTED_S for one in job.read(60).points]
    assert times == [80, 85, 100, 120]


def test_a_regex_reads_the_log_and_a_wrong_one_is_left_out(tmp_path: Path) -> None:
    job = Job(tmp_path, acc=r"accuracy ([0-9.]+)", bad="(", two="(a)(b)")
    job.log("epoch 1/3: accuracy 0.75\r\nepoch 2/3: accuracy 0.875\n")
    found = job.read()
    assert _values(found) == [(1, {"acc": 0.75}), (2, {"acc": 0.875})]
    assert (found.advance.share, found.advance.step, found.advance.total) == (2 / 3, 2, 3)


def test_a_report_comes_before_a_bar_and_a_bar_before_headings(job: Job) -> None:
    job.log("Epoch 2/10\n")
    assert job.read().advance.share == 0.1
    job.log("\r 30%|###  | 3/10 [01:00<02:20, 20s/it]")
    assert job.read().advance == (0.3, 3, 10, 140, None)
    job.report({"step": 5, "total": 10}, 0.75)
    assert job.read().advance.share == 0.75
    job.log("\r 40%|###  | 4/10 [01:00<02:20, 20s/it]")
    assert job.read().advance.share == 0.75


def test_a_report_of_a_step_keeps_the_share_that_was_told_before(job: Job) -> None:
    job.report({"progress": 0.5, "step": 5}, {"loss": 1}, {"step": 6, "loss": 2})
    advance = job.read().advance
    assert (advance.share, advance.step, advance.total) == (0.5, 6, None)


def test_the_time_left_is_that_of_this_attempt(tmp_path: Path) -> None:
    job = Job(tmp_path, attempt=2)
    job.log("epoch 31/60: loss 0.5\n")
    assert job.read().advance.left_s is None
    job.log("epoch 32/60: loss 0.5\n")
    assert job.read().advance.left_s == pytest.approx(28 * 60)
    job.report({"progress": 0.5, "at": STARTED_S + 100}, {"progress": 0.6, "at": STARTED_S + 180})
    assert job.read(60).advance.left_s == pytest.approx(320)


def test_a_bar_that_starts_over_is_the_inner_loop(job: Job) -> None:
    bars = [f"\rtrain: {n * 10}%|#| {n}/10 [00:0{n}<00:01, 1it/s]" for n in (1, 5, 10, 1, 5)]
    job.log("".join(bars))
    advance = job.read().advance
    assert (advance.share, advance.left_s, advance.inner) == (None, None, 0.5)


def _trainer_state(step: int, *losses: float) -> str:
    history = [{"loss": one, "epoch": n + 1, "step": n} for n, one in enumerate(losses)]
    return json.dumps({"global_step": step, "max_steps": 100, "log_history": history})


def test_a_trainer_that_went_on_tells_only_what_is_new(tmp_path: Path) -> None:
    job = Job(tmp_path, attempt=2)
    folder = job.paths.checkpoint_dir
    old = STARTED_S - 100
    job.write(f"{folder}/checkpoint-9/trainer_state.json", _trainer_state(9, 3, 2), written_s=old)
    assert job.read().points == []
    job.write(f"{folder}/checkpoint-30/trainer_state.json", _trainer_state(30, 3, 2, 1))
    found = job.read(100)
    assert _values(found) == [(3, {"loss": 1})]
    assert (found.advance.share, found.advance.step, found.advance.total) == (0.3, 30, 100)
    path = f"{folder}/checkpoint-50/trainer_state.json"
    job.write(path, _trainer_state(50, 3, 2, 1, 0.5), written_s=NOW_S + 100)
    assert _values(job.read(is_last=True)) == [(4, {"loss": 0.5})]


def test_files_from_before_the_attempt_do_not_count(job: Job) -> None:
    work, old = job.paths.work_dir, STARTED_S - 10
    job.write(f"{work}/metrics.csv", "step,acc\n1,0.5\n", written_s=old)
    job.write(f"{work}/wandb/run-1/wandb-summary.json", '{"x": 1}', written_s=old)
    job.write(f"{work}/runs/events.out.tfevents.1", _scalar(1, time_s=old - 1000, acc=0.5))
    assert job.read().points == []


def test_tags_that_several_folders_have_get_the_names_of_the_folders(job: Job) -> None:
    runs = f"{job.paths.work_dir}/runs"
    for folder, tag in (
        ("train", "loss"),
        ("validation", "loss"),
        ("x", "acc"),
        ("x/both_a", "both"),
    ):
        job.write(f"{runs}/{folder}/events.out.tfevents.1", _scalar(1, **{tag: 0.5}))
    job.write(f"{runs}/x/other/a/events.out.tfevents.1", _scalar(1, other=0.5))
    job.write(f"{runs}/x/1795846677.229699/events.out.tfevents.1", _scalar(1, hparam=0.5))
    names = {name for one in job.read().points for name in one.values}
    assert names == {"train/loss", "validation/loss", "acc", "both/a", "other/a", "hparam"}


def test_versions_of_a_table_are_read_in_order_and_the_summary_when_it_changes(job: Job) -> None:
    for version in (10, 9):
        path = f"{job.paths.output_dir}/lightning_logs/version_{version}/metrics.csv"
        job.write(path, f"step,acc\n1,{version}\n")
    wandb = f"{job.paths.work_dir}/wandb/run-1/files/wandb-summary.json"
    job.write(wandb, '{"best": 1, "_step": 3}')
    found = job.read()
    assert _values(found) == [(1, {"acc": 10}), (3, {"best": 1})]
    assert found.again == {"acc": 1}
    assert job.read().points == []
    job.rewrite(wandb, '{"best": 2, "_step": 4}')
    assert _values(job.read()) == [(4, {"best": 2})]


def test_a_file_written_between_the_last_walk_and_the_end_is_found(job: Job) -> None:
    wandb = f"{job.paths.work_dir}/wandb/run-1/files/wandb-summary.json"
    reader = JobReader(job.watched)
    assert reader.read(NOW_S, False).points == []
    job.write(wandb, '{"acc": 0.7}', written_s=NOW_S + 1)
    assert _values(reader.read(NOW_S + 2, True)) == [(None, {"acc": 0.7})]


def test_a_later_version_of_a_table_replaces_only_what_it_tells_anew(job: Job) -> None:
    versions = f"{job.paths.work_dir}/lightning_logs/version_"
    job.write(f"{versions}0/metrics.csv", "step,loss,acc\n1,5,0.1\n2,4,0.2\n3,3,0.3\n")
    assert not job.read().again
    job.write(f"{versions}1/metrics.csv", "step,loss\n2,9\n")
    found = job.read()
    assert (_values(found), found.again) == ([(2, {"loss": 9})], {"loss": 2})
    job.write(f"{versions}1/metrics.csv", "3,8\n")
    assert not job.read().again
    job.write(f"{job.paths.output_dir}/metrics.csv", "step,loss\n1,7\n")
    assert not job.read().again  # no version


def test_a_table_with_a_longer_header_gives_only_its_new_rows(job: Job) -> None:
    path = f"{job.paths.work_dir}/metrics.csv"
    job.write(path, "step,acc\n1,0.5\n2,0.6\n")
    assert len(job.read().points) == 2
    job.rewrite(path, "step,acc,lr\n1,0.5,\n2,0.6,\n3,0.7,0.1\n")
    assert _values(job.read()) == [(3, {"acc": 0.7, "lr": 0.1})]


def test_a_table_that_is_just_being_written_anew_is_read_when_it_is_whole(job: Job) -> None:
    path = f"{job.paths.work_dir}/metrics.csv"
    job.write(path, "step,acc\n1,0.5\n2,0.6\n")
    reader = JobReader(job.watched)
    assert len(reader.read(STARTED_S + 60, False).points) == 2
    job.rewrite(path, "step,acc\n1,0.5\n")
    assert reader.read(STARTED_S + 120, False).points == []
    job.write(path, "2,0.6\n3,0.7\n")
    assert _values(reader.read(STARTED_S + 180, False)) == [(3, {"acc": 0.7})]
    job.rewrite(path, "step,acc\n4,0.8\n")
    assert reader.read(STARTED_S + 240, False).points == []
    assert _values(reader.read(STARTED_S + 300, False)) == [(4, {"acc": 0.8})]


def test_pictures_between_scalars_are_passed_over(job: Job) -> None:
    picture = record(event(NOW_S, 1, b"\x2a" + b"x" * 3_000_000))
    data = _scalar(1, a=1.0) + picture + _scalar(2, a=2.0)
    job.write(f"{job.paths.work_dir}/events.out.tfevents.1", data)
    assert [one.step for one in job.read().points] == [1, 2]


RUBBISH = [
    b"\xff\x00\x1b[2J\r" * 30_000,
    b"{" * 200_000,
    b"[" * 200_000 + b"\n",
    b"{'a': {'b': 1}}\n" * 10_000,
    b'{"a\\u001b": 1, "' + b"n" * 500 + b'": 2, "x": "y"}\n{"x": 1}\n',
    b'{"step": 1e999, "total": NaN, "progress": "inf", "a": 1' + b"0" * 6000 + b"}\n",
    b"step,a,a,,\x00\n" + b"1,2\n3,x,nan,inf,\n" * 10_000,
    b"\x00" * 100_000,
    b" 37%|#| 1/0 [99:99:99:99<99, 1it/s]\rEpoch 99999999999/99999999999\n[0/0][1/1]\n",
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_in_every_file_raises_nothing_and_takes_bounded_time(
    tmp_path: Path, rubbish: bytes
) -> None:
    job = Job(tmp_path, any=r"(\S+)", n=r"a.*?(\d)")
    work = job.paths.work_dir
    places = ["metrics.csv", "events.out.tfevents.1", "trainer_state.json", "wandb-summary.json"]
    files = [
        job.paths.log_file(1),
        job.paths.progress_file(1),
        *(f"{work}/{one}" for one in places),
    ]
    began = time.process_time()
    for _ in range(2):
        for one in files:
            job.write(one, rubbish)
        found = job.read(is_last=True)
        assert all(math.isfinite(one.at_s) and one.values for one in found.points)
        assert all(name.isprintable() for one in found.points for name in one.values)
    for one in files:
        Path(one).write_bytes(rubbish[: len(rubbish) // 3])
    job.read()
    assert time.process_time() - began < 20


@pytest.mark.slow
def test_of_very_many_lines_none_is_left_out(job: Job) -> None:
    lines = [f'{{"step": {n}, "x": {abs(n - 7)}}}\n' for n in range(90_000)]
    job.write(job.paths.progress_file(1), "".join(lines))
    looks, points = 1, list[Point]()
    while True:
        found = job.read(after_s=0, is_last=True)
        assert len(found.points) < 6000
        points += found.points
        if not found.is_behind:
            break
        looks += 1
    assert looks > 1
    assert extents(points) == {"x": Extent(89_992, 89_999, 0, 7, 89_992, 89_999)}


def test_of_a_log_that_grows_faster_than_it_is_read_the_end_is_read(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlq_worker.collector.reading._BURST", 6 << 20)
    rest = "no metric in this line\n" * 100_000
    job.log("{'x': 1}\n" + 5 * rest + "{'x': 2}\n")
    found = job.read(after_s=1)
    assert not found.is_behind
    assert _values(found) == [(None, {"x": 2})]
    job.log("{'x': 3}\n" + rest + "{'x': 4}\n")
    points, is_behind = list[Point](), True
    while is_behind:
        found = job.read(after_s=60)
        points, is_behind = points + found.points, found.is_behind
    assert [one.values["x"] for one in points] == [3, 4]


@pytest.mark.parametrize(
    "state",
    [
        {"files": 7},
        {"pace": [1] * 9},
        {"loops": {"x": 7}},
        {"owners": []},
        {"owners": {"owners": {"loss": ["log", "x"]}}},
    ],
)
def test_a_state_that_is_none_counts_as_none(job: Job, state: dict[str, object]) -> None:
    job.state = state
    job.log("{'loss': 0.5}\n")
    assert len(job.read().points) == 1


def test_where_the_start_is_unknown_points_are_of_now(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.watched = job.watched._replace(started_s=0.0)
    job.log("{'loss': 0.5}\n{'loss': 0.4}\n")
    assert [one.at_s for one in job.read().points] == [NOW_S, NOW_S]
