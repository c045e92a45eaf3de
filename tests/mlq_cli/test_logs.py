"""`mlq logs`: rows as a terminal shows them, follow across attempts, and no log yet."""

import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox import Sandbox
from waiting import wait_for

from mlq.jobs.lifecycle import Event
from mlq.metrics.usage import Sample, line_of
from mlq.units import utc_iso

pytestmark = pytest.mark.slow


BARS = b"\r 10%|#   \x1b[32m#\x1b[0m|\r100%|####\x1b[32m#\x1b[0m|\n"


def test_raw_is_as_written(installation: Sandbox) -> None:
    log = b"\x1b[31mred\x1b[0m \xff\xfe\x00 \x1b]0;title\x07\r\nlast line without end"
    installation.claim(installation.submit(), log=log)
    with installation.started("logs", "1", "--raw") as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, log, b"")


def test_into_a_pipe_go_rows_without_colours(installation: Sandbox) -> None:
    log = b"\x1b[31mred\x1b[0m \x00 \x1b]0;title\x07\r\n" + BARS + b"last line"
    installation.claim(installation.submit(), log=log)
    assert installation.ok("logs", "1") == "red  \n100%|#####|\nlast line"


def test_on_a_terminal_only_colours_stay(installation: Sandbox) -> None:
    log = b"\x1b[31mred\x1b[0m\x1b[2J\x1b]0;x\x07 end\n" + BARS
    installation.claim(installation.submit(), log=log)
    shown = "\x1b[31mred\x1b[0m end\n100%|####\x1b[32m#\x1b[0m|\n"
    assert installation.on_terminal("logs", "1").out == shown
    installation.environ["NO_COLOR"] = "1"
    assert installation.on_terminal("logs", "1").out == "red end\n100%|#####|\n"


def test_a_terminal_that_follows_sees_a_bar_move(installation: Sandbox) -> None:
    installation.claim(installation.submit(), log=b"begin\n 10%")
    ours, theirs = pty.openpty()
    with installation.started("logs", "-f", "1", stdout=theirs) as process:
        os.close(theirs)
        shown = b""
        for more, wanted in (
            (b"", b"begin\r\n 10%"),
            (b"\r 90%", b"\r\x1b[J 90%"),
            (b"\r100%\nend\n", b"\r\x1b[J100%\r\nend\r\n"),
        ):
            installation.write_log("1", 1, more)
            shown = b""
            while not shown.endswith(wanted):
                shown += os.read(ours, 1000)
            assert shown == wanted
        installation.move("1", Event.SUCCEED, mlq_exit_code=0)
        assert process.wait(30) == 0
    os.close(ours)


LONG = b"".join(b"epoch %d: loss %d\n" % (n, n * n) for n in range(1, 1001))


def test_the_last_rows(installation: Sandbox) -> None:
    installation.claim(installation.submit(), log=LONG + BARS + b"end")
    assert installation.ok("logs", "1", "--tail", "1") == "end\n"
    assert installation.ok("logs", "1", "--tail", "3").split("\n") == [
        "epoch 1000: loss 1000000",
        "100%|#####|",
        "end",
        "",
    ]
    assert len(installation.ok("logs", "1", "--tail", "5000").split("\n")) == 1003
    for wrong in ("0", "-1", "x", "1.5"):
        done = installation.run("logs", "1", "--tail", wrong)
        assert (done.code, done.out) == (2, "")
        assert "not a number of lines" in done.err


def test_rows_that_match(installation: Sandbox) -> None:
    installation.claim(installation.submit(), log=LONG + BARS + b"epoch 1001: lo\x1b[1mss 7")
    found = installation.ok("logs", "1", "--grep", r"^epoch \d*00: .*[47]")
    numbers = [n for n in range(100, 1001, 100) if {"4", "7"} & set(str(n * n))]
    assert found.splitlines() == [f"epoch {n}: loss {n * n}" for n in numbers]
    assert installation.ok("logs", "1", "--grep", "loss [27]$") == "epoch 1001: loss 7\n"
    assert installation.ok("logs", "1", "--grep", " 10%") == ""
    last = installation.ok("logs", "1", "--grep", "loss", "--tail", "2")
    assert last == "epoch 1000: loss 1000000\nepoch 1001: loss 7\n"
    done = installation.run("logs", "1", "--grep", "loss (")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("mlq: --grep 'loss (' is not a valid regular expression: missing )")
    assert installation.run("logs", "1", "--raw", "--grep", "x").code == 2


