"""A worker runs nothing it cannot verify, and a job sees what it should and no more."""

import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from mlq.errors import SignatureError
from mlq.jobs.lifecycle import Event
from mlq.jobs.needs import COPIES_CODE
from mlq.jobs.placement import GpuOffer, Offer
from mlq.jobs.signing import sign
from mlq.jobs.spec import FunctionCall, Member
from mlq.settings.load import load
from mlq.store.replies import Claim
from mlq.submit.batch import check_all, sign_all
from mlq.submit.submission import Caller, Submission
from mlq_worker.agent import orders
from mlq_worker.agent.admission import Claimed, admit
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.copied_code import STARTUP
from mlq_worker.agent.orders import read_spec
from mlq_worker.ipc.values import to_json
from mlq_worker.probes.machine import Limits
from mlq_worker.startup.sitecustomize import pairs_of

KEY = b"k" * 32
AT = "2026-11-23T22:15:01.123456Z"
LOGIN = {
    "PATH": "/usr/bin",
    "HOME": "/home/ann",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "99",
    "CUDA_VISIBLE_DEVICES": "0,1,2,3",
    "MLQ_JOB_ID": "1",
    "MLQ_MARK": "another job's",
}


@pytest.fixture
def context(tmp_path: Path) -> MachineContext:
    environ = {"HOME": str(tmp_path), "MLQ_ROOT": "/results", "XDG_RUNTIME_DIR": str(tmp_path)}
    settings = load(environ).settings._replace(machine="lab01")
    return MachineContext(
        settings=settings,
        login=LOGIN,
        key=KEY,
        mark_prefix="mlq:q1:lab01:",
        cwd="/home/ann",
        boot_id="boot",
        limits=Limits(None, None, True),
        probe=Mock(),
        has_gpus=True,
    )


def asked(**options: Any) -> Submission:
    options = {"argv": ("python", "x.py"), "cwd": "/work dir", "python_env": "", **options}
    return Submission(**options)


def claimed(attempt: int = 2, **options: Any) -> Claim:
    (job,) = sign_all(check_all([asked(**options)], AT, 2048), 7, KEY)
    return Claim("7", attempt, job.spec.job_class.name, job.text, job.signature, 0, 0)


def altered(claim: Claim, change: Callable[[dict[str, Any]], object], key: bytes = b"") -> Claim:
    """Another text, under the old signature or a new one by `key`."""
    spec = json.loads(claim.spec)
    change(spec)
    text = json.dumps(spec)
    return replace(claim, spec=text, signature=sign(key, text.encode()) if key else claim.signature)


def stock_data(*call: Any) -> bytes:
    """What rq 2.12 writes as `data`: packed JSON."""
    return zlib.compress(json.dumps(call).encode())


def offered(cores: int) -> Offer:
    return Offer("lab01", cores, 9999, (), cores, 9999)


# --- what may run -------------------------------------------------------------------------------


