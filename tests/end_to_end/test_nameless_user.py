"""A user number without an account, as in containers, and a folder in PATH that is closed to it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from everybodys_mlq import copy_mlq
from people import Person, strangers
from sandbox import Completed, Sandbox

pytestmark = pytest.mark.root


@pytest.fixture
def box() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mlq-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def installed_for(nobody: Person, box: Path) -> Sandbox:
    (box / "mlq").mkdir()
    program = copy_mlq(box / "mlq")
    (box / "closed").mkdir(mode=0)
    home = box / "home"
    home.mkdir(mode=0o700)
    nobody.own(home)
    environ = {
        "PATH": f"{box}/closed:{box}/closed/bin:/usr/bin:/bin",
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "MLQ_MACHINE": "desk",
        "MLQ_GUEST": "mine",  # those who run the tests are others to it
    }
    return Sandbox(home, environ, program, nobody.identity)


def test_a_day_without_a_name(box: Path) -> None:
    nobody, _ = strangers()
    sandbox = installed_for(nobody, box)
    try:
        sandbox.ok("server", "start")
        sandbox.ok("worker", "start")
        assert "a worker for desk runs" in sandbox.ok("worker", "status")
        ran = sandbox.run("enqueue", "--wait", "true")
        assert (ran.code, ran.out) == (0, "1\n"), ran
        installed = sandbox.run("worker", "install")
        assert "Traceback" not in installed.err
        assert sandbox.run("worker", "stop", "--now").code == 0
        sandbox.ok("server", "stop")
        homeless = without_home(sandbox)
        assert homeless.code == 2
        assert homeless.err.startswith("mlq: this user has no home folder: HOME is not set")
    finally:
        nobody.kill_all()


def without_home(sandbox: Sandbox) -> Completed:
    del sandbox.environ["HOME"]
    return sandbox.run("ls")
