"""hydra/launcher=mlq with the real Hydra, a queue and a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_lab import Lab, new_lab
from users_python import REPOSITORY, run_suite, users_python
from waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.one_server]

TRAIN = """
import os, time
from pathlib import Path
import hydra

@hydra.main(version_base=None, config_path=None)
def main(cfg):
    here = Path(hydra.utils.get_original_cwd())
    with (here / "ran").open("a") as file:
        file.write(f"{cfg.lr}\\n")
    while cfg.get("wait") and not (here / "gate").exists():
        time.sleep(0.05)
    if cfg.lr == 1 and not (here / "mended").exists():
        raise ValueError("loss is nan")
    return cfg.lr

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """A user's Python that has Hydra and no mlq."""
    return users_python("hydra-core==1.3.8", "cloudpickle>=3.1", "pytest>=8.3")


@pytest.fixture
def lab(python: Path) -> Iterator[Lab]:
    """A lab whose user has the plugin."""
    with new_lab() as lab:
        programs = [python.parent, Path(sys.executable).parent]
        lab.environ |= {
            "PYTHONPATH": str(REPOSITORY / "plugins"),
            "PATH": ":".join([*map(str, programs), os.environ["PATH"]]),
        }
        (lab.folder / "train.py").write_text(TRAIN)
        yield lab


def start(lab: Lab, python: Path, *overrides: str) -> subprocess.Popen[str]:
    """Start a multirun, in a process group of its own as a terminal does."""
    return subprocess.Popen(
        [python, "train.py", "-m", "hydra/launcher=mlq", *overrides],
        env=lab.environ,
        cwd=lab.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    """Wait for a multirun; return what it said."""
    return process.communicate(timeout=100)[0]


def test_a_failed_member_is_reported_and_runs_again_alone(lab: Lab, python: Path) -> None:
    lab.machine("lab01")
    first = start(lab, python, "+lr=0.1,1,0.2")
    text = said(first)
    assert first.returncode == 1
    assert "job 1_1 (+lr=1) failed on lab01; its log: " in text
    assert 'raise ValueError("loss is nan")' in text  # the line of the program
    assert "2 finished, 1 failed" in text
    assert [job.params for job in lab.queue.views(["1_0", "1_2"])] == [{"lr": "0.1"}, {"lr": "0.2"}]
    (lab.folder / "mended").touch()
    again = start(lab, python, "+lr=0.1,1,0.2,0.3", "hydra.launcher.resume=true")
    text = said(again)
    assert again.returncode == 0, text
    assert "4 finished, 0 failed" in text
    assert sorted((lab.folder / "ran").read_text().split()) == ["0.1", "0.2", "0.3", "1", "1"]


def test_ctrl_c_leaves_the_jobs_and_resume_waits_for_them(lab: Lab, python: Path) -> None:
    lab.machine("lab01")
    first = start(lab, python, "+wait=true", "+lr=0.1")
    lab.file("ran")
    os.killpg(first.pid, signal.SIGINT)
    text = said(first)
    assert first.returncode == 130
    assert "The jobs go on. See them: mlq ls train-" in text
    assert "Traceback" not in text
    again = start(lab, python, "+wait=true", "+lr=0.1,0.2", "hydra.launcher.resume=true")
    wait_for(lambda: (lab.folder / "ran").read_text() == "0.1\n0.2\n", what="the new one")
    assert lab.job("1_0").state == "started"
    lab.open("gate")
    text = said(again)
    assert again.returncode == 0, text
    assert lab.job("1_0").attempt == 1


def test_what_mlq_refuses_is_one_message(lab: Lab, python: Path) -> None:
    refused = start(lab, python, "+lr=1", "hydra.launcher.mem=lots")
    text = said(refused)
    assert refused.returncode == 1
    assert "lots" in text
    assert "Traceback" not in text


def test_without_cloudpickle_it_says_what_to_install_and_queues_nothing(
    lab: Lab, python: Path
) -> None:
    hidden = lab.folder / "hidden"
    hidden.mkdir()
    # As where it is not installed: the first folder in the path has a module that is none.
    (hidden / "cloudpickle.py").write_text("raise ModuleNotFoundError('No module cloudpickle')\n")
    lab.environ["PYTHONPATH"] += f":{hidden}"
    refused = start(lab, python, "+lr=1")
    text = said(refused)
    assert refused.returncode == 1
    assert "pip install cloudpickle" in text
    assert "Traceback" not in text
    assert lab.sandbox.ok("ls", "-a", "--json") == "[]\n"


def test_hydra_imports_nothing_heavy_at_its_start(lab: Lab, python: Path) -> None:
    script = (
        "import sys, hydra.core.plugins\n"
        "hydra.core.plugins.Plugins.instance()\n"
        "print([one for one in sys.modules if one.startswith('hydra_plugins.mlq')\n"
        "       or one in ('cloudpickle', 'submitit', 'mlq_submitit')])"
    )
    done = subprocess.run(
        [python, "-c", script], env=lab.environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "['hydra_plugins.mlq_launcher', 'hydra_plugins.mlq_launcher.launcher']\n"


SUITES = """
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite, IntegrationTestSuite, LauncherTestSuite)
from pytest import mark

@mark.parametrize("launcher_name, overrides", [("mlq", [])])
class TestLauncher(LauncherTestSuite):
    pass

@mark.parametrize("launcher_name, overrides", [("mlq", ["hydra.sweeper.max_batch_size=2"])])
class TestBatched(BatchedSweeperTestSuite):
    pass

@mark.parametrize("task_launcher_cfg, extra_flags", [({}, ["-m", "hydra/launcher=mlq"])])
class TestIntegration(IntegrationTestSuite):
    pass
"""
# All 21 take two minutes, mostly the starts of Python.
_SOME = "TestLauncher and (2_jobs or resolver) or TestBatched or get_orig_dir"


def test_hydras_own_suites_pass_on_it(lab: Lab, python: Path) -> None:
    lab.machine("lab01", "--cores", "4")
    (lab.folder / "test_suites.py").write_text(SUITES)
    said = run_suite(python, ["-k", _SOME, "test_suites.py"], lab.environ, lab.folder)
    assert "4 passed" in said
