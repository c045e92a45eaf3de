import pytest

from mlq.jobs.batch_job import BatchJob
from mlq.jobs.spec import JobSpec
from mlq.scripts.number_mark import NUMBER, numbered
from mlq.submit.batch import check_all, sign_all
from mlq.submit.members import CheckedMember, MemberSigner
from mlq.submit.submission import Submission
from mlq.sweeps.plan import PlannedMember

AT = "2026-11-28T07:00:00+00:00"


def submission(*argv: str, system: str = "condor", **env: str) -> Submission:
    return Submission(argv, cwd="/", env=env, batch=BatchJob(system=system), in_place=True)


def test_single_jobs_know_their_numbers() -> None:
    asked = [submission("/bin/echo", f"n{NUMBER}", OUT=f"{NUMBER}.txt") for _ in range(3)]
    signed = sign_all(check_all(asked, AT, 100, typed=True), 41, b"key")
    assert [(one.spec.argv[1], one.spec.env["OUT"]) for one in signed] == [
        ("n41", "41.txt"),
        ("n42", "42.txt"),
        ("n43", "43.txt"),
    ]
    assert all(one.text == one.spec.canonical() for one in signed)


def test_members_know_the_number_of_their_sweep() -> None:
    asked = [submission("/bin/echo", str(index), OUT=NUMBER) for index in range(2)]
    checked = check_all(asked, AT, 100, typed=True)
    members = [
        CheckedMember(PlannedMember({}, one[0].argv, str(index)), one)
        for index, one in enumerate(checked)
    ]
    signed = MemberSigner(7, "rates", b"key").sign(members, [0, 1])
    assert [(one.spec.id, one.spec.argv[1], one.spec.env) for one in signed] == [
        ("7_0", "0", {"OUT": "7"}),
        ("7_1", "1", {"OUT": "7"}),
    ]
    assert all(one.text == one.spec.canonical() for one in signed)


@pytest.mark.parametrize("system", ["slurm", "pbs"])
def test_other_jobs_stay_as_they_are(system: str) -> None:
    (checked,) = check_all([submission("/bin/echo", "x", system=system)], AT, 100, typed=True)
    spec: JobSpec = checked[1]
    assert numbered(spec, 3) is spec
