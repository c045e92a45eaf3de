"""What a job is given of its caller's variables: nothing wrong elsewhere, nothing secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.submit.captured import MOST_BYTES, NOT_CAPTURED, Captured, capture, in_clear
from mlq.submit.secrecy import looks_like_secret
from mlq_worker.agent.job_environment import _THREAD_VARIABLES

WANTED = {
    "HF_HOME": "/vol/me/hf",
    "WANDB_PROJECT": "x",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONPATH": "/vol/me/code",
    "LD_LIBRARY_PATH": "/vol/cuda/lib64",
    "LANG": "en_GB.UTF-8",
    "TZ": "Europe/London",
    "SEED": "3",
    "XDG_CACHE_HOME": "/vol/me/cache",
    "http_proxy": "http://proxy:3128",
    "GIT_SSH_COMMAND": "ssh -i ~/.ssh/lab",
    "GIT_COMMIT": "0c19a39",
    "MPLBACKEND": "Agg",
    "EMPTY": "",
    "LINES_2": "two\nlines",
    # Like the beginnings of names that are left out.
    "TERMINATE_AFTER": "5",
    "LESSON": "1",
    "USER_AGENT": "me",
    "PATHS": "a:b",
    "HOME_RUN": "1",
    "SHELL_SORT": "1",
    "TMPL": "1",
    "ENVIRONMENT": "prod",
    "PYTHONHOMEPAGE": "1",
    "WINDOWS": "512",
}
UNWANTED = """
    PATH HOME SHELL USER LOGNAME PWD OLDPWD SHLVL _ HOSTNAME TERM TERM_PROGRAM TERM_SESSION_ID
    COLORTERM DISPLAY WAYLAND_DISPLAY SSH_AUTH_SOCK SSH_CONNECTION XDG_RUNTIME_DIR XDG_SESSION_ID
    XDG_CONFIG_HOME DBUS_SESSION_BUS_ADDRESS TMUX TMUX_PANE STY LS_COLORS LESS LESSOPEN PS1 MAIL
    EDITOR PAGER VSCODE_IPC_HOOK_CLI INVOCATION_ID NOTIFY_SOCKET TMPDIR CUDA_VISIBLE_DEVICES
    CUDA_DEVICE_ORDER OMP_NUM_THREADS MKL_NUM_THREADS MLQ_ROOT MLQ_MARK MLQ_ANYTHING VIRTUAL_ENV
    CONDA_PREFIX CONDA_DEFAULT_ENV PYTHONHOME KRB5CCNAME LD_PRELOAD SLURM_JOB_ID DIRENV_DIFF
    RANK WORLD_SIZE LOCAL_RANK MASTER_ADDR MASTER_PORT TORCHELASTIC_RUN_ID WANDB_SERVICE MAKEFLAGS
    MAKELEVEL MFLAGS GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE GIT_PREFIX GIT_AUTHOR_NAME GIT_EDITOR
    GIT_ASKPASS GIT_CONFIG_PARAMETERS PYTEST_CURRENT_TEST PYENV_DIR _PYENV_INSTALL_PREFIX
    npm_config_x __MISE_DIFF __PYVENV_LAUNCHER__
    LOADEDMODULES BASH_FUNC_module%% BASH_FUNC_x() a-b a.b 1A __CFBundleIdentifier