def test_what_matches_is_followed(installation: Sandbox, tmp_path: Path) -> None:
    shown = tmp_path / "out"
    installation.claim(installation.submit(), log=b"loss 1\nother\nlo")
    with (
        shown.open("wb") as out,
        installation.started("logs", "-f", "1", "--grep", "loss", stdout=out) as process,
    ):
        wait_for(lambda: shown.read_bytes() == b"loss 1\n", what="what was there")
        installation.write_log("1", 1, b"ss 2\nother\nloss 3")
        wait_for(lambda: shown.read_bytes() == b"loss 1\nloss 2\n", what="more")
        installation.move("1", Event.SUCCEED, mlq_exit_code=0)
        assert process.wait(30) == 0
    assert shown.read_bytes() == b"loss 1\nloss 2\nloss 3\n"


def test_the_last_rows_are_followed(installation: Sandbox, tmp_path: Path) -> None:
    shown = tmp_path / "out"
    installation.claim(installation.submit(), log=LONG)
    with (
        shown.open("wb") as out,
        installation.started("logs", "-f", "1", "--tail", "2", stdout=out),
    ):
        last = b"".join(LONG.splitlines(keepends=True)[-2:])
        wait_for(lambda: shown.read_bytes() == last, what="the last rows")
        installation.write_log("1", 1, b"more\n")
        wait_for(lambda: shown.read_bytes() == last + b"more\n", what="more")


def test_what_was_written_since(installation: Sandbox) -> None:
    installation.claim(installation.submit(), log=b"old\nold, in two parts\nnew\n")
    usage = Path(installation.queue().layout.folder("1").usage_file(1))
    done = installation.run("logs", "1", "--since", "1s")
    assert (done.code, done.out) == (0, "old\nold, in two parts\nnew\n")  # it has just started
    installation.queue().store.client.call("HSET", "rq:job:1", "started_at", utc_iso(0))
    done = installation.run("logs", "1", "--since", "10m")
    assert (done.code, done.out) == (2, "")
    assert "not known what job 1 wrote in the last 10m: its log has no times" in done.err
    for ago_s, size in ((7200, 4), (3000, 10), (60, 23)):
        with usage.open("ab") as file:
            file.write(line_of(Sample(0, 10, 1.0, 5), (time.time() - ago_s, size)))
    assert installation.ok("logs", "1", "--since", "2m") == "old, in two parts\nnew\n"
    assert installation.ok("logs", "1", "--since", "30s") == "new\n"
    assert installation.ok("logs", "1", "--since", "2m", "--tail", "1") == "new\n"
    assert installation.ok("logs", "1", "--since", "2m", "--grep", "o") == "old, in two parts\n"
    assert installation.ok("logs", "1", "--since", "3d").startswith("old\nold")
    assert installation.run("logs", "1", "--since", "10").code == 2
    installation.move("1", Event.SUCCEED, mlq_exit_code=0, ended_at=utc_iso(time.time() - 90))
    done = installation.run("logs", "1", "--since", "30s")
    assert (done.code, done.out, done.err) == (0, "", "mlq: 1 wrote nothing in the last 30s\n")


def test_ten_gigabytes_open_at_once(installation: Sandbox) -> None:
    installation.claim(installation.submit(), log=b"first\n" * 100)
    log = installation.queue().layout.log_file("1", 1)
    os.truncate(log, 10 << 30)
    installation.write_log("1", 1, b"\n" + LONG)
    began = time.monotonic()
    assert installation.ok("logs", "1", "--tail", "1") == "epoch 1000: loss 1000000\n"
    assert installation.ok("logs", "1", "--tail", "1", "--raw") == "epoch 1000: loss 1000000\n"
    found = installation.ok("logs", "1", "--grep", "epoch 10?:", "--tail", "2")
    assert found == "epoch 1: loss 1\nepoch 10: loss 100\n"
    with installation.started("logs", "1") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"first\n"
    assert time.monotonic() - began < 20  # measured: 1.1 s


def test_a_pager_that_closes_early_is_no_error(installation: Sandbox) -> None:
    installation.claim(installation.submit(), log=LONG * 500)
    for words in (("logs", "1"), ("logs", "1", "--grep", "loss"), ("logs", "1", "-f")):
        with installation.started(*words) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == b"epoch 1: loss 1\n"
            process.stdout.close()
            assert (process.wait(30), process.stderr.read()) == (141, b"")


def test_ctrl_c_ends_a_search_that_never_ends(installation: Sandbox) -> None:
    installation.claim(installation.submit(), log=b"loss 1\n" + b"a" * 60_000 + b"b\n" * 9)
    with installation.started("logs", "1", "--grep", "^(a+)+$|loss") as process:
        wait_for(lambda: _cpu_s(process.pid) > 1, what="the search to be deep in it")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"")


