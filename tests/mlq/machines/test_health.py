"""The condition of a machine in plain words."""

import pytest

from mlq.machines.health import LastHeard, LastSeen, in_words, read_sightings

LEASE_S, FENCE_S, DEAD_S = 45.0, 60.0, 90.0


def words(heard: LastHeard, sighting: LastSeen | None) -> str:
    return in_words(heard, sighting, LEASE_S, FENCE_S, DEAD_S)


@pytest.mark.parametrize(
    ("heard_s", "sighting", "said"),
    [
        (180.0, LastSeen(8.0), "tunnel down for 3m; alive by NFS"),
        (70.0, LastSeen(65.4), "not heard of for 1m5s; its jobs are queued again at 1m30s"),
        (65.4, LastSeen(70.0), "not heard of for 1m5s; its jobs are queued again at 1m30s"),
        (47.0, LastSeen(46.0), "not heard of for 46s; its jobs are queued again at 1m30s"),
        (95.0, LastSeen(92.0), "not heard of for 1m32s; its jobs are queued again now"),
        (180.0, LastSeen(8.0, paused=2), "paused until the queue hears it again, not for 3m;"),
        (180.0, LastSeen(8.0, worker=False), "no worker for 3m; its jobs go on, alive by NFS"),
        (180.0, LastSeen(unreadable="stale"), "not heard of for 3m, and NFS not answering"),
        (180.0, None, "not heard of for 3m"),
    ],
)
def test_a_silent_machine(heard_s: float, sighting: LastSeen | None, said: str) -> None:
    assert words(LastHeard(heard_s, tunnel=True), sighting).startswith(said)


def test_a_machine_that_is_heard_speaks_for_itself() -> None:
    nfs = "NFS not answering for 1m: no answer"
    assert words(LastHeard(3.0, nfs), LastSeen(80.0)) == nfs
    assert words(LastHeard(3.0), None) == ""


def test_without_a_tunnel_it_is_the_worker_that_is_silent() -> None:
    assert words(LastHeard(50.0), LastSeen(3.0)) == "worker silent for 50s; alive by NFS"


def test_what_another_version_published_is_read_as_far_as_it_goes() -> None:
    assert read_sightings({"gpu01": {"silent_s": 3}}) == {"gpu01": LastSeen(3.0)}