def test_a_signed_job_is_read_back_as_it_was_submitted(context: MachineContext) -> None:
    spec = read_spec(claimed(cores=4, name="lr"), context, b"")
    assert (spec.id, spec.argv, spec.name, spec.request.cores) == ("7", ("python", "x.py"), "lr", 4)


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec.update(argv=["rm", "-r", "/"]),
        lambda spec: spec.update(env={"LD_PRELOAD": "/tmp/x.so"}),
        lambda spec: spec.update(submitted_at="2027"),
        dict,  # changes nothing, but the same job in other words (spaces) is another text
    ],
)
def test_an_altered_job_is_refused(
    context: MachineContext, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(SignatureError, match="signature is wrong"):
        read_spec(altered(claimed(), change), context, b"")


def test_a_signature_by_another_key_is_refused(context: MachineContext) -> None:
    with pytest.raises(SignatureError, match="signature is wrong"):
        read_spec(claimed(), replace(context, key=b"z" * 32), b"")


@pytest.mark.parametrize("signature", ["0", "ä", "\udcff", "0" * 64])
def test_whatever_stands_there_as_a_signature_is_refused_and_nothing_breaks(
    context: MachineContext, signature: str
) -> None:
    with pytest.raises(SignatureError):
        read_spec(replace(claimed(), signature=signature), context, b"")


def test_a_copy_under_another_id_is_refused(context: MachineContext) -> None:
    with pytest.raises(SignatureError, match=r"copy.*signed as 7"):
        read_spec(replace(claimed(), id="8"), context, b"")


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec.update(future_field=1),
        lambda spec: spec.update(version=2),
        lambda spec: spec["request"].update(cores="4"),
        lambda spec: spec["request"].update(cores=0),
        lambda spec: spec.pop("cwd"),
    ],
)
def test_a_signed_text_that_is_no_job_is_refused_in_words(
    context: MachineContext, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(SignatureError, match=r"cannot be read.*older"):
        read_spec(altered(claimed(), change, KEY), context, b"")


def test_without_a_key_nothing_runs_and_the_reason_names_the_file(context: MachineContext) -> None:
    with pytest.raises(SignatureError, match=r"signing.key"):
        read_spec(claimed(), replace(context, key=None), b"")


def test_a_job_of_plain_rq_is_refused_unless_the_settings_allow_it(context: MachineContext) -> None:
    claim = Claim("uuid", 1, "default", "", "", 0, 0)
    with pytest.raises(SignatureError, match=r"not signed.*allow_unsigned"):
        read_spec(claim, context, stock_data("os.getcwd", None, [], {}))


def test_a_job_whose_signature_was_taken_away_does_not_run_as_a_command(
    context: MachineContext,
) -> None:
    claim = replace(claimed(), signature="")
    with pytest.raises(SignatureError, match="not signed"):
        read_spec(claim, context, b"")


@pytest.fixture
def open_site(context: MachineContext) -> MachineContext:
    return replace(context, settings=context.settings._replace(allow_unsigned=True))


def test_a_function_of_plain_rq_runs_where_it_is_allowed(open_site: MachineContext) -> None:
    claim = Claim("uuid", 1, "default", "", "", 0, 0)
    spec = read_spec(claim, open_site, stock_data("math.hypot", None, [3, 4], {"a": 1}), 180.0)
    assert spec.function == FunctionCall(name="math.hypot", args=(3, 4), kwargs={"a": 1})
    assert (spec.id, spec.cwd, spec.time_limit_s) == ("uuid", "/home/ann", 180)
    assert (spec.request.cores, spec.request.mem_mib) == (1, 2048)


def test_rqs_data_is_read_packed_and_plain(open_site: MachineContext) -> None:
    claim = Claim("uuid", 1, "default", "", "", 0, 0)
    plain = zlib.decompress(stock_data("math.hypot", None, [3, 4], {}))
    spec = read_spec(claim, open_site, plain)
    assert spec.function == FunctionCall(name="math.hypot", args=(3, 4))
    assert spec.time_limit_s is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04pickle",
        zlib.compress(b"\x80\x04pickle"),
        b"[1]",
        stock_data("f", "instance", [], {}),
        stock_data(3, None, [], {}),
        stock_data("f", None, 3, {}),
        stock_data("f", None, [], []),
    ],
)
def test_what_is_no_json_function_is_refused_never_unpickled(
    open_site: MachineContext, data: bytes
) -> None:
    claim = Claim("uuid", 1, "default", "", "", 0, 0)
    with pytest.raises(SignatureError, match="not a function enqueued with rq's JSON"):
        read_spec(claim, open_site, data)


# --- what it gets -------------------------------------------------------------------------------


def order(*of: Any) -> dict[str, Any]:
    """Return the order as it is sent."""
    made: dict[str, Any] = json.loads(json.dumps(to_json(orders.order(*of))))
    return made


def ordered(
    context: MachineContext, gpu_uuids: tuple[str, ...] = (), **options: Any
) -> dict[str, Any]:
    claim = claimed(**options)
    gpus = tuple(GpuOffer(uuid, "", 0, 0, index=at + 2) for at, uuid in enumerate(gpu_uuids))
    return order(claim, read_spec(claim, context, b""), context, gpus)


