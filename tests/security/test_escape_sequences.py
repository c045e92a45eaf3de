"""No escape sequence of somebody else's reaches a terminal; `logs` lets colours through.

What could come in is written by jobs and their authors (names, commands, variables, logs,
reasons), by machines, or by whoever has the password of Redis (everything there, ids and names of
machines too). A sequence could rename the window, clear the screen, fake a line, and have some
terminals type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import redis
from sandbox import Completed, Sandbox
from spoil import FIELDS, spoil_beside_jobs

from mlq.jobs.lifecycle import Event
from mlq.settings.load import load
from mlq.store.connection import open_redis

# Clear the screen, name the window, a colour by its 8-bit code, one by its own, a device control
# string, backspace, return, a line that is none, and text that runs backwards.
EVIL = "a\x1b[2J\x1b]0;owned\x07\x9b31m\x1b[35m\x1bP1;2|x\x1b\\\x08\r\nFAKE\u202eb"
COMMANDS = (
    ["ls"],
    ["ls", "-a"],
    ["show", "1-4"],
    ["show", EVIL],
    ["show", f"no job {EVIL}"],
    ["explain", "1-4"],
    ["machines"],
    ["logs", "1-4"],
    ["logs", "-f", "1", "2"],
    ["wait", "1"],
    ["retry", "1", EVIL],
    ["cancel", "4", EVIL],
    ["cancel", "4", EVIL],
    ["server", "status"],
    ["worker", "status"],
    ["doctor"],
    ["enqueue", "--name", EVIL, "--env", f"X={EVIL}", "--cores", "9999", "--", "true", EVIL],
)
# What mlq itself writes for a terminal: its colours, and lines in place of those before.
OUR_COLOUR = re.compile(r"\x1b\[(?:0|1|2|31|32|33|36)m")
LIVE = re.compile(r"\r\x1b\[K|\x1b\[\d+F\x1b\[J|(?:\x1b\[\d+A)?\r\x1b\[J")
COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


@pytest.fixture
def reach(installation: Sandbox) -> Iterator[redis.Redis]:
    """A connection with the rights of the queue's user."""
    installation.start_server()
    with open_redis(load(installation.environ).settings) as client:
        yield client


def show_all(installation: Sandbox) -> str:
    """Run every command on a terminal; nothing that it shows is a control character."""
    shown = ""
    for words in COMMANDS:
        for no_colour in ("", "1"):
            installation.environ["NO_COLOR"] = no_colour
            done = installation.on_terminal(*words, columns=200)
            assert controls(done, no_colour=no_colour, log=words[0] == "logs") == [], (words, done)
            shown += done.out
    return shown


def controls(done: Completed, *, no_colour: str, log: bool) -> list[str]:
    """Return the control characters of what was shown, but for those of mlq's own."""
    text = LIVE.sub("", done.out).replace("\n", "")
    if log:
        text = COLOUR.sub("", text).replace("\r", "")
    elif not no_colour:
        text = OUR_COLOUR.sub("", text)
    return [one for one in text if not one.isprintable()]


def jobs(installation: Sandbox) -> None:
    """Have a job of each state, each with everything that its author or a machine can say."""
    for number in range(1, 5):
        job = installation.submit("echo", EVIL, name=EVIL, env={"X": EVIL})
        assert job == str(number)
        if number != 4:
            installation.claim(job, log=EVIL.encode())
    installation.move("1", Event.FAIL, mlq_reason=EVIL)
    installation.move("2", Event.SUCCEED, mlq_reason=EVIL)
    said = {"note": EVIL, "condition": EVIL, "gpu_fault": EVIL, "cores_total": 8}
    installation.know("gpu07", **said, gpus=[{"name": EVIL, "uuid": EVIL, "free_mib": 1}])


def test_of_authors_and_machines(installation: Sandbox) -> None:
    jobs(installation)
    shown = show_all(installation)
    assert "FAKE" in shown  # the text itself is shown, only nothing of its sequences
    assert "owned" not in shown


def test_of_a_thief_in_every_field_of_a_job(installation: Sandbox, reach: redis.Redis) -> None:
    jobs(installation)
    for job in "1234":
        kept = ("status", "origin") if job != "3" else ()
        values = dict.fromkeys((field for field in FIELDS if field not in kept), EVIL)
        reach.hset(f"rq:job:{job}", mapping=values)
    show_all(installation)


def test_of_a_thief_who_alters_descriptions(installation: Sandbox, reach: redis.Redis) -> None:
    jobs(installation)
    spec = {"name": EVIL, "after": [EVIL, "5"], "env": {EVIL: EVIL}, "secrets": {EVIL: EVIL}}
    text = json.dumps(spec)
    reach.hset(f"rq:job:{EVIL}", mapping={"status": EVIL, "mlq_spec": text})
    for job in "34":
        reach.hset(f"rq:job:{job}", mapping={"status": "deferred", "mlq_spec": text})
    show_all(installation)


def test_of_a_thief_in_everything_beside_jobs(installation: Sandbox, reach: redis.Redis) -> None:
    jobs(installation)
    spoil_beside_jobs(reach, EVIL.encode())
    reach.sadd(f"mlq:name:{EVIL}", EVIL, "1")
    reach.hset("mlq:reservations", "4", f"{EVIL.replace(' ', '')} 9999999999")
    reach.hset("mlq:reservations", EVIL, "gpu07 9999999999")
    reach.set("mlq:machine:gpu08", f'{{"note": "{EVIL}"}}')
    show_all(installation)