def _cpu_s(pid: int) -> float:
    times = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def test_a_big_log_passes_through_in_pieces(installation: Sandbox) -> None:
    line = b"x" * 50_000_000
    installation.claim(installation.submit(), log=line)
    with installation.started("logs", "1") as process:
        assert process.stdout is not None
        size = 0
        while piece := process.stdout.read1(1 << 20):
            size += len(piece)
            if size == len(piece):
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        assert process.wait(30) == 0
    assert size == len(line)
    (resident,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    assert int(resident.split()[1]) < 45_000


def make_pipe(log: Path) -> None:
    os.mkfifo(log)


def link_to_zero(log: Path) -> None:
    log.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "why"),
    [(make_pipe, "a named pipe"), (link_to_zero, "a symbolic link"), (Path.mkdir, "a folder")],
)
def test_what_a_job_put_in_the_place_of_its_log_hangs_and_floods_nobody(
    installation: Sandbox, make: Callable[[Path], None], why: str
) -> None:
    installation.claim(installation.submit(), log=b"")
    log = Path(installation.environ["MLQ_ROOT"], "jobs/1/attempts/1/output.log")
    log.unlink()
    make(log)
    done = installation.run("logs", "1")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"mlq: cannot show {log}: it is {why}\n"


@pytest.mark.parametrize(
    ("claimed", "why"), [(False, "it is queued and has never started"), (True, "it has only just")]
)
def test_no_log_yet(installation: Sandbox, claimed: bool, why: str) -> None:
    installation.submit()
    if claimed:
        installation.claim("1", log=None)
    done = installation.run("logs", "1")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"mlq: no log of 1: {why}")


def test_a_log_that_is_not_whole_is_said_to_be_so(installation: Sandbox) -> None:
    installation.claim(installation.submit(), log=b"end\n")
    notes = {"mlq_notes": "its log was emptied\nnew in /dev/shm: x", "mlq_usage": "9.25 1536"}
    installation.move("1", Event.SUCCEED, mlq_exit_code=0, **notes)
    done = installation.run("logs", "1")
    assert (done.code, done.out, done.err) == (0, "end\n", "mlq: 1: its log was emptied\n")
    shown = installation.ok("show", "1")
    assert "used       1.5G of the " in shown
    assert "note       its log was emptied\n  note       new in /dev/shm: x\n" in shown


def test_each_attempt_has_its_own_log(installation: Sandbox) -> None:
    installation.claim(installation.submit(), log=b"first\n")
    installation.move("1", Event.RELEASE)
    installation.claim("1", log=b"second\n")
    assert installation.ok("logs", "1") == "second\n"
    assert installation.ok("logs", "1", "--attempt", "1") == "first\n"
    for wrong in ("3", "0", "-1"):
        done = installation.run("logs", "1", "--attempt", wrong)
        assert (done.code, done.out) == (2, "")
        assert done.err == f"mlq: job 1 has no attempt {wrong}: it has had 2\n"


def test_several_logs_have_heads(installation: Sandbox) -> None:
    for name in ("a", "b"):
        installation.claim(installation.submit(name=name), log=f"of {name}\n".encode())
    assert installation.ok("logs", "1-2") == "==> 1 a <==\nof a\n==> 2 b <==\nof b\n"


def test_follow_goes_on_to_the_next_attempt_and_ends_with_the_job(
    installation: Sandbox, tmp_path: Path
) -> None:
    shown, said = tmp_path / "out", tmp_path / "err"
    installation.submit()
    with (
        shown.open("wb") as out,
        said.open("wb") as err,
        installation.started("logs", "-f", "1", stdout=out, stderr=err) as process,
    ):
        wait_for(lambda: "1 is queued" in said.read_text(), what="the remark that it waits")
        installation.claim("1", "gpu07", log=b"epoch 1\n")
        wait_for(lambda: shown.read_bytes() == b"epoch 1\n", what="the log")
        installation.write_log("1", 1, b"epoch 2\n")
        wait_for(lambda: shown.read_bytes().endswith(b"epoch 2\n"), what="more of the log")
        installation.move("1", Event.LOSE, mlq_reason="lost: machine gpu07 rebooted")
        wait_for(lambda: "gpu07 rebooted" in said.read_text(), what="the loss to be told")
        installation.claim("1", "ray12", log=b"resumed\n")
        installation.write_log("1", 2, b"last words")
        installation.move("1", Event.SUCCEED, mlq_exit_code=0)
        assert process.wait(30) == 0
    assert shown.read_bytes() == b"epoch 1\nepoch 2\nresumed\nlast words"
    remarks = said.read_text()
    assert "attempt 1 ended: lost: machine gpu07 rebooted; the job is queued again" in remarks
    assert "mlq: 1: attempt 2 on ray12\n" in remarks
    assert remarks.endswith("mlq: 1 finished\n")


