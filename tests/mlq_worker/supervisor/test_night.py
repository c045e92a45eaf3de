"""Hours of the night, with a real supervisor and a real job: its clock is this machine's."""

from __future__ import annotations

from datetime import datetime, timedelta

from supervising import Bench, is_stopped
from waiting import wait_for

from mlq_worker.guest.rules import GuestRules
from mlq_worker.ipc.messages import Manners

TICKS = "import time\nwhile True: time.sleep(0.01)"


def night(begins_in_h: int, ends_in_h: int) -> GuestRules:
    now = datetime.now()
    since, until = (now + timedelta(hours=hours) for hours in (begins_in_h, ends_in_h))
    return GuestRules(guest="night", hours=f"{since:%H:%M}-{until:%H:%M}")


def test_jobs_run_in_their_hours_only(bench: Bench) -> None:
    bench.link.send(Manners(night(-2, 2).as_json()).to_json())
    bench.python("1", TICKS)
    leader = bench.running("1")
    bench.link.send(Manners(night(2, 4).as_json()).to_json())
    wait_for(lambda: is_stopped(leader), what="the pause")
    held = bench.until(lambda: [one for one in bench.guest if one["restrained"]], "the news")[-1]
    assert held["restrained"] == [["1", 1, ["hours"], "outside hours", None]]
    bench.start(bench.order("2", "true"))
    assert bench.result("2")["reason"] == f"handed back: {held['closed']}"
    assert held["closed"].startswith("outside hours until ")
    bench.link.send(Manners(night(-1, 1).as_json()).to_json())
    wait_for(lambda: not is_stopped(leader), what="its hours")
    bench.start(bench.order("3", "true"))
    assert bench.result("3")["outcome"] == "exited"