"""


def test_what_a_user_set_goes_along() -> None:
    assert capture(WANTED) == Captured(WANTED)
    assert capture(WANTED).notice() == ""


@pytest.mark.parametrize("name", UNWANTED.split())
def test_what_is_wrong_elsewhere_stays_here_unsaid(name: str) -> None:
    assert capture({**WANTED, name: "hunter2"}) == Captured(WANTED)


def test_a_notebooks_way_to_draw_stays_in_the_notebook() -> None:
    assert capture({"MPLBACKEND": "module://matplotlib_inline.backend_inline"}) == Captured()


def test_whatever_the_worker_sets_is_not_captured() -> None:
    names = {*_THREAD_VARIABLES}
    names |= {"PATH", "VIRTUAL_ENV", "CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES", "MLQ_MARK"}
    assert capture(dict.fromkeys(names, "x")) == Captured()


def test_no_name_stands_in_the_table_twice() -> None:
    words = " ".join(NOT_CAPTURED.values()).split()
    assert len(words) == len(set(words))


def test_secrets_are_left_out_and_named() -> None:
    found = capture({"A": "1", "WANDB_API_KEY": "abc", "DB": "pg://me:pw@h/d", "HF_TOKEN": "x"})
    assert (found.env, found.secrets) == ({"A": "1"}, ("DB", "HF_TOKEN", "WANDB_API_KEY"))
    assert found.notice() == (
        "note: not passed on, for they look like secrets: DB, HF_TOKEN, WANDB_API_KEY"
        " (pass one with --secret NAME, or --env NAME)"
    )
    left = found.without({"DB", "HF_TOKEN"})
    assert left.notice() == (
        "note: not passed on, for it looks like a secret: WANDB_API_KEY"
        " (pass one with --secret NAME, or --env NAME)"
    )
    assert found.without(found.secrets).notice() == ""


def test_what_is_not_utf8_is_left_out_and_named_so_that_it_can_be_shown() -> None:
    found = capture({"A": "1", "NAME": "caf\udce9", "B": "café"})
    assert (found.env, found.unsendable) == ({"A": "1", "B": "café"}, ("NAME",))
    assert found.notice() == "note: not passed on, for it is not UTF-8: NAME"


def test_the_largest_are_left_out_until_the_rest_is_small_enough() -> None:
    environ = {"SMALL": "x", "LARGE": "x" * 20_000, "LARGER": "x" * 25_000, "MIDDLE": "x" * 9_000}
    found = capture(environ)
    assert set(found.env) == {"SMALL", "LARGE", "MIDDLE"}
    assert found.too_large == ("LARGER",)
    assert found.notice().startswith("note: not passed on, for all together they exceed 32 KiB")
    assert "LARGER (pass one with --env NAME)" in found.notice()


def test_all_that_is_to_be_said_is_one_line() -> None:
    found = capture({"HF_TOKEN": "x", "B": "\udcff", "C": "x" * 40_000})
    assert "\n" not in found.notice()
    assert all(name in found.notice() for name in ("HF_TOKEN", "B", "C"))


@given(
    st.dictionaries(
        st.text("AB_SECRTOKN", min_size=1, max_size=8),
        st.text(st.characters(exclude_characters="\0"), max_size=60),
        max_size=12,
    ),
    st.integers(0, 200),
)
def test_it_never_sends_a_secret_or_too_much_and_names_all_it_leaves(
    environ: dict[str, str], most_bytes: int
) -> None:
    found = capture(environ, most_bytes)
    assert sum(len(n) + len(v.encode()) + 2 for n, v in found.env.items()) <= most_bytes
    assert all(environ[name] == value for name, value in found.env.items())
    assert not any(looks_like_secret(name, value) for name, value in found.env.items())
    named = (*found.env, *found.secrets, *found.unsendable, *found.too_large)
    assert len(named) == len(set(named))
    # What is never passed on, such as `_` and RANK, need not be named.
    assert not any(capture({name: "x"}).env for name in set(environ) - set(named))


def test_a_secret_given_in_clear_is_warned_about() -> None:
    assert in_clear({"A": "1", "LR": "0.1"}) == ""
    assert in_clear({"HF_TOKEN": "abc", "A": "1"}) == (
        "warning: --env HF_TOKEN: it looks like a secret, and those who read the queue read it;"
        " --secret HF_TOKEN keeps it out of the queue"
    )
    assert "abc" not in in_clear({"HF_TOKEN": "abc"})


def test_the_bound_is_far_below_what_a_process_can_be_given() -> None:
    assert MOST_BYTES <= 128 * 1024 / 4  # MAX_ARG_STRLEN of Linux is 128 KiB for one of them
