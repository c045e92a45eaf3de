"""What a job is given of the machine it runs on: a login's variables, nothing of the worker's."""

from __future__ import annotations

from mlq_worker.agent.job_environment import Machine, login_environment, look

ANN = {"HOME": "/home/ann", "USER": "ann", "LOGNAME": "ann", "SHELL": "/bin/bash"}
DEFS = "# a comment\nENV_SUPATH\tPATH=/sbin:/bin\nENV_PATH\tPATH=/usr/local/bin:/usr/bin:/bin\n"


def test_a_login_knows_who_the_user_is_and_where_programs_are() -> None:
    assert login_environment({}, Machine(defs=DEFS, account=ANN)) == {
        **ANN,
        "PATH": "/home/ann/.local/bin:/usr/local/bin:/usr/bin:/bin",
    }
    root = login_environment({}, Machine(defs=DEFS, is_root=True))
    assert root == {"PATH": "/sbin:/bin"}
    assert login_environment({}, Machine()) == {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def test_the_files_of_the_machine_count_and_the_workers_language_before_them() -> None:
    machine = Machine(
        'PATH="/usr/sbin:/usr/bin"\n# TZ=UTC\nexport https_proxy=http://proxy:3128\nnonsense\n',
        "LANG=en_GB.UTF-8\nLC_TIME='de_DE.UTF-8'\n",
        DEFS,
    )
    env = login_environment({"LANG": "C.UTF-8", "TZ": "Europe/London"}, machine)
    assert env == {
        "PATH": "/usr/sbin:/usr/bin",
        "https_proxy": "http://proxy:3128",
        "LANG": "C.UTF-8",
        "LC_TIME": "de_DE.UTF-8",
        "TZ": "Europe/London",
    }


WORKERS_OWN = """
    PATH VIRTUAL_ENV CONDA_PREFIX CONDA_EXE CONDA_SHLVL _CE_M PYTHONPATH PYTHONHOME LD_LIBRARY_PATH
    REDIS_PASSWORD REDISCLI_AUTH HF_TOKEN SSH_AUTH_SOCK SSH_CONNECTION NOTIFY_SOCKET INVOCATION_ID
    WATCHDOG_USEC DISPLAY TMUX DBUS_SESSION_BUS_ADDRESS MPLBACKEND LC_secret MLQ_MARK MLQ_JOB_ID
    MLQ_PASSWORD OLDPWD PWD CUDA_VISIBLE_DEVICES"""


def test_nothing_else_of_the_workers_own_reaches_a_job() -> None:
    own = dict.fromkeys(WORKERS_OWN.split(), "hunter2")
    assert "hunter2" not in login_environment(own, look()).values()


def test_a_job_that_calls_mlq_finds_the_workers_queue() -> None:
    own = {"MLQ_ROOT": "/results", "MLQ_CONFIG": "/x.toml", "XDG_CONFIG_HOME": "/c"}
    assert login_environment(own, Machine()).items() >= own.items()
