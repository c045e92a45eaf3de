"""The job hash is rq's: compared with what the installed rq writes and reads."""

import json
import zlib
from typing import Any
from unittest.mock import Mock

import pytest
from rq.job import Job, JobStatus
from rq.results import Result
from rq.serializers import JSONSerializer

from mlq.errors import WorkerError
from mlq.jobs.spec import FunctionCall
from mlq.store.record import RESULT_TYPES, common_fields, job_fields, result_fields, run_command
from mlq.submit.batch import check_all, sign_all
from mlq.submit.submission import Submission

AT = "2026-11-23T22:15:01.123456Z"


def pairs(flat: list[Any]) -> dict[str, Any]:
    assert len(flat) % 2 == 0
    return dict(zip(flat[::2], flat[1::2], strict=True))


def ours(**options: Any) -> dict[str, Any]:
    options = {"argv": ("python", "train.py"), "cwd": "/", "python_env": "", **options}
    (job,) = sign_all(check_all([Submission(**options)], AT, 2048), 7, b"k" * 32)
    merged = pairs(common_fields(AT)) | pairs(job_fields(job))
    # What submit.lua adds.
    return merged | {"origin": job.spec.job_class.name, "status": "queued"}


def theirs(function: str = "mlq.store.record.run_command", **options: Any) -> dict[str, Any]:
    job = Job.create(
        function,
        connection=Mock(),
        id="7",
        serializer=JSONSerializer,
        status=JobStatus.QUEUED,
        **options,
    )
    job.enqueued_at = job.created_at
    # rq repeats a dependency's default here, which is what it reads if the field is missing.
    # And it reads a field that is empty like one that is missing; ours leave those out.
    fields = {name: value for name, value in job.to_dict().items() if name != "enqueue_at_front"}
    return {name: value for name, value in fields.items() if value != ""}


def assert_alike(mine: dict[str, Any], stock: dict[str, Any]) -> None:
    assert {name for name in mine if not name.startswith("mlq_")} == set(stock)
    # rq's own reader takes both the packed and the plain form of `data`.
    assert json.loads(mine["data"]) == json.loads(zlib.decompress(stock["data"]))
    for name in ("created_at", "enqueued_at"):
        assert len(mine[name]) == len(stock[name])
        assert mine[name][-1] == stock[name][-1] == "Z"
    for name in set(stock) - {"data", "created_at", "enqueued_at"}:
        assert mine[name] == stock[name], name


def test_a_command_has_the_fields_rq_writes() -> None:
    # The command stands in the description; as arguments it would stand there twice.
    stock = theirs(description="python train.py", timeout=-1, origin="p0.c1.m2048.g0.v0")
    assert_alike(ours(), stock)


def test_a_function_has_the_fields_rq_writes() -> None:
    stock = theirs(
        "math.hypot",
        args=(3, 4),
        timeout=-1,
        origin="p0.c1.m2048.g0.v0",
        description="math.hypot()",
    )
    call = FunctionCall(name="math.hypot", args=(3, 4))
    assert_alike(ours(argv=(), function=call), stock)


def test_dependencies_and_limits_are_written_where_rq_looks_for_them() -> None:
    parents = [Job(str(number), connection=Mock()) for number in (3, 4)]
    from rq.job import Dependency

    stock = theirs(
        description="python train.py",
        timeout=90,
        origin="p0.c1.m2048.g0.v0",
        depends_on=Dependency(jobs=parents, allow_failure=True),
    )
    assert_alike(ours(after=("3", "4"), after_any=True, time="90s"), stock)


def test_a_limit_is_never_written_shorter_than_it_is() -> None:
    assert ours(time="0.5s")["timeout"] == 1
    assert ours(time="90.2s")["timeout"] == 91


def test_rqs_reader_reads_the_hash_back() -> None:
    raw = {name: str(value).encode() for name, value in ours(name="lr", time="2h").items()}
    job = Job("7", connection=Mock(), serializer=JSONSerializer)
    job.restore(raw)
    assert job.func_name == "mlq.store.record.run_command"
    assert job.timeout == 7200
    assert job.created_at is not None
    assert job.description == "python train.py"


@pytest.mark.parametrize("state", sorted(RESULT_TYPES))
def test_rqs_reader_reads_results_back(state: str) -> None:
    entry = pairs(result_fields(state, 2, "lab01", reason="exit 1", value="[1, null]"))
    raw = {name.encode(): str(value).encode() for name, value in entry.items()}
    read = Result.restore("7", "1763936101123-0", raw, Mock(), serializer=JSONSerializer)
    kind = {"finished": "SUCCESSFUL", "failed": "FAILED", "canceled": "STOPPED"}
    assert read.type.name == kind.get(state, "RETRIED")
    assert (read.worker_name, read.execution_id) == ("lab01", "2")
    assert (read.exc_string, read.return_value) == ("exit 1", [1, None])


def test_results_without_a_reason_or_a_value_have_none() -> None:
    entry = pairs(result_fields("finished", 1, "lab01", reason="", value=""))
    raw = {name.encode(): str(value).encode() for name, value in entry.items()}
    read = Result.restore("7", "1763936101123-0", raw, Mock(), serializer=JSONSerializer)
    assert (read.exc_string, read.return_value) == (None, None)


def test_a_stock_worker_that_claims_a_command_is_told_what_is_wrong() -> None:
    with pytest.raises(WorkerError, match="stock rq worker"):
        run_command("python", "train.py")