@pytest.mark.parametrize("more", [b"", b"x" * 1000 + b"\n"], ids=["shorter", "longer than before"])
def test_follow_goes_on_when_a_job_empties_its_log(
    installation: Sandbox, tmp_path: Path, more: bytes
) -> None:
    shown, said = tmp_path / "out", tmp_path / "err"
    installation.claim(installation.submit(), log=b"epoch 1\n")
    log = installation.queue().layout.log_file("1", 1)
    with (
        shown.open("wb") as out,
        said.open("wb") as err,
        installation.started("logs", "-f", "1", stdout=out, stderr=err) as process,
    ):
        wait_for(lambda: shown.read_bytes() == b"epoch 1\n", what="the log")
        with log.open("ab") as stderr:  # the shell opens what its standard error is anew
            script = f"echo anew > /dev/stderr; printf %s '{more.decode()}' >&2"
            subprocess.run(["sh", "-c", script], stderr=stderr, check=True)
        wait_for(lambda: shown.read_bytes().endswith(b"anew\n" + more), what="what came then")
        installation.move("1", Event.SUCCEED, mlq_exit_code=0)
        assert process.wait(30) == 0
    assert shown.read_bytes() == b"epoch 1\nanew\n" + more
    assert "mlq: 1: its log was emptied; what was in it is only above" in said.read_text()


def test_follow_of_an_ended_job_ends_at_once(installation: Sandbox) -> None:
    installation.claim(installation.submit(), log=b"all\n")
    installation.move("1", Event.FAIL, mlq_exit_code=1, mlq_reason="exit 1")
    done = installation.run("logs", "-f", "1")
    assert (done.code, done.out, done.err) == (0, "all\n", "mlq: 1 failed: exit 1\n")


def test_ctrl_c_while_following_is_quiet(installation: Sandbox, tmp_path: Path) -> None:
    installation.claim(installation.submit(), log=b"begun\n")
    shown = tmp_path / "out"
    with shown.open("wb") as out, installation.started("logs", "-f", "1", stdout=out) as process:
        wait_for(lambda: shown.read_bytes() == b"begun\n", what="the log")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"")


def test_a_root_that_cannot_be_read_is_told(installation: Sandbox) -> None:
    installation.claim(installation.submit(), log=b"x")
    jobs = installation.folder / "root/jobs/1"
    jobs.rename(jobs.with_name("elsewhere"))
    jobs.write_text("a file where a folder should be")
    done = installation.run("logs", "1")
    assert done.code == 1
    assert done.err.startswith(f"mlq: cannot read {jobs}/attempts/1/output.log: Not a directory\n")


def test_a_sweep_is_followed_together(installation: Sandbox, tmp_path: Path) -> None:
    shown = tmp_path / "out"
    installation.start_server()
    words = ("-n", "lr", "--param", "lr=1,2,3", "--max-fails", "0", "--", "true", "{args}")
    installation.ok("enqueue", "--in-place", *words)
    for member, log in (("1_0", LONG + b" 10%"), ("1_1", b"loss 1\nother\n")):
        installation.claim(member, log=log)
    assert installation.run("logs", "-f", "lr", "--raw").code == 2
    with (
        shown.open("wb") as out,
        installation.started("logs", "-f", "lr", "--tail", "1", stdout=out) as process,
    ):
        wait_for(lambda: b"other" in shown.read_bytes(), what="what was there")
        installation.write_log("1_0", 1, b"\r 90%\r100%\nend")
        wait_for(lambda: b"100%" in shown.read_bytes(), what="the bar's end")
        installation.claim("1_2", log=b"of the third\n")
        for member in ("1_0", "1_1", "1_2"):
            installation.move(member, Event.SUCCEED, mlq_exit_code=0)
        assert process.wait(30) == 0
    lines = set(shown.read_text().splitlines())
    assert {"1_0 | 100%", "1_0 | end", "1_1 | other", "1_2 | of the third"} <= lines
    assert len(lines) <= 5
    found = installation.ok("logs", "lr", "--grep", "of|loss 1$").splitlines()
    heads = ["==> 1_0 lr <==", "==> 1_1 lr <==", "==> 1_2 lr <=="]
    assert found == [heads[0], "epoch 1: loss 1", heads[1], "loss 1", heads[2], "of the third"]
