"""`mlq pull` on a laptop that does not mount the results root: over ssh, and though that breaks."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
from laptop import Laptop
from sandbox import Sandbox
from waiting import wait_for

pytestmark = [pytest.mark.one_server, pytest.mark.slow]


def _job(home: Sandbox, **files: bytes) -> str:
    job_id = home.submit(name="train")
    home.claim(job_id, log=b"a log\n")
    output = home.queue().layout.output_dir(job_id)
    output.mkdir(parents=True)
    for name, text in files.items():
        (output / name).write_bytes(text)
    return job_id


def test_it_is_pulled_over_ssh(home: Sandbox, laptop: Laptop) -> None:
    files = {"a": bytes(range(256)) * 9000, "b": b"", "c": b"x"}
    job_id = _job(home, **files)
    said = laptop.ok("pull", job_id, "./to")
    assert said.startswith("1 job, 1 folder in to\nfetched 4 files, ")
    place = laptop.folder / f"to/{job_id}-train"
    assert {one.name: one.read_bytes() for one in (place / "output").iterdir()} == files
    assert (place / "attempts/1/output.log").read_bytes() == b"a log\n"
    assert "nothing new; 4 were here already" in laptop.ok("pull", job_id, "./to")


@pytest.mark.parametrize("laptop", ["openssh"], indirect=True)
def test_it_goes_on_though_the_connection_breaks(home: Sandbox, laptop: Laptop) -> None:
    large = os.urandom(1 << 20) * 100
    job_id = _job(home, large=large, small=b"s")
    assert laptop.run("ls").code == 0
    parts = laptop.folder / "to/.mlq-pull/parts"

    def begun() -> bool:
        with suppress(FileNotFoundError):  # the table is a part, too, and then is none any more
            return any(one.stat().st_size > 1 << 20 for one in parts.iterdir())
        return False

    with laptop.started("pull", job_id, "./to") as process:
        wait_for(begun, what="the first bytes")
        laptop.gate.wire.drop_all()
        out, err = process.communicate(timeout=60)
    if process.returncode:  # the new connection came too early; what the message says is true
        assert b"it goes on where it stopped" in err, err
        out = laptop.ok("pull", job_id, "./to").encode()
    assert b"fetched " in out
    place = laptop.folder / f"to/{job_id}-train/output"
    assert (place / "large").read_bytes() == large
    assert (place / "small").read_bytes() == b"s"


@pytest.mark.parametrize("laptop", ["openssh"], indirect=True)
def test_it_is_said_where_the_root_is_not_either(home: Sandbox, laptop: Laptop) -> None:
    job_id = _job(home)
    done = laptop.run("pull", job_id, "./to", environ={"MLQ_ROOT": "/nonexistent/root"})
    assert done.code == 1
    assert "/nonexistent/root: the results root is neither here nor on queue" in done.err
    assert not (laptop.folder / "to").exists()
