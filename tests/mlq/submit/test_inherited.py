"""What a job enqueues from its copy runs the same code."""

import json
from pathlib import Path

import pytest

from mlq.jobs.request import Request
from mlq.jobs.spec import Code, JobSpec
from mlq.settings.load import load
from mlq.submit.in_lab import folder_there
from mlq.submit.inherited import inherited_code

CODE = Code(pack="a" * 64, project="/vol/p", subfolder="sub", commit="c", branch="main")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The folder of a job that runs code."""
    (tmp_path / "work/sub/deep").mkdir(parents=True)
    write_job(tmp_path, CODE)
    return tmp_path


def write_job(folder: Path, code: Code | None) -> None:
    request = Request(cores=1, mem_mib=1)
    spec = JobSpec(
        id="7",
        argv=("true",),
        cwd="/vol/p/sub",
        request=request,
        code=code,
        submitted_at="2026-11-27T00:00:00Z",
    )
    text = json.dumps({"spec": json.loads(spec.canonical()), "signature": "s"})
    (folder / "job.json").write_text(text)


def environ(job: Path) -> dict[str, str]:
    return {"MLQ_JOB_FILE": str(job / "job.json")}


def test_the_code_is_handed_down_with_the_folder(job: Path) -> None:
    found = inherited_code(environ(job), str(job / "work/sub/deep"))
    assert found is not None
    assert found.code == Code(**{**vars(CODE), "subfolder": "sub/deep"})
    assert found.work == str(job / "work")
    top = inherited_code(environ(job), str(job / "work"))
    assert top is not None
    assert top.code.subfolder == ""


def test_not_from_elsewhere(job: Path) -> None:
    assert inherited_code(environ(job), str(job)) is None
    assert inherited_code({}, str(job / "work")) is None
    assert inherited_code({"MLQ_JOB_FILE": "odd"}, str(job / "work")) is None


def test_not_of_a_job_without_code(job: Path) -> None:
    write_job(job, None)
    assert inherited_code(environ(job), str(job / "work")) is None
    (job / "job.json").write_text("[")
    assert inherited_code(environ(job), str(job / "work")) is None


def test_members_of_sweeps_that_a_job_enqueues_are_known_by_the_live_folder(job: Path) -> None:
    settings = load({"HOME": str(job)}).settings
    assert folder_there(str(job / "work/sub"), settings, environ(job)) == "/vol/p/sub"
    assert folder_there(str(job / "work"), settings, environ(job)) == "/vol/p"
    assert folder_there(str(job), settings, environ(job)) == str(job)
