"""Variables and secrets on the command line: what goes along, what is said, what is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox import Sandbox

from mlq.files.root import claim_root

pytestmark = pytest.mark.slow

SECRET = "hunter2-hunter2"


def shells(installation: Sandbox, **more: str) -> dict[str, str]:
    """Return what every job is given of the shell of this installation, and more."""
    return {name: installation.environ[name] for name in ("LANG", "PATH")} | more


def shown(installation: Sandbox, job_id: str) -> dict[str, Any]:
    (job,) = json.loads(installation.ok("show", job_id, "--json"))
    found: dict[str, Any] = job
    return found


def with_root(installation: Sandbox) -> None:
    """Let the root be this queue's, as its first worker does."""
    queue = installation.queue()
    queue.store.client.call("SET", "mlq:queue_id", "q1", "NX")
    claim_root(queue.layout, "q1")


def test_exported_variables_go_along_and_secrets_are_named(installation: Sandbox) -> None:
    installation.start_server()
    environ = {"HF_HOME": "/vol/hf", "WANDB_API_KEY": SECRET, "HF_TOKEN": "x"}
    done = installation.run("enqueue", "true", environ=environ)
    assert (done.code, done.out) == (0, "1\n")
    assert done.err == (
        "mlq: note: not passed on, for they look like secrets: HF_TOKEN, WANDB_API_KEY"
        " (pass one with --secret NAME, or --env NAME)\n"
    )
    assert installation.spec_of("1")["captured_env"] == shells(installation, HF_HOME="/vol/hf")


@pytest.mark.parametrize(
    ("words", "environ"),
    [(["--clean-env"], {}), ([], {"MLQ_CAPTURE_ENV": "false"})],
)
def test_nothing_goes_along_if_the_user_says_so(
    installation: Sandbox, words: list[str], environ: dict[str, str]
) -> None:
    installation.start_server()
    given = {"HF_HOME": "/x", "HF_TOKEN": "x", **environ}
    done = installation.run("enqueue", *words, "--env", "A=1", "true", environ=given)
    assert (done.code, done.err) == (0, "")
    spec = installation.spec_of("1")
    assert (spec["captured_env"], spec["env"]) == ({}, {"A": "1"})


def test_a_secret_asked_for_in_clear_is_obeyed_and_warned_about(installation: Sandbox) -> None:
    installation.start_server()
    words = ("enqueue", "--env", "HF_TOKEN", "true")
    done = installation.run(*words, environ={"HF_TOKEN": SECRET})
    assert done.code == 0
    (line,) = done.err.splitlines()
    assert line.startswith("mlq: warning: --env HF_TOKEN: it looks like a secret")
    assert "--secret HF_TOKEN keeps it out" in line
    assert installation.spec_of("1")["env"] == {"HF_TOKEN": SECRET}


def test_show_tells_of_variables_and_never_of_secrets(installation: Sandbox) -> None:
    with_root(installation)
    words = ("--env", "LR=0.1 x", "--env", f"DB=pg://me:{SECRET}@h/d", "--secret", "WANDB_API_KEY")
    environ = {"WANDB_API_KEY": SECRET, "HF_HOME": "/vol/hf", "ESC": "\x1b[31m"}
    assert installation.run("enqueue", *words, "true", environ=environ).code == 0
    text = installation.ok("show", "1")
    assert "  env        'DB=***' 'LR=0.1 x'\n" in text
    assert "  captured   4 variables of its shell (--json lists them)\n" in text
    assert "  secrets    WANDB_API_KEY\n" in text
    found = shown(installation, "1")
    assert found["env"] == {"LR": "0.1 x", "DB": "***"}
    assert found["captured_env"] == shells(installation, ESC="\x1b[31m", HF_HOME="/vol/hf")
    assert found["secrets"] == ["WANDB_API_KEY"]
    assert SECRET not in text + json.dumps(found)


def test_show_of_a_job_whose_description_was_altered_goes_on(installation: Sandbox) -> None:
    installation.submit()
    client = installation.queue().store.client
    for spoilt in ("{", "[]", '{"env": 3, "captured_env": {"A": 1}, "secrets": ["x"]}', ""):
        client.call("HSET", "rq:job:1", "mlq_spec", spoilt)
        found = shown(installation, "1")
        assert (found["env"], found["captured_env"], found["secrets"]) == ({}, {}, [])
        installation.ok("show", "1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--secret", "GONE"], "--secret GONE has no value: GONE is not set here"),
        (["--secret", f"A={SECRET}"], "--secret A=... cannot be used"),
        (["--env", "A", "--secret", "A"], "A is given twice"),
    ],
)
def test_a_wrong_secret_is_one_clear_message(
    installation: Sandbox, words: list[str], said: str
) -> None:
    installation.start_server()
    done = installation.run("enqueue", *words, "true", environ={"A": SECRET})
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert SECRET not in done.err
    assert "Traceback" not in done.err
    assert installation.queue().every() == []


def test_the_python_api_captures_alike_and_says_each_thing_once(installation: Sandbox) -> None:
    installation.environ |= {"HF_HOME": "/vol/hf", "HF_TOKEN": SECRET}
    queue = installation.queue()
    said: list[str] = []
    queue.tell = said.append
    queue.enqueue_many([["true"], ["false"]])
    queue.enqueue(["true"])
    queue.enqueue(["true"], capture_env=False)
    assert len(said) == 1
    assert "HF_TOKEN" in said[0]
    captured = [installation.spec_of(str(one))["captured_env"] for one in (1, 2, 3, 4)]
    assert captured == [shells(installation, HF_HOME="/vol/hf")] * 3 + [{}]


def test_a_server_that_listens_on_tcp_warns(installation: Sandbox) -> None:
    quiet = installation.ok("server", "start")
    installation.ok("server", "stop")
    assert "warning" not in quiet
    installation.environ |= {"MLQ_REDIS_TCP": "true", "MLQ_REDIS_PORT": "47379"}
    installation.served = True
    for _ in range(2):  # also when it runs already
        out = installation.ok("server", "start")
        assert out.count("\n") == 1
        assert (
            "warning: redis_tcp is set, so everybody who is logged in on desk can reach it at"
            in out
        )
        assert "127.0.0.1:47379, and only its password protects it" in out
