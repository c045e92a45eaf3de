"""The supervisor with real processes: how jobs start, write, end and are ended."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys

import pytest
from disks import small_disk, unwritable
from supervising import Bench, process_runs
from waiting import wait_for

pytestmark = pytest.mark.slow

FOREVER = "import signal; signal.pause()"
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
for _ in range(2):
    os.fork()
open(os.environ["HERE"] + "/ready-%d" % os.getpid(), "w").close()
while True:
    signal.pause()
"""


def test_output_goes_straight_to_the_log_and_the_result_to_nfs(bench: Bench) -> None:
    code = "import os; print('out'); os.write(2, b'\\xff\\xfe\\n'); raise SystemExit(3)"
    bench.python("1042_7", code)
    result = bench.result("1042_7")
    assert (result["outcome"], result["exit_code"], result["reason"]) == ("exited", 3, "exit 3")
    assert sorted(bench.log("1042_7").splitlines()) == [b"out", b"\xff\xfe"]
    assert result.pop("has_said"), "told to the worker only"
    assert json.loads(bench.layout.result_file("1042_7", 1).read_bytes()) == result
    assert result["cpu_s"] > 0
    assert result["max_rss_mib"] > 0
    assert result["started_at"] < result["ended_at"]
    assert bench.layout.job_file("1042_7").read_text() == '{"argv":[]}'
    for path in (bench.layout.checkpoint_dir("1042_7"), bench.layout.output_dir("1042_7")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(bench.layout.log_file("1042_7", 1).stat().st_mode) == 0o600


def test_a_line_of_100_mb_just_lands_in_the_log(bench: Bench) -> None:
    bench.python("1", "import os\nfor _ in range(100): os.write(1, b'x' * 1_000_000)")
    assert bench.result("1")["exit_code"] == 0
    assert bench.layout.log_file("1", 1).stat().st_size == 100_000_000


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGKILL, "killed by SIGKILL, perhaps out of memory"),
        (signal.SIGSEGV, "killed by SIGSEGV"),
    ],
)
def test_a_signal_is_the_reason(bench: Bench, number: int, reason: str) -> None:
    bench.start(bench.order("1", "sh", "-c", f"kill -{int(number)} $$"))
    result = bench.result("1")
    assert (result["outcome"], result["signal"], result["exit_code"]) == ("signaled", number, None)
    assert result["reason"] == reason


def test_a_job_finds_a_clean_process(bench: Bench) -> None:
    code = (
        "import os, signal, json; print(json.dumps(["
        "os.getcwd(), os.getsid(0) == os.getpid(), os.umask(0), os.readlink('/proc/self/fd/0'),"
        "sorted(os.listdir('/proc/self/fd')), "
        "[l.split()[1] for l in open('/proc/self/status') if l.startswith(('SigBlk', 'SigIgn'))]"
        "]))"
    )
    bench.start(bench.order("1", "env", "-u", "PYTHONPATH", sys.executable, "-c", code))
    bench.result("1")
    cwd, own_session, umask, stdin, descriptors, masks = json.loads(bench.log("1"))
    assert cwd == str(bench.root.parent)
    assert own_session
    assert umask == 0o077
    assert stdin == os.devnull
    assert len(descriptors) == 4  # the standard ones, and the listing's own
    assert int(masks[0], 16) == 0
    python_ignores = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1
    c_library_ignores = 1 << 32 - 1 | 1 << 33 - 1  # its own two, after posix_spawn
    assert int(masks[1], 16) & ~c_library_ignores == python_ignores


def test_the_time_limit_ends_a_job(bench: Bench) -> None:
    bench.python("1", FOREVER, time_limit_s=0.3)
    result = bench.result("1")
    assert (result["outcome"], result["reason"]) == ("timeout", "timeout after 0.3s")
    assert result["signal"] == signal.SIGTERM


def test_stop_gives_the_whole_group_its_grace(bench: Bench) -> None:
    child = (
        "import signal, time, os\n"
        "def save(*_):\n"
        "    time.sleep(0.5); open(os.environ['HERE'] + '/saved', 'w').write('yes'); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "open(os.environ['HERE'] + '/ready', 'w').write('yes')\n"
        "while True: signal.sigtimedwait((), 0.1)"
    )
    bench.start(bench.order("1", "sh", "-c", f'{sys.executable} -c "$0" & wait', child))
    bench.file("ready")
    bench.stop("1", "released", "released: make room")
    assert bench.result("1")["outcome"] == "released"
    assert bench.file("saved") == "yes"  # though the shell itself died at once


def test_a_job_that_hides_and_ignores_sigterm_is_gone_after_stop(bench: Bench) -> None:
    bench.python("1", STUBBORN, stop_grace_s=0.3)
    wait_for(lambda: len(list(bench.root.parent.glob("ready-*"))) == 8, what="the whole tree")
    assert len(bench.alive()) == 8
    bench.stop("1")
    result = bench.result("1")
    assert bench.alive() == set()
    assert (result["outcome"], result["reason"]) == ("canceled", "canceled")
    assert result["signal"] == signal.SIGKILL


def test_what_a_job_leaves_behind_is_gone_before_its_end_is_told(bench: Bench) -> None:
    leave = f"setsid -f {sys.executable} -c '{FOREVER}'; {sys.executable} -c '{FOREVER}' & exit 0"
    bench.start(bench.order("1", "sh", "-c", leave))
    assert bench.result("1")["reason"] == "exit 0"
    assert bench.alive() == set()


