"""A job runs the program that its user's shell finds, in the folder as typed, or says why not.

Real shells activate real environments; what a script finds there and what it finds as a job are
compared.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from conda import Prefix, make_prefix
from local_lab import PATIENT, Lab, new_lab
from sandbox import MLQ

# What is the job's business, one fact a line.
PROBE = """exec 2>&1
command -v python || echo no python
python -c 'import sys; print(sys.prefix)' || true
echo "$PWD"
env | grep -E '^(VIRTUAL_ENV|CONDA|_CE|GDAL|HF_)' | sort
echo ==
"""
SECRETS = {"REDISCLI_AUTH": "hunter2", "SSH_AUTH_SOCK": "/agent", "WANDB_API_KEY": "hunter2"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab whose worker was started in half a conda environment, from mlq's own folder."""
    with new_lab(**PATIENT) as lab:
        half = {"CONDA_PREFIX": "/of/worker", "CONDA_EXE": "/of/worker/conda", "GDAL_DATA": "/of"}
        path = f"{MLQ.parent}:{lab.environ['PATH']}"
        lab.machine("lab01", environ={**half, **SECRETS, "VIRTUAL_ENV": sys.prefix, "PATH": path})
        yield lab


@pytest.fixture(scope="module")
def venv(lab: Lab) -> str:
    """Return what a shell does to activate a virtual environment."""
    folder = lab.folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return f". {folder}/bin/activate"


@pytest.fixture(scope="module")
def conda(lab: Lab) -> Prefix:
    """Return a conda environment."""
    return make_prefix(lab.folder / "envs" / "geo")


