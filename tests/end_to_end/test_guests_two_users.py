"""Two users' mlq on one machine: each has a queue, a worker and a supervisor of their own.

Their jobs promise GPU memory of one GPU and do not allocate it, which only the boards can tell.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ci import require
from disks import may_mount
from everybodys_mlq import copy_mlq
from fake_nvml import FakeGpu, FakeNvml
from people import Person, strangers
from sandbox import Sandbox
from victim import home_of, new_estate
from waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.root]

GPU = "GPU-0000-1111"
PEOPLE = ("machines", "--people", "--json")
# A moment in which nobody computes, whatever else this box does, and nobody's devices or logins.
CALM = """\
for file in stat loadavg; do
    cat /proc/$file > {folder}/$file
    mount --bind {folder}/$file /proc/$file
done
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /proc/bus/input
exec setpriv --reuid={uid} --regid={uid} --clear-groups -- "$0" "$@"
"""


class Owner:
    """A user with a queue of their own.

    Args:
        person: who.
        sandbox: their installation.
        calm: a folder for what covers /proc/stat.
    """

    def __init__(self, person: Person, sandbox: Sandbox, calm: Path) -> None:
        self.person, self.sandbox, self._calm = person, sandbox, calm
        sandbox.start_server()

    def start(self) -> None:
        """Start their worker."""
        require(may_mount(), "the right to mount file systems (root)")
        self._calm.mkdir(exist_ok=True)
        script = CALM.format(folder=self._calm, uid=self.person.uid)
        words = [str(self.sandbox.program), "worker", "start", "--cores", "4"]
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", script, *words],
            env=self.sandbox.environ,
            cwd=self.sandbox.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done
        wait_for(lambda: self.machine().get("gpus"), what="a look at the GPU")

    def machine(self) -> dict[str, Any]:
        """Return what they see of their machine."""
        (found,) = json.loads(self.sandbox.ok("machines", "--json"))
        return dict(found)

    def people(self) -> list[dict[str, Any]]:
        """Return who holds what on their machine, as they see it."""
        found: list[dict[str, Any]] = wait_for(
            lambda: (
                len(
                    rows := [
                        one for one in json.loads(self.sandbox.ok(*PEOPLE)) if one["mlq"]["jobs"]
                    ]
                )
                == 2
                and rows  # whoever else keeps cores busy is listed, too
            ),
            what="both to be shown",
        )
        return found

    def board(self) -> Path:
        """Return the board of their supervisor."""
        shared = Path(self.sandbox.environ["MLQ_SHARED_DIR"])
        boards = shared.glob(f"mlq-{self.person.uid}.*.board")
        return next((one for one in boards if ".next." not in one.name), shared / "none")

    def cores(self) -> list[int]:
        """Return on which cores their board says that their jobs are."""
        jobs = json.loads(self.board().read_text().partition("\n")[2])["jobs"]
        return [core for job in jobs for core in job.get("on", ())]

    def enqueue(self, vram: str, *words: str) -> str:
        """Enqueue a job that wants so much memory of a GPU; return its id."""
        asked = ("-g", "1", "--vram", vram, "--mem", "20M")
        return self.sandbox.ok("enqueue", *asked, "--", *words).strip()

    def state(self, job_id: str) -> str:
        """Return the state of a job."""
        (found,) = json.loads(self.sandbox.ok("show", job_id, "--json"))
        return str(found["state"])

    def until(self, job_id: str, state: str) -> None:
        """Wait until a job is in this state."""
        wait_for(lambda: self.state(job_id) == state, what=f"{job_id} to be {state}")


@pytest.fixture(scope="module")
def everybodys() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mlq-all-") as folder:
        Path(folder).chmod(0o755)
        yield copy_mlq(Path(folder) / "venv")


@pytest.fixture
def owners(everybodys: Path) -> Iterator[tuple[Owner, Owner]]:
    people = strangers()
    with ExitStack() as stack:
        shared = stack.enter_context(new_estate())
        shared.chmod(0o1777)
        nvml = FakeNvml(shared)
        nvml.write(FakeGpu(GPU, 11264, 264))
        (shared / "nvml.state").chmod(0o644)
        Path(nvml.env["LD_LIBRARY_PATH"]).chmod(0o755)
        made = []
        for person in people:
            estate = stack.enter_context(new_estate())
            stack.callback(person.kill_all)
            settings = {"MLQ_GUEST": "polite", "MLQ_SHARED_DIR": str(shared), **nvml.env}
            sandbox = home_of(person, estate / "home", everybodys, **settings)
            made.append(Owner(person, sandbox, estate / "calm"))
        yield made[0], made[1]


def test_what_a_neighbour_promised_is_not_given_away(owners: tuple[Owner, Owner]) -> None:
    ann, eve = owners
    ann.start()
    eve.start()
    first = ann.enqueue("7G", "sleep", "1000")
    ann.until(first, "started")
    large = eve.enqueue("8G", "true")
    small = eve.enqueue("3G", "sleep", "1000")
    eve.until(small, "started")
    assert eve.state(large) == "queued"
    said = eve.sandbox.ok("explain", large)
    whose = f"{ann.person.uid}'s mlq promised 7G"
    assert re.search(rf"8G of GPU memory needed, \w+ of 11G free \({whose}\)", said), said
    for owner in owners:
        held = {one["user"]: one for one in owner.people()}
        assert [one["is_us"] for one in held.values()].count(True) == 1
        assert held[str(ann.person.uid)]["mlq"]["vram_mib"] == {GPU: 7168}
        assert held[str(eve.person.uid)]["mlq"]["vram_mib"] == {GPU: 3072}
        assert [one["vram_mib"] for one in held[str(eve.person.uid)]["waits"]] == [8192]
        assert held[str(ann.person.uid)]["waits"] == []
    # Both run, each on a core that the other's board does not have.
    for owner in owners:
        wait_for(lambda owner=owner: len(owner.cores()) == 1, what="the core of its job")
    wait_for(lambda: ann.cores() != eve.cores(), what="each to be on a core of its own")
    for owner, job in ((ann, first), (eve, small)):
        owner.sandbox.ok("cancel", job)
    eve.until(large, "finished")
    for owner in owners:
        assert owner.sandbox.run("worker", "stop").code == 0
        wait_for(lambda owner=owner: not owner.board().exists(), what="its board to go")
