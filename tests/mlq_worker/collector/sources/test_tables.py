"""Lightning's `metrics.csv`."""

from __future__ import annotations

from mlq_worker.collector.sources.tables import Table

HEADER = b"epoch,step,train_loss,val_loss"


def test_rows_of_one_step_are_one_point_and_the_later_wins() -> None:
    table = Table()
    points = table.read([HEADER, b"0,49,0.5,", b"0,49,,0.75", b"0,49,0.25,", b"1,99,0.1,nan"])
    assert [one.step for one in points] == [49, 99]
    assert points[0].values == {"train_loss": 0.25, "val_loss": 0.75}


def test_a_header_may_change_in_the_middle() -> None:
    lines = [HEADER, b"0,1,0.5,", b"epoch,lr,step,train_loss", b"0,0.01,2,0.25"]
    assert Table().read(lines)[-1].values == {"lr": 0.01, "train_loss": 0.25}


def test_a_file_written_anew_with_another_column_gives_only_its_new_rows() -> None:
    table = Table()
    table.read([HEADER, b"0,1,0.5,", b"0,2,0.4,"])
    table = Table(table.columns, table.rows)  # the collector was started again
    table.written_anew(is_longer=True)
    points = table.read([HEADER + b",lr", b"0,1,0.5,,", b"0,2,0.4,,", b"0,3,0.3,,0.01"])
    assert [(one.step, one.values) for one in points] == [(3, {"train_loss": 0.3, "lr": 0.01})]


def test_another_table_in_its_place_is_read_whole() -> None:
    for header, is_longer in ((HEADER, True), (b"step,other", True), (HEADER + b",lr", False)):
        table = Table()
        table.read([HEADER, b"0,1,0.5,", b"0,2,0.4,"])
        table.written_anew(is_longer=is_longer)
        assert [one.step for one in table.read([header, b"1,7,0.5,"])] != []


def test_rubbish_is_left_out() -> None:
    lines = [HEADER, b"", b"\xff\xfe\x00", b'"', b"a,b,c,d", b"1,2,0.5,x,0.7,8", b"1" * 100_000]
    points = Table().read(lines)
    assert [(one.step, one.values) for one in points] == [(2, {"train_loss": 0.5})]


def test_names_and_steps_may_be_written_otherwise() -> None:
    (point,) = Table().read([b'Epoch, Loss,"a, b"', b"3, 0.5,1e-3\r"])
    assert (point.step, point.values) == (3, {"Loss": 0.5, "a, b": 0.001})