def in_shell(lab: Lab, script: str, **environ: str) -> str:
    """Run a script in a bash that begins with the environment of a plain login."""
    plain = {**lab.environ, "PATH": "/usr/local/bin:/usr/bin:/bin", **environ}
    done = subprocess.run(
        ["/bin/bash", "-ec", script],
        env=plain,
        cwd=lab.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def both(lab: Lab, before: str, *flags: str, **environ: str) -> tuple[str, str]:
    """Return what the probe says in a shell that did something before, and as a job of it."""
    (lab.folder / "probe.sh").write_text(PROBE)
    typed = f"{MLQ} enqueue {' '.join(flags)} --wait --json -- sh {lab.folder}/probe.sh >&2"
    get = f"{MLQ} ls --all --json | grep -o '\"id\": *\"[0-9]*\"' | tail -1 | grep -o '[0-9]*'"
    shell, _, number = in_shell(
        lab, f"{before}\nsh {lab.folder}/probe.sh\n{typed}\n{get}", **environ
    ).rpartition("==\n")
    said = lab.log(number.strip()).decode()
    return shell, said.rpartition("==\n")[0]


def test_without_an_environment_python_is_the_machines_own(lab: Lab) -> None:
    shell, job = both(lab, "true")
    assert job == shell
    assert str(MLQ.parent) not in job


def test_a_virtual_environment(lab: Lab, venv: str) -> None:
    shell, job = both(lab, venv)
    assert job == shell
    assert job.startswith(f"{lab.folder}/venv/bin/python\n{lab.folder}/venv\n")


def test_all_of_a_conda_environment(lab: Lab, conda: Prefix) -> None:
    shell, job = both(lab, conda.activation, HF_HOME="/hf")
    assert job == shell
    assert {f"CONDA_PREFIX={conda.path}", "CONDA_SHLVL=1", "HF_HOME=/hf"} <= set(job.splitlines())
    assert f"GDAL_DATA={conda.path}/share/gdal\n" in job


def test_with_both_active_the_one_that_the_shell_finds_wins(
    lab: Lab, venv: str, conda: Prefix
) -> None:
    for first, then, python in (
        (conda.activation, venv, f"{lab.folder}/venv/bin/python\n"),
        (venv, conda.activation, f"{conda.path}/bin/python\n"),
    ):
        shell, job = both(lab, f"{first}\n{then}")
        assert job == shell
        assert job.startswith(python)


def test_a_job_without_its_callers_variables_has_their_python_and_nothing_of_the_workers(
    lab: Lab, conda: Prefix
) -> None:
    _, job = both(lab, conda.activation, "--clean-env", HF_HOME="/hf")
    assert job.splitlines()[0] == f"{conda.path}/bin/python"
    told = set(job.splitlines()[3:])
    activated = f"GDAL_DATA={conda.path}/share/gdal"
    assert told == {f"CONDA_PREFIX={conda.path}", "CONDA_SHLVL=1", activated}
    job_id = lab.sh("env", capture_env=False)
    lab.until(job_id, "finished")
    env = dict(line.split("=", 1) for line in lab.log(job_id).decode().splitlines())
    assert not {*SECRETS, "CONDA_EXE", "GDAL_DATA", "VIRTUAL_ENV"} & set(env)
    assert str(MLQ.parent) not in env["PATH"]


def test_the_environment_of_a_program_that_is_not_active(lab: Lab, venv: str) -> None:
    """What the program calls is found there, too, though PATH does not go along."""
    bin_folder = lab.folder / "venv" / "bin"
    for name, text in (("tool", "helper"), ("helper", "command -v python; echo $VIRTUAL_ENV")):
        (bin_folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_folder / name).chmod(0o700)
    job = in_shell(lab, f'PATH="{bin_folder}:$PATH"; {MLQ} enqueue --clean-env -m 50M tool').strip()
    lab.until(job, "finished")
    assert lab.log(job).decode().split() == [str(bin_folder / "python"), str(lab.folder / "venv")]
    assert venv


def test_a_folder_reached_by_a_link_and_as_many_open_files_as_there_may_be(lab: Lab) -> None:
    (lab.folder / "disk3").mkdir()
    (lab.folder / "work").symlink_to("disk3")
    shell, job = both(lab, "cd work")
    assert job == shell
    assert f"\n{lab.folder}/work\n" in job
    job_id = lab.sh("ulimit -Sn; ulimit -Hn")
    lab.until(job_id, "finished")
    soft, hard = lab.log(job_id).split()
    assert soft == hard


def test_a_program_of_the_users_own_is_run_or_its_absence_is_said(lab: Lab) -> None:
    own = lab.folder / "bin" / "python"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\necho own\n")
    own.chmod(0o755)
    typed = f"PATH={own.parent}:$PATH; {MLQ} enqueue"
    runs = in_shell(lab, f"{typed} --clean-env python x.py").strip()
    lab.until(runs, "finished")
    assert lab.log(runs) == b"own\n"
    assert f"  program    {own}\n" in lab.sandbox.ok("show", runs)
    gate = lab.sh("until [ -e go ]; do sleep 0.05; done")
    late = in_shell(lab, f"{typed} --after {gate} python x.py").strip()
    own.unlink()
    own.symlink_to("/laptop/python3")
    (lab.folder / "go").touch()
    ended = lab.until(late, "failed")
    assert ended.reason == (
        f"command not found: {own}, which leads to /laptop/python3"
        " (python, in the shell it was enqueued from), on lab01"
    )


def test_an_environment_whose_python_is_not_here_is_an_error_that_says_why(lab: Lab) -> None:
    folder = lab.folder / "laptop-venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    python.unlink()
    python.symlink_to("/laptop/python3.12")
    activation = f". {folder}/bin/activate"
    job_id = in_shell(lab, f"{activation}; {MLQ} enqueue --shell 'python -V'").strip()
    ended = lab.until(job_id, "failed")
    assert ended.reason == (
        f"Python environment cannot be used: {folder}: its Python is /laptop/python3.12,"
        " which is missing, on lab01"
    )


def test_a_job_enqueued_by_make_in_a_hook_of_git_is_neithers_business(lab: Lab) -> None:
    (lab.folder / "Makefile").write_text(f"all:\n\t+{MLQ} enqueue -- env > {lab.folder}/id\n")
    script = f"""
        mkdir repo && cd repo && git init --quiet
        printf '#!/bin/sh\\nenv >{lab.folder}/hook; make -j2 -f {lab.folder}/Makefile\\n' \\
            >.git/hooks/post-commit
        chmod +x .git/hooks/post-commit
        git -c user.name=ann -c user.email=a@b commit --quiet --allow-empty -m begin
    """
    in_shell(lab, script, GIT_SSH_COMMAND="ssh -i lab", MPLBACKEND="Agg")
    assert "GIT_" in (lab.folder / "hook").read_text().replace("GIT_SSH_COMMAND", "")
    job_id = (lab.folder / "id").read_text().strip()
    lab.until(job_id, "finished")
    env = dict(line.split("=", 1) for line in lab.log(job_id).decode().splitlines())
    told = {name for name in env if name.startswith(("GIT_", "MAKE", "MFLAGS", "MPL"))}
    assert told == {"GIT_SSH_COMMAND", "MPLBACKEND"}
