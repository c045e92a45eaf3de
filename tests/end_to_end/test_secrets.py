"""Secrets and captured variables, from the shell they are set in to the job, with a real worker."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from local_lab import PATIENT, Lab
from waiting import wait_for

from mlq.api.queue import Queue
from mlq.jobs.spec import FunctionCall
from mlq.store.connection import open_redis
from mlq.submit.submission import Submission

SETTINGS = PATIENT
SECRET = "correct-horse-battery-staple-9"
NAME = "WANDB_API_KEY"
WITH = {NAME: SECRET}


def enqueue(lab: Lab, *words: str, **environ: str) -> str:
    done = lab.sandbox.run("enqueue", *words, environ={**WITH, **environ})
    assert done.code == 0, done
    assert SECRET not in done.out + done.err
    return done.out.strip()


def secret_file(lab: Lab) -> Path:
    (path,) = lab.layout.secrets_dir.iterdir()
    return path


def files_with(folder: Path, text: str) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(one.relative_to(folder)) for one in files if text.encode() in one.read_bytes()]


def whole_value(client: redis.Redis, key: bytes) -> bytes:
    read: dict[bytes, Callable[[], object]] = {
        b"string": lambda: client.get(key),
        b"hash": lambda: client.hgetall(key),
        b"list": lambda: client.lrange(key, 0, -1),
        b"set": lambda: client.smembers(key),
        b"zset": lambda: client.zrange(key, 0, -1),
        b"stream": lambda: client.xrange(key),
    }
    return repr(read[client.type(key)]()).encode()


def test_a_secret_reaches_the_job_and_nothing_else(lab: Lab) -> None:
    lab.machine("lab01")
    script = (
        f'echo "${{{NAME}}}" | tr a-z A-Z; tr "\\0" "\\n" </proc/$$/cmdline; touch running; '
        "until [ -e on ]; do sleep 0.05; done"
    )
    job_id = enqueue(lab, "--secret", NAME, "--shell", script)
    wait_for((lab.folder / "running").exists, what="the job")
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(SECRET.encode() in line for line in lines)
    lab.open("on")
    lab.until(job_id, "finished")
    assert lab.log(job_id).startswith(SECRET.upper().encode())

    path = secret_file(lab)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (SECRET, 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.name.startswith(f"{NAME}-")
    # Everything there is: the queue's log on disk, the results root, logs of all processes.
    assert files_with(lab.folder, SECRET) == [f"root/secrets/{path.name}"]
    with open_redis(lab.queue.settings) as client:
        held = {key: whole_value(client, key) for key in client.scan_iter("*")}
    assert any(NAME.encode() in value for value in held.values())
    assert not any(SECRET.encode() in value for value in held.values())
    job_file = lab.layout.job_file(job_id)
    assert stat.S_IMODE(job_file.stat().st_mode) == 0o600
    assert json.loads(job_file.read_text())["spec"]["secrets"] == {NAME: path.name}


def test_jobs_with_the_same_secret_share_a_file_and_another_value_has_its_own(lab: Lab) -> None:
    lab.machine("lab01")
    command = ("--secret", NAME, "--shell", f'[ "${{{NAME}}}" = {SECRET} ]')
    ids = [enqueue(lab, *command) for _ in range(2)]
    for job_id in ids:
        lab.until(job_id, "finished")
    assert secret_file(lab)
    other = enqueue(lab, *command, **{NAME: "another"})
    lab.until(other, "failed")
    assert len(list(lab.layout.secrets_dir.iterdir())) == 2


def test_a_retried_and_a_handed_back_job_find_their_secret_again(lab: Lab) -> None:
    machine = lab.machine("lab01")
    script = f'[ "${{{NAME}}}" = {SECRET} ] || exit 9; [ "$MLQ_ATTEMPT" = 3 ] && exit 0; '
    script += '[ "$MLQ_ATTEMPT" = 1 ] && exit 1; touch second; sleep 1000'
    job_id = enqueue(lab, "--secret", NAME, "--retries", "1", "--shell", script)
    wait_for((lab.folder / "second").exists, what="the second attempt")
    machine.stop("--now")
    machine.start()
    lab.until(job_id, "finished", attempt=3)


def open_to_others(path: Path) -> None:
    path.chmod(0o640)


def a_link(path: Path) -> None:
    target = path.parent.parent / "elsewhere"
    target.write_bytes(path.read_bytes())
    target.chmod(0o600)
    path.unlink()
    path.symlink_to(target)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def open_folder(path: Path) -> None:
    path.parent.chmod(0o755)


def linked_folder(path: Path) -> None:
    real = path.parent.rename(path.parent.with_name("real"))
    path.parent.symlink_to(real)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (Path.unlink, "there is no such file"),
        (open_to_others, "it is open to others (mode 0640)"),
        (a_link, "it is a symbolic link"),
        (a_pipe, "it is not a file"),
        (open_folder, "its folder is open to others (mode 0755)"),
        (linked_folder, "its folder is a link or a file"),
        (lambda path: path.write_bytes(b"\xff"), "it is damaged"),
        (lambda path: path.write_bytes(b""), "it is damaged"),
    ],
)
def test_a_file_that_others_could_have_touched_fails_the_job_with_the_reason(
    lab: Lab, spoil: Callable[[Path], object], why: str
) -> None:
    machine = lab.machine("lab01")
    machine.stop()
    job_id = enqueue(lab, "--secret", NAME, "--shell", "touch ran")
    spoil(secret_file(lab))
    machine.start()
    ended = lab.until(job_id, "failed")
    assert ended.reason == (f"secret {NAME} cannot be read: {why}; enqueue it again with --secret")
    assert ended.exit_code == 126
    assert not (lab.folder / "ran").exists()


def test_without_the_root_or_with_anothers_a_secret_is_refused(lab: Lab, tmp_path: Path) -> None:
    words = ("enqueue", "--secret", NAME, "true")
    early = lab.sandbox.run(*words, environ=WITH)
    assert (early.code, "start a worker first" in early.err) == (1, True)
    lab.machine("lab01")
    away = lab.sandbox.run(*words, environ={**WITH, "MLQ_ROOT": str(tmp_path / "none")})
    assert away.code == 1
    assert f"--secret needs the results root, and {tmp_path / 'none'} is none" in away.err
    assert "enqueue on a machine of the lab" in away.err
    (tmp_path / "queue.json").write_text('{"queue": "other", "format": 1}')
    others = lab.sandbox.run(*words, environ={**WITH, "MLQ_ROOT": str(tmp_path)})
    assert (others.code, "is another's" in others.err) == (1, True)
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "secrets").exists()
    assert lab.queue.every() == []
    assert SECRET not in early.err + away.err + others.err


def test_a_function_and_the_python_api_are_given_secrets_too(lab: Lab) -> None:
    lab.machine("lab01")
    queue = Queue.connect({**lab.environ, **WITH})
    call = FunctionCall(name="os.getenv", args=(NAME,))
    named = Submission(function=call, cwd=str(lab.folder), python_env="", secrets=[NAME])
    valued = Submission(function=call, cwd=str(lab.folder), python_env="", secrets={NAME: "given"})
    assert SECRET not in repr(named) + repr(queue) and "given" not in repr(valued)
    jobs = queue.submit([named, valued])
    for job in jobs:
        job.wait(timeout_s=60)
    assert [job.result().value for job in jobs] == [SECRET, "given"]
    queue.store.client.close()


def test_captured_variables_reach_the_job_and_mlqs_own_replace_them(lab: Lab) -> None:
    lab.machine("lab01", environ={"FROM_WORKER": "1", "HF_HOME": "/of/worker"})  # are its own
    script = 'echo "$HF_HOME|$FROM_WORKER|$OMP_NUM_THREADS|$SEED|$HF_TOKEN|$HOME"'
    given = {"HF_HOME": "/vol/hf", "SEED": "1", "OMP_NUM_THREADS": "7", "HF_TOKEN": "tkn"}
    job_id = enqueue(lab, "--env", "SEED=2", "--shell", script, **given, HOME="/of/caller")
    lab.until(job_id, "finished")
    assert lab.log(job_id).decode() == f"/vol/hf||1|2||{lab.environ['HOME']}\n"
