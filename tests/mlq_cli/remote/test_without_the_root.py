"""A laptop that does not mount the results root: logs and folders are looked at over ssh."""

from __future__ import annotations

import os
import shlex
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from git_projects import repository, write
from laptop import Laptop
from measured import measure
from sandbox import Sandbox
from waiting import wait_for

from mlq.jobs.lifecycle import Event
from mlq.metrics.series import Point

pytestmark = [pytest.mark.one_server, pytest.mark.slow]


def test_a_log_is_read_where_it_lies(home: Sandbox, laptop: Laptop) -> None:
    everything = bytes(range(256)) * 4096
    number = home.submit()
    home.claim(number, log=everything)
    assert laptop.run("ls").code == 0
    with laptop.started("logs", number, "--raw") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err, out == everything) == (0, b"", True)


def test_ten_gigabytes_are_searched_where_they_lie(home: Sandbox, laptop: Laptop) -> None:
    number = home.submit()
    home.claim(number, log=b"first\n")
    log = home.queue().layout.log_file(number, 1)
    os.truncate(log, 10 << 30)
    home.write_log(number, 1, b"\nloss 1\n 1%\r 2%\nloss \x1b[1m2\x1b[0m\nend")
    assert laptop.ok("logs", number, "--tail", "3") == " 2%\nloss 2\nend\n"
    assert laptop.ok("logs", number, "--grep", "loss", "--tail", "2") == "loss 1\nloss 2\n"
    home.move(number, Event.SUCCEED, mlq_exit_code=0)
    done = laptop.run("logs", "-f", number, "--tail", "2")
    assert (done.code, done.out) == (0, "loss 2\nend")