def test_an_order_says_everything_the_supervisor_needs(context: MachineContext) -> None:
    made = ordered(context, time="90s")
    assert (made["id"], made["attempt"], made["argv"]) == ("7", 2, ["python", "x.py"])
    assert (made["cwd"], made["job_dir"], made["time_limit_s"]) == (
        "/work dir",
        "/results/jobs/7",
        90,
    )
    assert made["mark"] == "mlq:q1:lab01:7.2"
    assert made["stop_grace_s"] == context.settings.stop_grace_s
    assert "signal" not in made
    assert json.loads(made["job_json"])["spec"]["argv"] == ["python", "x.py"]
    assert json.loads(json.dumps(made)) == made


def test_a_job_may_say_how_it_is_stopped(context: MachineContext) -> None:
    made = ordered(context, time="1h", grace="5m", signal="B:USR1@90")
    assert made["stop_grace_s"] == 300
    assert made["signal"] == {"number": 10, "ahead_s": 90, "first_only": True}
    assert ordered(context, grace=0, signal="TERM")["signal"]["ahead_s"] is None


def test_two_attempts_have_two_marks(context: MachineContext) -> None:
    marks = set()
    for attempt in (1, 2, 12):
        claim = claimed(attempt)
        marks.add(order(claim, read_spec(claim, context, b""), context, ())["mark"])
    assert len(marks) == 3


