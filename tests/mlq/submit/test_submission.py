"""From what a user asks for to a signed job: every mistake is found here, in words."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.errors import InvalidInputError
from mlq.jobs import strict_spec
from mlq.jobs.request import Request
from mlq.jobs.spec import FunctionCall, JobSpec
from mlq.jobs.strict_spec import check_spec, parse_spec
from mlq.store.record import SignedJob
from mlq.submit.batch import check_all, sign_all
from mlq.submit.submission import Caller, Options, Submission, argv_of

AT = "2026-11-23T22:15:01.123456Z"
KEY = b"k" * 32


def asked(*argv: str, **options: Any) -> Submission:
    return Submission(argv=argv or ("true",), **{"cwd": "/", "python_env": "", **options})


def signed(*submissions: Submission) -> list[SignedJob]:
    return sign_all(check_all(submissions, AT, 2048), 7, KEY)


# No process can get a NUL as an argument or in its environment.
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(
    st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=5),
    st.dictionaries(WORDS.filter(lambda one: one and "=" not in one), WORDS, max_size=3),
    WORDS,
)
def test_the_signed_text_is_the_one_canonical_text_of_the_job(
    commands: list[list[str]], env: dict[str, str], name: str
) -> None:
    jobs = signed(*(asked(*argv, env=env, name=name) for argv in commands))
    assert [job.spec.id for job in jobs] == [str(7 + index) for index in range(len(commands))]
    for job, argv in zip(jobs, commands, strict=True):
        assert job.text == job.spec.canonical()
        assert job.text.isascii()
        assert parse_spec(job.text) == job.spec
        assert job.spec.argv == tuple(argv)
        digest = hmac.new(KEY, job.text.encode(), hashlib.sha256).digest()
        assert base64.urlsafe_b64decode(job.signature + "=") == digest


def test_a_batch_that_differs_only_in_its_command_is_checked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked = []

    def counted(spec: JobSpec) -> JobSpec:
        checked.append(spec.id)
        return check_spec(spec)

    monkeypatch.setattr(strict_spec, "check_spec", counted)
    signed(*(asked("echo", str(number)) for number in range(100)))
    assert checked == ["0"]
    signed(*(asked("true", cores=1 + number // 50) for number in range(100)))
    assert checked == ["0", "0", "0"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "no command to run"),
        (("python", 3), "3 is not text"),
        (("python", "a\0b"), "NUL"),
        (("python", "\udcff"), "UTF-8"),
    ],
)
def test_the_command_of_each_job_of_a_batch_is_checked(argv: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        signed(asked("true"), asked("true").with_argv(argv))
    with pytest.raises(InvalidInputError, match=message):
        signed(asked("true").with_argv(argv))


def test_a_command_is_a_list_and_not_a_text() -> None:
    with pytest.raises(InvalidInputError, match="one text"):
        argv_of("python train.py")
    assert argv_of(["python", "train.py"]) == ("python", "train.py")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cores": 0}, "--cores 0 cannot be used: at least 1"),
        ({"cores": -2}, "--cores -2 cannot be used"),
        ({"cores": "4"}, "--cores 4 cannot be used"),
        ({"cores": True}, "--cores True cannot be used"),
        ({"cores": 10**15}, "--cores 1000000000000000 cannot be used: at most 999999999999999"),
        ({"gpus": 10**15, "vram": "1G"}, "--gpus 1000000000000000 cannot be used"),
        ({"priority": 10**15}, "--priority 1000000000000000 cannot be used: at most"),
        ({"priority": -(10**15)}, "--priority -1000000000000000 cannot be used: at least"),
        ({"comment": "x" * 4097}, "the comment is too long: 4,096 characters are the most"),
        ({"comment": "a\0b"}, "NUL"),
        ({"gpus": -1}, "--gpus -1 cannot be used: at least 0"),
        ({"retries": -1}, "--retries -1 cannot be used"),
        ({"retries": 1.5}, "--retries 1.5 cannot be used"),
        ({"vram": "6G"}, "--vram needs --gpus: .*no GPU is asked for"),
        ({"vram": "6X", "gpus": 1}, "'6X' is not a size"),
        ({"mem": "lots"}, "'lots' is not a size"),
        ({"mem": 0}, "too small"),
        ({"time": "soon"}, "'soon' is not a duration"),
        ({"time": 0}, "more than 0"),
        ({"priority": "high"}, "--priority high cannot be used: a whole number"),
        ({"name": 3}, "name cannot be used: .*string"),
        ({"env": {"A": 1}}, "env.A cannot be used: .*string"),
        ({"env": {"A=B": "1"}}, "'A=B' cannot be set: .*no `=`"),
        ({"env": {"": "1"}}, "'' cannot be set: .*not empty"),
        ({"env": {"A": "1\0"}}, "NUL"),
        ({"cwd": "/a\0b"}, "NUL"),
    ],
)
def test_what_cannot_be_used_is_named_with_the_reason(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        signed(asked(**options))
    assert "\n\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_what_is_typed_becomes_numbers_with_units() -> None:
    (job,) = signed(asked(cores=4, mem="8G", gpus=2, vram="6G", time="1h30m", machine="gpu*"))
    assert job.spec.request == Request(4, 8192, 2, 6144, "gpu*")
    assert job.spec.time_limit_s == 5400
    assert job.spec.job_class.name == "p0.c4.m8192.g2.v6144@gpu*"


def test_what_is_not_said_is_the_default() -> None:
    (job,) = signed(asked())
    assert job.spec.request == Request(1, 2048)
    assert (job.spec.time_limit_s, job.spec.retries, job.spec.priority) == (None, 0, 0)
    assert job.spec.submitted_at == AT


def spec_for(environ: dict[str, str], **options: Any) -> JobSpec:
    """Return the job that a caller with these variables submits."""
    caller = Caller(environ, {"LR": "1"})
    return Submission(argv=("true",), **options).spec("7", AT, 2048, caller)


def test_folder_and_python_environment_are_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"PATH": "/conda/bin:/venv/bin:/usr/bin", "VIRTUAL_ENV": "/venv"}
    spec = spec_for(environ)
    assert (spec.cwd, spec.python_env) == (str(tmp_path), "/venv")
    assert spec.captured_env == {"LR": "1", **environ}
    environ["CONDA_PREFIX"] = "/conda"
    assert spec_for(environ).python_env == "/conda"
    none = spec_for(environ, python_env="", capture_env=False)
    assert (none.python_env, none.captured_env) == ("", {})
    (tmp_path / "made" / "conda-meta").mkdir(parents=True)
    made = spec_for(environ, python_env="made", capture_env=False)
    assert made.python_env == made.captured_env["CONDA_PREFIX"] == str(tmp_path / "made")


def test_a_folder_reached_by_a_link_keeps_the_path_as_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk3").mkdir()
    (tmp_path / "link").symlink_to("disk3")
    monkeypatch.chdir(tmp_path / "link")
    typed, real = str(tmp_path / "link"), str(tmp_path / "disk3")
    assert spec_for({"PWD": typed}).cwd == typed
    assert spec_for({"PWD": typed}, cwd="runs").cwd == f"{typed}/runs"
    for wrong in ("", str(tmp_path), f"{typed}/../link", "/gone", "link", "."):
        assert spec_for({"PWD": wrong}).cwd == real


def test_the_program_is_the_one_that_the_callers_shell_finds(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "true"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    environ = {"PATH": f"{program.parent}:/usr/bin"}
    assert spec_for(environ).program == ""  # it cannot be executed
    program.chmod(0o755)
    assert spec_for(environ).program == str(program)
    assert spec_for(environ, env={"PATH": "/usr/bin"}).program == ""
    assert spec_for(environ, python_env="/of/the/lab").program == ""
    named = spec_for({"PATH": "/usr/bin"}, python_env=str(tmp_path))
    assert named.program == str(program)
    assert '"program"' not in spec_for({"PATH": "/usr/bin"}).canonical()
    asked_for = [Submission(argv=(one, "1")) for one in ("true", "false", "true")]
    jobs = sign_all(check_all(asked_for, AT, 2048, Caller(environ)), 7, KEY)
    assert [job.spec.program for job in jobs] == [str(program), "", str(program)]
    assert all(job.text == job.spec.canonical() for job in jobs)


def test_a_folder_named_from_here_is_stored_so_that_it_means_the_same_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert signed(asked(cwd="runs/a"))[0].spec.cwd == str(tmp_path / "runs" / "a")


def test_a_type_checker_knows_the_options_of_the_python_api() -> None:
    # A command, a function and what a job file says are no options; all else is, of the same type.
    fields = get_type_hints(Submission)
    of_a_script = {"script", "streams", "batch", "conditions"}
    assert {*fields} - {*get_type_hints(Options)} == {"argv", "function", *of_a_script}
    assert get_type_hints(Options).items() <= fields.items()


def test_a_function_is_stored_as_json_and_needs_no_command() -> None:
    call = FunctionCall(name="math.hypot", args=(3, 4))
    (job,) = signed(Submission(function=call, cwd="/", python_env=""))
    assert json.loads(job.text)["function"] == {"name": "math.hypot", "args": [3, 4]}
    assert job.text == job.spec.canonical()


def test_metrics_to_be_read_from_the_log_are_signed_only_where_they_were_asked_for() -> None:
    (plain,) = signed(asked())
    assert "metrics" not in json.loads(plain.text)
    (job,) = signed(asked(metrics={"acc": "accuracy ([0-9.]+)"}))
    assert parse_spec(job.text) == job.spec
    assert job.spec.metrics == {"acc": "accuracy ([0-9.]+)"}
    for wrong in ({"acc": "("}, {"acc": 7}, ["acc"], {"acc": "\ud800(.)"}, {"a\x1b": "(.)"}):
        with pytest.raises(InvalidInputError):
            signed(asked(metrics=wrong))


def test_how_a_job_is_stopped_is_signed_only_where_it_was_asked_for() -> None:
    (plain,) = signed(asked())
    assert not {"grace_s", "signal"} & json.loads(plain.text).keys()
    (job,) = signed(asked(grace="5m", signal="B:10", time="2h"))
    assert parse_spec(job.text) == job.spec
    assert (job.spec.grace_s, job.spec.signal) == (300, "B:USR1@60")
    (early,) = signed(asked(signal="USR1@90", time=60))
    assert early.spec.signal == "USR1@90"