@pytest.mark.parametrize("laptop", ["openssh"], indirect=True)
def test_a_search_that_never_ends_ends_there_with_ctrl_c_here(
    home: Sandbox, laptop: Laptop
) -> None:
    number = home.submit()
    home.claim(number, log=b"a" * 60_000 + b"b\n" * 9)
    assert laptop.run("ls").code == 0
    log = str(home.queue().layout.log_file(number, 1))

    def searching() -> list[str]:
        """The readers of this log that have matched for a second."""
        found = []
        for one in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                times = (one / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
                is_deep = sum(map(int, times)) > os.sysconf("SC_CLK_TCK")
                if is_deep and log in [str(fd.readlink()) for fd in (one / "fd").iterdir()]:
                    found.append(one.name)
        return found

    with laptop.started("logs", number, "--grep", "^(a+)+$") as process:
        (there,) = wait_for(searching, what="the search to be deep in it")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    wait_for(lambda: there not in searching(), what="the search there to end")


def test_it_is_followed_to_the_end_of_the_job_though_the_connection_breaks(
    home: Sandbox, laptop: Laptop
) -> None:
    number = home.submit()
    home.claim(number, log=b"one\n")
    shown = laptop.folder / "shown"
    with shown.open("wb") as out, laptop.started("logs", "-f", number, stdout=out) as process:
        wait_for(lambda: shown.read_bytes() == b"one\n", what="the log")
        home.write_log(number, 1, b"two\n")
        wait_for(lambda: shown.read_bytes() == b"one\ntwo\n", what="more of it")
        laptop.gate.wire.drop_all()
        home.write_log(number, 1, b"three\n")
        wait_for(lambda: shown.read_bytes() == b"one\ntwo\nthree\n", what="more, on a new one")
        home.move(number, Event.SUCCEED, mlq_exit_code=0)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err.decode().endswith(f"mlq: {number} finished\n")
    assert shown.read_bytes() == b"one\ntwo\nthree\n"


def test_what_is_no_log_is_refused_there_too(home: Sandbox, laptop: Laptop) -> None:
    number = home.submit()
    home.claim(number, log=None)
    log = home.queue().layout.log_file(number, 1)
    assert laptop.run("logs", number).err.startswith(f"mlq: no log of {number}: ")
    log.parent.mkdir(parents=True)
    os.mkfifo(log)
    done = laptop.run("logs", number)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"mlq: cannot show {log}: it is a named pipe\n"


def test_it_is_said_where_the_root_is_not_either(home: Sandbox, laptop: Laptop) -> None:
    number = home.submit()
    home.claim(number, log=b"x")
    done = laptop.run("logs", number, environ={"MLQ_ROOT": "/nonexistent/root"})
    assert done.code == 1
    assert "/nonexistent/root is neither here nor on queue" in done.err


def test_show_and_retry_need_no_root(home: Sandbox, laptop: Laptop) -> None:
    number = home.submit()
    home.claim(number, log=b"x")
    home.move(number, Event.FAIL, mlq_exit_code=3, mlq_reason="exit 3")
    assert "exit 3" in laptop.ok("show", number)
    laptop.ok("retry", number)
    assert home.queue().views([number])[0].state == "queued"


def test_a_folder_that_the_queues_host_lacks_is_said_at_enqueue(
    home: Sandbox, laptop: Laptop
) -> None:
    there = home.folder / "data"
    assert laptop.ok("enqueue", "--cwd", str(there), "true").strip().isdecimal()
    if laptop.environ["MLQ_TUNNEL"] == "sshtunnel":
        return  # no connection of it can be had for a question, and a new one would take too long
    done = laptop.run("enqueue", "--cwd", "/home/me/laptop only", "true")
    assert done.code == 0
    assert "queue has no folder /home/me/laptop only;" in done.err


@pytest.mark.parametrize("laptop", ["openssh"], indirect=True)
def test_a_day_at_a_laptop(home: Sandbox, laptop: Laptop) -> None:
    """Edit, enqueue, edit again, read what was run; nothing is copied by hand."""
    desk, real = laptop.folder / "desk", laptop.folder / "real"
    desk.mkdir()
    lab = home.folder / "lab"
    write(lab, {"data/x": "datum", "sub/weights.pt": "", "stale.py": "", "lightning_logs/y": ""})
    repository(
        real, {".gitignore": "data/\n*.pt\nhere/\n", "train.py": "print(1)\n", "sub/b.py": ""}
    )
    write(real, {"here/x": "on the laptop only"})
    # The project is on the laptop only: elsewhere its folder is empty.
    seen = shlex.quote(str(desk))
    text = laptop.program.read_text().replace(
        " && exec", f" && mount -t tmpfs none {seen} && cp -a {real} {seen}/project && exec"
    )
    laptop.program.write_text(text)
    project = desk / "project"
    words = ("enqueue", "--cwd", str(project / "sub"), "python", str(project / "train.py"))
    wanted = {"MLQ_SNAPSHOT": "true"}

    refused = laptop.run(*words, environ=wanted)
    assert refused.code == 2
    assert f"queue has no folder {project}" in refused.err
    assert f"in {project}/pyproject.toml, under [tool.mlq]: live = " in refused.err
    assert not (home.folder / "root" / "code").exists()

    write(real, {"pyproject.toml": f'[tool.mlq]\nlive = "{lab}"\n'})
    done = laptop.run(*words, environ=wanted)
    assert (done.code, done.out, done.err) == (0, "1\n", "")
    spec = home.spec_of("1")
    assert (spec["cwd"], spec["argv"]) == (f"{lab}/sub", ["python", "../train.py"])
    assert (spec["code"]["project"], spec["code"]["subfolder"]) == (str(lab), "sub")
    assert spec["program"] == ""
    assert f"{spec['code']['pack']}.tgz" in os.listdir(home.folder / "root" / "code")  # noqa: PTH208

    write(real, {"train.py": "print(2)\n"})
    assert laptop.run(*words, environ=wanted).code == 0
    compared = laptop.run("diff", "1", "2")
    assert "-print(1)\n+print(2)\n" in compared.out
    written = laptop.run("code", "1", str(laptop.folder / "old"))
    assert written.code == 0, written
    assert (laptop.folder / "old/train.py").read_text() == "print(1)\n"
    assert (laptop.folder / "old/data/x").read_text() == "datum"
    assert (laptop.folder / "old/sub/weights.pt").is_symlink()
    written_too = sorted(one.name for one in (laptop.folder / "old").iterdir())
    assert written_too == [".gitignore", "data", "pyproject.toml", "sub", "train.py"]


@pytest.mark.parametrize("laptop", ["openssh"], indirect=True)
def test_curves_are_read_where_they_lie(home: Sandbox, laptop: Laptop) -> None:
    number = home.submit(name="curved")
    first = [Point(step, 10.0 * step, {"loss": 5.0 - step, "acc": step}) for step in range(4)]
    again = [Point(step, 99.0 + step, {"loss": 3.0 + step, "acc": -step}) for step in (2, 3)]
    measure(home, number, first, again, event=Event.SUCCEED)
    done = laptop.run("results", "curved", "--at", "min:loss", "--csv", "--cols", "loss,acc,step")
    assert (done.code, done.err) == (0, "")
    assert done.out == "loss,acc,step\n4.0,1.0,1.0\n"
    drawn = laptop.run("plot", "curved", "--y", "loss")
    assert drawn.code == 0, drawn.err
    assert drawn.out.startswith("loss\n")
    gone = laptop.run("plot", "curved", "--y", "loss", environ={"MLQ_ROOT": "/nonexistent/root"})
    assert gone.code == 1
    assert "/nonexistent/root is neither here nor on queue" in gone.err
