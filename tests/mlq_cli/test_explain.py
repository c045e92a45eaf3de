"""`mlq explain` against a real server."""

import json
import re

from sandbox import Sandbox

from mlq.jobs.lifecycle import Event
from mlq.jobs.restraint import Restraint
from mlq.store.operations import Move


def test_it_names_what_is_short_on_each_machine(installation: Sandbox) -> None:
    installation.know("gpu07", cores_total=8, cores_free=2, mem_total_mib=65536, mem_free_mib=65536)
    installation.know("small", cores_total=2, cores_free=2, mem_total_mib=8192, mem_free_mib=8192)
    installation.submit(cores=4, name="train")
    head, ahead, conclusion, _, *table = installation.ok("explain", "train").splitlines()
    assert re.fullmatch(r"1 train is queued for \d+s; it asks for 4c 2G", head)
    assert ahead == "0 jobs before it in line."
    assert conclusion == "It starts when what is short becomes free."
    assert [re.split("  +", line) for line in table] == [
        ["MACHINE", "FITS", "WHY NOT NOW"],
        ["gpu07", "later", "4 cores needed, 2 of 8 free"],
        ["small", "never", "4 cores needed, it has 2 in all"],
    ]


def test_it_counts_the_jobs_ahead_by_priority_then_order(installation: Sandbox) -> None:
    installation.submit(cores=2)
    installation.submit(cores=4)
    installation.submit(cores=2, priority=5)
    installation.submit(cores=2, priority=-5)
    installation.submit(cores=2)
    installation.submit(cores=4)
    (found,) = json.loads(installation.ok("explain", "5", "--json"))
    assert found == {
        "id": "5",
        "state": "queued",
        "reason": "",
        "paused_by": [],
        "cores_now": None,
        "held": "",
        "ahead": 3,
        "after": {},
        "conditions": {},
        "behind": "",
        "machines": [],
    }


def test_it_names_the_parents_that_are_waited_for(installation: Sandbox) -> None:
    for _ in range(3):
        installation.claim(installation.submit())
    installation.move("2", Event.SUCCEED)
    installation.submit(after=("1", "2", "3"))
    assert "It starts only after 1 (started), 3 (started)." in installation.ok("explain", "4")
    (found,) = json.loads(installation.ok("explain", "4", "--json"))
    assert found["after"] == {"1": "started", "2": "finished", "3": "started"}


def test_it_says_how_parents_must_end_and_what_comes_first_of_a_name(
    installation: Sandbox,
) -> None:
    for _ in range(2):
        installation.claim(installation.submit())
    enqueue = ("enqueue", "--clean-env", "--in-place")
    installation.ok(*enqueue, "--after", "1,failed:2", "true")
    assert "It starts only after 1 (started), the failure of 2 (started)." in installation.ok(
        "explain", "3"
    )
    assert re.search(r"after +1, the failure of 2\n", installation.ok("show", "3"))
    for _ in range(2):
        installation.ok(*enqueue, "-n", "train", "--singleton", "--no-requeue", "true")
    said = "It starts only after the end of 4 (queued), for it comes after all earlier jobs called"
    assert f"{said} train." in installation.ok("explain", "5")
    (shown,) = json.loads(installation.ok("show", "5", "--json"))
    assert (shown["singleton"], shown["behind"], shown["requeue"]) == (True, "4", False)
    held = installation.ok(*enqueue, "--hold", "true").strip()
    assert f"Let it go: mlq release {held}" in installation.ok("explain", held)


def test_it_names_reservations_and_silent_machines(installation: Sandbox) -> None:
    for machine in ("gpu07", "gpu08"):
        installation.know(
            machine, cores_total=8, cores_free=8, mem_total_mib=9999, mem_free_mib=9999
        )
    installation.submit(cores=8)
    installation.submit()
    store = installation.queue().store
    assert store.reserve_machine("1", "gpu07", 60) == "gpu07"
    store.client.call("ZINCRBY", "mlq:machines", -600, "gpu08")
    assert "gpu07 is kept free for it" in installation.ok("explain", "1")
    text = installation.ok("explain", "2")
    assert re.search(r"gpu07 +later +kept free for job 1, which has waited long", text)
    assert re.search(r"gpu08 +later +not heard of for 10m", text)


def test_a_job_that_does_not_wait(installation: Sandbox) -> None:
    installation.claim(installation.submit())
    installation.claim(installation.submit())
    installation.move("2", Event.FAIL, mlq_reason="exit 1")
    running, ended = installation.ok("explain", "1-2").split("\n\n")
    assert re.fullmatch(r"1 runs on gpu07 for \d+s, attempt 1", running)
    assert ended == "2 waits no more: it is failed: exit 1\n"


def test_a_machine_that_was_lost_under_the_job_is_avoided(installation: Sandbox) -> None:
    installation.know("gpu07", cores_total=8, cores_free=8, mem_total_mib=9999, mem_free_mib=9999)
    installation.claim(installation.submit())
    store = installation.queue().store
    store.move([Move("1", Event.LOSE, 1, avoid="gpu07")], 0, avoid_s=600)
    assert "It fits gpu07 and should start" in installation.ok("explain", "1")  # there is no other
    installation.know("small", cores_total=1, cores_free=0)
    assert "this job failed or was lost here" in installation.ok("explain", "1")


def test_a_running_job_that_is_held_back_says_why(installation: Sandbox) -> None:
    installation.submit(cores=1)
    installation.claim("1")
    held_back = Restraint(("off",), "off by ab12 until 22:00").text
    installation.queue().store.client.call("HSET", "rq:job:1", "mlq_restraint", held_back)
    assert installation.ok("explain", "1").endswith(" (paused: off by ab12 until 22:00)\n")
    (found,) = json.loads(installation.ok("explain", "1", "--json"))
    assert (found["paused_by"], found["cores_now"]) == (["off"], None)