def test_a_fork_bomb_ends(bench: Bench) -> None:
    bomb = (
        "import os, time\nend = time.monotonic() + 60\nprint(1, flush=True)\n"
        "for _ in range(8): os.fork()\n"
        "while time.monotonic() < end:\n"
        "    if os.fork(): os._exit(0)\n"
    )
    bench.python("1", bomb, stop_grace_s=0)
    bench.until(lambda: bench.layout.log_file("1", 1).exists() and bench.log("1"), "its output")
    bench.stop("1")
    bench.result("1")
    assert bench.alive() == set()


def test_lost_kills_at_once(bench: Bench) -> None:
    bench.python("1", STUBBORN, stop_grace_s=1000)
    wait_for(lambda: len(list(bench.root.parent.glob("ready-*"))) == 8, what="the whole tree")
    bench.confirm(lost=("1",))
    assert bench.result("1")["outcome"] == "lost"
    assert bench.alive() == set()


@pytest.mark.parametrize(
    ("argv", "exit_code", "reason"),
    [
        (["trian.py"], 127, "command not found: trian.py"),
        (["./trian.py"], 127, "command not found: ./trian.py"),
        (["./plain"], 126, "permission denied: {here}/plain"),
        (["./bad"], 127, "interpreter not found: /no/python (first line of {here}/bad)"),
        (["./text"], 126, "not a program: {here}/text (a script needs a first line such as"),
    ],
)
def test_a_command_that_cannot_start_says_why(
    bench: Bench, argv: list[str], exit_code: int, reason: str
) -> None:
    here = bench.root.parent
    for name, text, mode in (
        ("plain", "#!/bin/sh\n", 0o600),
        ("bad", "#!/no/python -u\n", 0o700),
        ("text", "echo hello\n", 0o700),
    ):
        (here / name).write_text(text)
        (here / name).chmod(mode)
    bench.start(bench.order("1", *argv))
    result = bench.result("1")
    assert (result["outcome"], result["exit_code"]) == ("unstartable", exit_code)
    assert result["reason"].startswith(reason.format(here=here))
    assert json.loads(bench.layout.result_file("1", 1).read_bytes()) == result


def test_a_missing_working_directory_is_the_jobs_fault(bench: Bench) -> None:
    bench.start(bench.order("1", "true", cwd="/no/such/place"))
    result = bench.result("1")
    assert result["outcome"] == "unstartable"
    assert result["reason"] == "working directory missing: /no/such/place"


def test_an_argument_list_that_is_too_long_is_the_jobs_fault(bench: Bench) -> None:
    bench.start(bench.order("1", "true", "x" * 1_000_000))
    assert bench.result("1")["reason"] == "cannot start: Argument list too long"


def test_a_missing_root_is_the_storages_fault_and_is_never_made(bench: Bench) -> None:
    bench.root.rename(bench.root.parent / "unmounted")
    bench.start(bench.order("1", "true"))
    result = bench.result("1")
    assert result["outcome"] == "storage"
    what = f"there is no {bench.root}; is the share mounted?"
    assert result["reason"] == f"not the queue's results root: {what}"
    assert not bench.root.exists()


def test_a_result_that_cannot_be_written_is_told_and_written_later(bench: Bench) -> None:
    bench.python("1", FOREVER)
    pid = bench.running("1")
    away = bench.root.parent / "away"
    bench.root.rename(away)
    os.kill(pid, signal.SIGKILL)
    assert bench.result("1")["signal"] == signal.SIGKILL
    away.rename(bench.root)
    wait_for(bench.layout.result_file("1", 1).exists, what="result.json, at the second try")


def test_a_lane_runs_its_width_in_order(bench: Bench) -> None:
    code = "import os,time; open(os.environ['HERE'] + '/order', 'a').write(os.environ['N'])"
    orders = [bench.order(str(n), sys.executable, "-c", code, lane="x") for n in range(1, 6)]
    for order in orders:
        order["env"]["N"] = order["id"]
    bench.start(bench.order("9", sys.executable, "-c", FOREVER, lane="x"), *orders)
    bench.running("9")
    bench.stop("3")  # a waiting order ends at once, while the lane is full
    assert bench.result("3")["outcome"] == "canceled"
    assert set(bench.started) == {"9"}
    bench.stop("9")
    bench.until(lambda: len(bench.results) == 6, "all ends")
    assert bench.file("order") == "1245"


def test_orders_without_a_lane_start_at_once(bench: Bench) -> None:
    bench.start(*(bench.order(str(n), sys.executable, "-c", FOREVER) for n in range(1, 5)))
    bench.until(lambda: len(bench.started) == 4, "four starts")
    assert all(process_runs(item["pid"]) for item in bench.started.values())


def test_a_repeated_order_starts_once(bench: Bench) -> None:
    order = bench.order("1", "sh", "-c", "echo x")
    bench.start(order, order)
    bench.result("1")
    bench.start(order)
    bench.start(bench.order("2", "true"))
    bench.result("2")
    assert bench.log("1") == b"x\n"


@pytest.mark.root
def test_a_full_disk_is_the_storages_fault(bench: Bench) -> None:
    """A tmpfs without a free inode: ENOSPC, as on a full NFS."""
    with small_disk(bench.root, "nr_inodes=2,mode=700"):
        bench.own()
        bench.start(bench.order("1", "true"))
        result = bench.result("1")
    assert result["outcome"] == "storage"
    assert result["reason"].endswith(": No space left on device")


def test_an_unwritable_root_is_the_storages_fault(bench: Bench) -> None:
    bench.layout.jobs_dir.mkdir(mode=0o700)
    with unwritable(bench.layout.jobs_dir):
        bench.start(bench.order("1", "true"))
        result = bench.result("1")
    assert result["outcome"] == "storage"
    assert result["reason"].endswith((": Permission denied", ": Read-only file system"))