def test_gpus_are_shown_by_uuid_and_all_others_hidden(context: MachineContext) -> None:
    env = ordered(context, ("GPU-a", "GPU-b"), gpus=2, vram="6G")["env"]
    assert env["CUDA_VISIBLE_DEVICES"] == "GPU-a,GPU-b"
    assert env["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert ordered(context)["env"]["CUDA_VISIBLE_DEVICES"] == ""


def test_gpus_are_shown_by_number_where_that_is_set(context: MachineContext) -> None:
    by_number = replace(context, settings=context.settings._replace(cuda_devices="index"))
    made = ordered(
        by_number, ("GPU-a", "GPU-b"), gpus=2, env={"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}
    )
    assert made["env"]["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert made["env"]["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID", "in another order 2 is another GPU"
    assert made["tag"]["gpu_uuids"] == ["GPU-a", "GPU-b"]
    assert ordered(by_number)["env"]["CUDA_VISIBLE_DEVICES"] == ""


def test_thread_pools_are_as_wide_as_the_cores_given(context: MachineContext) -> None:
    env = ordered(context, cores=4)["env"]
    for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR"):
        assert env[f"{name}_NUM_THREADS"] == "4"
    assert ordered(context, env={"OMP_NUM_THREADS": "1"})["env"]["OMP_NUM_THREADS"] == "1"


def test_what_was_captured_replaces_the_workers_and_is_replaced_by_mlqs_own(
    context: MachineContext,
) -> None:
    captured = {"LANG": "de_DE.UTF-8", "HF_HOME": "/hf", "LR": "1", "OMP_NUM_THREADS": "7"}
    captured |= {"CUDA_VISIBLE_DEVICES": "0", "MLQ_MARK": "mine"}  # as `capture` never returns
    caller = Caller(captured=captured)
    (job,) = sign_all(check_all([asked(env={"LR": "2"})], AT, 2048, caller), 7, KEY)
    claim = Claim("7", 2, job.spec.job_class.name, job.text, job.signature, 0, 0)
    env = order(claim, read_spec(claim, context, b""), context, ())["env"]
    assert (env["LANG"], env["HF_HOME"], env["LR"]) == ("de_DE.UTF-8", "/hf", "2")
    assert (env["OMP_NUM_THREADS"], env["CUDA_VISIBLE_DEVICES"]) == ("1", "")
    assert env["MLQ_MARK"] == "mlq:q1:lab01:7.2"


def test_an_order_names_the_files_of_secrets_and_knows_no_value(context: MachineContext) -> None:
    made = ordered(context, secrets={"HF_TOKEN": "hunter2"})
    assert list(made["secrets"]) == ["HF_TOKEN"]
    assert made["secrets"]["HF_TOKEN"].startswith("HF_TOKEN-")
    assert "HF_TOKEN" not in made["env"]
    assert "hunter2" not in json.dumps(made)


@pytest.mark.parametrize("file", ["../signing.key", "/etc/passwd", "A", "A-0", ""])
def test_the_file_of_a_secret_lies_where_secrets_lie(context: MachineContext, file: str) -> None:
    claim = altered(claimed(), lambda spec: spec.update(secrets={"A": file}), KEY)
    with pytest.raises(SignatureError, match="cannot be read"):
        read_spec(claim, context, b"")


def test_a_job_of_an_mlq_that_captured_nothing_still_runs(context: MachineContext) -> None:
    def older(spec: dict[str, Any]) -> None:
        for name in ("captured_env", "secrets"):
            spec.pop(name, None)

    spec = read_spec(altered(claimed(), older, KEY), context, b"")
    assert (spec.captured_env, spec.secrets) == ({}, {})


FRACTION, OTHER = "XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION"
CARDS = (GpuOffer("GPU-a", "", 11264, 11264), GpuOffer("GPU-b", "", 8000, 8000))


@pytest.mark.parametrize(
    ("options", "fraction"),
    [
        ({"gpus": 1, "vram": "6G"}, "0.545"),  # 0.5454: rounded down
        ({"gpus": 1, "vram": "4M"}, "0.001"),
        ({"gpus": 1, "vram": "11G"}, None),
        ({"gpus": 1}, None),
        ({"gpus": 1, "vram": "6G", "env": {FRACTION: "0.2"}}, "0.2"),
        ({"gpus": 1, "vram": "6G", "env": {OTHER: "0.2"}}, None),
    ],
)
def test_jax_is_kept_to_what_its_job_asked_for(
    context: MachineContext, options: dict[str, Any], fraction: str | None
) -> None:
    claim = claimed(**options)
    spec = read_spec(claim, context, b"")
    assert order(claim, spec, context, CARDS)["env"].get(FRACTION) == fraction
    unknown = order(claim, spec, context, (GpuOffer("GPU-a", "", 0, 0),))["env"]
    assert unknown.get(FRACTION) == options.get("env", {}).get(FRACTION)
    secret = order(claim, replace(spec, secrets={OTHER: "file"}, env={}), context, CARDS)["env"]
    assert FRACTION not in secret


def test_a_job_finds_its_folders_in_its_environment(context: MachineContext) -> None:
    env = ordered(context)["env"]
    assert (env["MLQ_JOB_ID"], env["MLQ_ATTEMPT"]) == ("7", "2")
    assert env["MLQ_OUTPUT_DIR"] == "/results/jobs/7/output"
    assert env["MLQ_CHECKPOINT_DIR"] == "/results/jobs/7/checkpoint"
    assert env["MLQ_PROGRESS_FILE"] == "/results/jobs/7/attempts/2/progress.jsonl"
    assert env["MLQ_MARK"] == "mlq:q1:lab01:7.2"


def test_a_member_of_a_sweep_finds_its_parameters(context: MachineContext) -> None:
    claim = claimed(env={"MLQ_PARAM_LR": "of another"})
    member = Member(name="lr", key="k", params={"model.lr": "1e-3", "lr": "a b", "array": "07"})
    spec = replace(read_spec(claim, context, b""), member=member)
    made = order(claim, spec, context, ())
    given = {name: made["env"].get(name) for name in ("MLQ_PARAM_MODEL_LR", "MLQ_PARAM_LR")}
    assert given == {"MLQ_PARAM_MODEL_LR": "1e-3", "MLQ_PARAM_LR": "a b"}
    assert made["env"]["SLURM_ARRAY_TASK_ID"] == "07"
    assert json.loads(made["job_json"])["params"] == member.params
    alone = ordered(context)
    assert "SLURM_ARRAY_TASK_ID" not in alone["env"]
    assert "params" not in json.loads(alone["job_json"])


def test_a_job_begins_with_what_a_login_gives_and_knows_its_folder(context: MachineContext) -> None:
    env = ordered(context)["env"]
    assert (env["HOME"], env["LANG"], env["PATH"]) == ("/home/ann", "C.UTF-8", "/usr/bin")
    assert env["PWD"] == "/work dir"


def from_shell(context: MachineContext, environ: dict[str, str], **options: Any) -> dict[str, Any]:
    """Return the order for a job enqueued from a shell with these variables."""
    caller = Caller(environ, {"HF_HOME": "/hf"})
    options = {"argv": ("python", "x.py"), "cwd": "/work", **options}
    (job,) = sign_all(check_all([Submission(**options)], AT, 2048, caller), 7, KEY)
    claim = Claim("7", 2, job.spec.job_class.name, job.text, job.signature, 0, 0)
    return order(claim, read_spec(claim, context, b""), context, ())


VENV = {"VIRTUAL_ENV": "/ann/venv", "PATH": "/ann/venv/bin:/ann/bin:/usr/bin"}


def test_the_callers_folders_come_before_those_of_a_login(context: MachineContext) -> None:
    context = replace(context, login={**LOGIN, "PATH": "/home/ann/.local/bin:/usr/bin:/bin"})
    env = from_shell(context, VENV)["env"]
    assert env["PATH"] == "/ann/venv/bin:/ann/bin:/usr/bin:/home/ann/.local/bin:/bin"
    assert env["VIRTUAL_ENV"] == "/ann/venv"


def test_without_the_callers_variables_a_job_still_has_its_python(context: MachineContext) -> None:
    made = from_shell(context, VENV, capture_env=False)
    assert (made["env"]["PATH"], made["python_env"]) == ("/ann/venv/bin:/usr/bin", "/ann/venv")
    assert made["env"]["VIRTUAL_ENV"] == "/ann/venv"
    assert "HF_HOME" not in made["env"]


def test_a_job_of_an_mlq_that_recorded_only_the_folder_of_its_python_finds_it(
    context: MachineContext,
) -> None:
    claim = altered(claimed(), lambda spec: spec.update(python_env="/home/ann/venv"), KEY)
    env = order(claim, read_spec(claim, context, b""), context, ())["env"]
    assert env["PATH"] == "/home/ann/venv/bin:/usr/bin"
    assert env["VIRTUAL_ENV"] == "/home/ann/venv"


def test_the_program_that_the_shell_found_is_run_by_its_path(context: MachineContext) -> None:
    claim = altered(claimed(), lambda spec: spec.update(program="/ann/bin/python"), KEY)
    made = order(claim, read_spec(claim, context, b""), context, ())
    assert (made["argv"], made["called"]) == (["/ann/bin/python", "x.py"], "python")
    assert ordered(context)["argv"] == ["python", "x.py"]


def test_nothing_of_mlqs_own_can_be_set_from_outside(context: MachineContext) -> None:
    env = ordered(context, env={"MLQ_MARK": "mine", "MLQ_ATTEMPT": "99", "LR": "0.1"})["env"]
    assert (env["MLQ_MARK"], env["MLQ_ATTEMPT"], env["LR"]) == ("mlq:q1:lab01:7.2", "2", "0.1")
    made = ordered(context)
    assert made["env"]["MLQ_MARK"] == made["mark"]


def test_a_function_is_called_by_our_own_python_and_returns_to_a_file(
    context: MachineContext,
) -> None:
    made = ordered(context, argv=(), function=FunctionCall(name="math.hypot", args=(3, 4)))
    assert made["argv"][1:] == ["-P", "-m", "mlq_worker.launcher.call"]
    assert made["env"]["MLQ_RETURN_FILE"] == "/results/jobs/7/attempts/2/return.json"
    assert made["tag"]["returns"] is True
    assert ordered(context)["tag"]["returns"] is False


# --- what was claimed and does not fit ----------------------------------------------------------


def test_a_job_in_a_class_that_asks_for_less_is_handed_back_into_its_own(
    context: MachineContext,
) -> None:
    # Left where it was, it would be claimed and handed back again and again, without a pause.
    claim = replace(claimed(cores=4), class_name="p0.c1.m2048.g0.v0")
    admitted = admit(Claimed((claim,), {}, 0), offered(2), AttemptTable(), context, 0)
    (move,) = admitted.refused
    assert admitted.orders == ()
    assert (move.event, move.job_class) == (Event.RELEASE, "p0.c4.m2048.g0.v0")


def test_a_job_that_asks_for_more_than_a_class_can_say_is_refused(context: MachineContext) -> None:
    def grow(spec: dict[str, Any]) -> None:
        spec["request"]["cores"] = 10**17

    claim = altered(claimed(), grow, KEY)
    with pytest.raises(SignatureError, match="no more than"):
        read_spec(claim, context, b"")


# --- code as it was -------------------------------------------------------------------------------

CODE = {
    "pack": "a" * 64,
    "links": "b" * 64,
    "project": "/home/ann/proj",
    "subfolder": "exp/one",
    "also": [{"pack": "c" * 64, "project": "/home/ann/lib"}],
}


def test_a_job_with_code_starts_in_its_copy(context: MachineContext) -> None:
    claim = altered(claimed(), lambda spec: spec.update(code=CODE), KEY)
    made = order(claim, read_spec(claim, context, b""), context, ())
    assert made["cwd"] == made["env"]["PWD"] == "/results/jobs/7/work/exp/one"
    assert made["code"] == {
        "projects": [
            {"pack": "a" * 64, "links": "b" * 64, "project": "/home/ann/proj"},
            {"pack": "c" * 64, "links": "", "project": "/home/ann/lib"},
        ],
        "subfolder": "exp/one",
        "cache_dir": str(context.settings.cache_dir),
    }
    assert COPIES_CODE in made["tag"]["needs"].split()
    assert "code" not in ordered(context)


def test_a_job_with_code_imports_its_copy(context: MachineContext) -> None:
    def change(spec: dict[str, Any]) -> None:
        spec["code"] = CODE | {"commit": "abc123", "project": "/home/ann/100%"}
        spec["python_env"] = "/home/ann/100%/.venv"
        spec["env"] = {"PYTHONPATH": "/home/ann/100%/src:/opt/x:/home/ann/lib", "UV_NO_SYNC": "0"}

    claim = altered(claimed(), change, KEY)
    env = order(claim, read_spec(claim, context, b""), context, ())["env"]
    job = "/results/jobs/7"
    first, *paths = env["PYTHONPATH"].split(":")
    assert Path(first, "sitecustomize.py").is_file()
    assert paths == [f"{job}/work/src", "/opt/x", f"{job}/code/1"]
    assert pairs_of(env["MLQ_CODE"]) == [
        ("/home/ann/100%", f"{job}/work"),
        ("/home/ann/lib", f"{job}/code/1"),
    ]
    assert env["UV_NO_SYNC"] == "0"
    assert env["UV_PROJECT_ENVIRONMENT"] == "/home/ann/100%/.venv"
    assert env["WANDB_GIT_COMMIT"] == "abc123"
    assert not {"MLQ_CODE", "UV_NO_SYNC", "WANDB_GIT_COMMIT"} & ordered(context)["env"].keys()


def test_a_job_in_its_live_folder_can_report_too(context: MachineContext) -> None:
    for typed, kept in ((None, ""), ("", ""), ("/a::/b:", ":/a::/b:")):
        own = {} if typed is None else {"PYTHONPATH": typed}
        claim = altered(claimed(), lambda spec, own=own: spec.update(env=own), KEY)
        env = order(claim, read_spec(claim, context, b""), context, ())["env"]
        assert env["PYTHONPATH"] == STARTUP + kept  # an empty entry means the present folder
        assert Path(env["MLQ_MODULE"]).is_file()
