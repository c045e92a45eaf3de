"""Which of its caller's variables a job gets: Slurm's `--export=ALL`, without its traps.

A user who types `HF_HOME=/vol/x mlq enqueue python train.py` means the variable for the job. So
exported variables go along, with three exceptions. Variables that describe the machine, the session
or the terminal would be wrong where the job runs. Variables that mlq sets for each attempt are
known only there. And variables that look like secrets (`mlq.submit.secrecy`) must not be in the
queue. Invariant: `capture` depends on its argument alone, and a notice names every omitted variable
that a user could miss.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mlq.submit.secrecy import looks_like_secret

# Bytes. Every job carries its variables through Redis, whose memory runs out first. A login shell
# of the lab has 1 to 3 KiB of variables that are captured.
MOST_BYTES = 32 * 1024

# Reason -> names, or their beginnings where a star follows.
NOT_CAPTURED = {
    "mlq sets it for each attempt": """
        MLQ_* CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER NVIDIA_VISIBLE_DEVICES OMP_NUM_THREADS
        MKL_NUM_THREADS OPENBLAS_NUM_THREADS NUMEXPR_NUM_THREADS VECLIB_MAXIMUM_THREADS""",
    # `mlq.submit.python_env` adds PATH and the variables of the environment that is in it.
    "goes along only with the programs that it is about": """
        PATH VIRTUAL_ENV VIRTUAL_ENV_* CONDA_* _CE_CONDA _CE_M _CONDA_* __CONDA_* PYTHONHOME
        __PYVENV_LAUNCHER__ PYENV_VIRTUAL_ENV PYENV_DIR PYENV_HOOK_PATH PYENV_SHELL
        PYENV_ACTIVATE_SHELL _PYENV_* POETRY_ACTIVE PIPENV_ACTIVE HATCH_ENV_ACTIVE UV
        UV_RUN_RECURSION_DEPTH""",
    "who and where the caller is": """
        HOME USER USERNAME LOGNAME SHELL PWD OLDPWD SHLVL _ HOST HOSTNAME HOSTTYPE MACHTYPE OSTYPE
        MAIL MAILCHECK SUDO_* WSL* container INIT_CWD""",
    "folders and libraries of that machine": """
        TMPDIR TMP TEMP TEMPDIR MANPATH INFOPATH CDPATH FPATH LD_PRELOAD LD_AUDIT DYLD_*
        HOMEBREW_* NIX_PROFILES SNAP SNAP_* APPDIR APPIMAGE APPTAINER_CONTAINER APPTAINER_NAME
        APPTAINER_ENVIRONMENT APPTAINER_COMMAND SINGULARITY_CONTAINER SINGULARITY_NAME
        SINGULARITY_ENVIRONMENT SINGULARITY_COMMAND""",
    # Not XDG_CACHE_HOME: people with small homes point it at a large disk, and mean it.
    "the login session and the desktop": """
        SSH_* XDG_RUNTIME_DIR XDG_SESSION_* XDG_SEAT XDG_SEAT_* XDG_VTNR XDG_CURRENT_DESKTOP
        XDG_GREETER_* XDG_MENU_PREFIX XDG_DATA_DIRS XDG_CONFIG_DIRS XDG_CONFIG_HOME XDG_DATA_HOME
        XDG_STATE_HOME DBUS_* DISPLAY WAYLAND_DISPLAY XAUTHORITY ICEAUTHORITY XMODIFIERS
        SESSION_MANAGER SECURITYSESSIONID DESKTOP_* GNOME_* GDM* KDE_* GTK_MODULES GTK_IM_MODULE
        QT_IM_MODULE QT_IM_MODULES QT_ACCESSIBILITY IM_CONFIG_PHASE KRB5CCNAME GPG_AGENT_INFO
        GPG_TTY WINDOWID XPC_* __CF* COMMAND_MODE LaunchInstanceID CHROME_DESKTOP""",
    "systemd, for the service that it is": """
        INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET WATCHDOG_PID WATCHDOG_USEC LISTEN_FDS LISTEN_PID
        LISTEN_FDNAMES MANAGERPID MANAGERPIDFDID MAINPID SYSTEMD_* MEMORY_PRESSURE_*
        CREDENTIALS_DIRECTORY""",
    "the terminal": """
        TERM TERMINFO TERMINFO_DIRS TERMCAP TERMINAL TERM_* COLORTERM COLORFGBG COLUMNS LINES TMUX
        TMUX_* STY WINDOW ZELLIJ ZELLIJ_* KITTY_* WEZTERM_* ALACRITTY_* GHOSTTY_* KONSOLE_* ITERM_*
        LC_TERMINAL LC_TERMINAL_VERSION VTE_VERSION WT_SESSION WT_PROFILE_ID TILIX_ID
        GNOME_TERMINAL_*""",
    "how a person likes a shell and its tools": """
        PS1 PS2 PS3 PS4 PROMPT PROMPT_COMMAND RPROMPT LS_COLORS LSCOLORS LS_OPTIONS GREP_COLOR
        GREP_COLORS LESS LESSOPEN LESSCLOSE LESSHISTFILE LESSCHARSET LESS_TERMCAP_* PAGER MANPAGER
        EDITOR VISUAL BROWSER HISTFILE HISTSIZE HISTFILESIZE HISTCONTROL
        HISTIGNORE HISTTIMEFORMAT SAVEHIST INPUTRC ZDOTDIR ZSH STARSHIP_* P9K_* BASH_ENV ENV""",
    # DIRENV_DIFF holds variables, secrets among them, packed.
    "what a tool knows of this shell": """
        DIRENV_* MISE_SHELL __MISE_* VSCODE_* ELECTRON_RUN_AS_NODE ORIGINAL_XDG_CURRENT_DESKTOP
        PYCHARM_HOSTED TERMINAL_EMULATOR JPY_* NVIM VIMRUNTIME _OLD_VIRTUAL_* COMP_* ARGCOMPLETE
        _ARGCOMPLETE*""",
    # A job that commits must not do so into the repository whose hook enqueued it, nor as the
    # author of the commit that is being made.
    "what git tells its hooks": "GIT_*",
    "what make, npm and test runners tell what they run": """
        MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES MAKE_TERMOUT MAKE_TERMERR npm_*
        PYTEST_CURRENT_TEST PYTEST_VERSION PYTEST_XDIST_* PYDEVD_* DEBUGPY_*""",
    # Processes of one run find each other by these; a job would take itself for one of those
    # processes.
    "a process's place in a distributed or recorded run": """
        RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE GROUP_RANK GROUP_WORLD_SIZE NODE_RANK ROLE_RANK
        ROLE_NAME ROLE_WORLD_SIZE MASTER_* TORCHELASTIC_* WANDB_SERVICE CLEARML_PROC_MASTER_ID
        TRAINS_PROC_MASTER_ID""",
    # The changes that modules made to PATH and LD_LIBRARY_PATH go along; without these variables, a
    # script can safely load the same modules again.
    "modules loaded in this shell": """
        LOADEDMODULES _LMFILES_ LMOD_* __LMOD_* _ModuleTable* MODULES_* __MODULES_*""",
    # Libraries that look for them (PyTorch Lightning, mpi4py) would take mlq for that scheduler.
    "the batch system this shell runs under": """
        SLURM_* SLURMD_* SRUN_* PBS_* SGE_* LSB_* _CONDOR_* OMPI_* PMI_* PMIX_* HYDI_*
        MPI_LOCALRANKID MPI_LOCALNRANKS MV2_COMM_WORLD_* FLUX_* PALS_* ALPS_* JSM_*""",
}

# These are the user's own all the same: how git reaches servers, and the commit of an experiment.
CAPTURED_ALL_THE_SAME = """
    GIT_SSH GIT_SSH_COMMAND GIT_SSL_* GIT_HTTP_* GIT_TERMINAL_PROMPT GIT_LFS_* GIT_PYTHON_*
    GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_NOSYSTEM GIT_COMMIT GIT_COMMIT_* GIT_SHA GIT_SHA1
    GIT_HASH GIT_REV GIT_REVISION GIT_BRANCH GIT_TAG GIT_DESCRIBE GIT_DIRTY"""

# POSIX: names that a shell can export. Bash exports functions under other names (BASH_FUNC_f%%).
_EXPORTABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# A notebook sets a backend of its own, named as a module; a backend that a user chose has a plain
# name.
_NOTEBOOK_BACKEND = "module://"


class _Names(NamedTuple):
    """Names of variables and prefixes of names; one regular expression is slow to compile."""

    whole: frozenset[str]
    beginnings: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> _Names:
        words = text.split()
        beginnings = tuple(word[:-1] for word in words if word.endswith("*"))
        return cls(frozenset(words), beginnings)

    def has(self, name: str) -> bool:
        return name in self.whole or name.startswith(self.beginnings)


@dataclass(frozen=True, slots=True)
class Captured:
    """The caller's variables that a job gets, and those left out that it might miss.

    Args:
        env: the variables that it gets.
        secrets: names of those that look like secrets.
        unsendable: names of those that are not UTF-8.
        too_large: names of those left out, the largest first, to keep below `MOST_BYTES`.
    """

    env: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = ()
    unsendable: tuple[str, ...] = ()
    too_large: tuple[str, ...] = ()

    def without(self, names: Collection[str]) -> Captured:
        """Return the same without the variables that the job gets in another way."""
        env = {name: value for name, value in self.env.items() if name not in names}
        left_out = (self.secrets, self.unsendable, self.too_large)
        return Captured(env, *(tuple(one for one in some if one not in names) for some in left_out))

    def notice(self) -> str:
        """Return one line that names what was left out, "" if nothing was."""
        parts = []
        if self.secrets:
            parts.append(
                f"not passed on, for {_they(self.secrets, 'looks', 'look')} like"
                f" {'a secret' if len(self.secrets) == 1 else 'secrets'}: {', '.join(self.secrets)}"
                " (pass one with --secret NAME, or --env NAME)"
            )
        if self.unsendable:
            parts.append(
                f"not passed on, for {_they(self.unsendable, 'is', 'are')} not UTF-8: "
                f"{', '.join(ascii(one)[1:-1] for one in self.unsendable)}"
            )
        if self.too_large:
            parts.append(
                f"not passed on, for all together they exceed {MOST_BYTES // 1024} KiB: "
                f"{', '.join(self.too_large)} (pass one with --env NAME)"
            )
        return f"note: {'; '.join(parts)}" if parts else ""


def capture(environ: Mapping[str, str], most_bytes: int = MOST_BYTES) -> Captured:
    """Return which of these variables a job gets.

    Args:
        environ: names and values; bytes that are not UTF-8 stand in them as surrogates (PEP 383).
        most_bytes: names and values together are no longer, each with two bytes more (`=`, NUL).
    """
    env: dict[str, str] = {}
    secrets: list[str] = []
    unsendable: list[str] = []
    too_large: list[str] = []
    sizes: dict[str, int] = {}
    for name, value in sorted(_candidates(environ)):
        try:
            size = len(name) + len(value.encode()) + 2
        except UnicodeEncodeError:
            unsendable.append(name)
            continue
        if looks_like_secret(name, value[:most_bytes]):
            secrets.append(name)
        else:
            env[name], sizes[name] = value, size
    total = sum(sizes.values())
    for name in sorted(env, key=lambda one: -sizes[one]):
        if total <= most_bytes:
            break
        total -= sizes[name]
        too_large.append(name)
        del env[name]
    return Captured(env, tuple(secrets), tuple(unsendable), tuple(too_large))


def in_clear(env: Mapping[str, str]) -> str:
    """Return a warning if variables that were asked for look like secrets, else ""."""
    names = [name for name, value in env.items() if looks_like_secret(name, str(value))]
    if not names:
        return ""
    asked = " ".join(f"--env {name}" for name in names)
    instead = " ".join(f"--secret {name}" for name in names)
    return (
        f"warning: {asked}: {_they(names, 'looks', 'look')} like a secret, and those who read the "
        f"queue read it; {instead} keeps it out of the queue"
    )


def _they(names: Collection[str], one: str, many: str) -> str:
    return f"it {one}" if len(names) == 1 else f"they {many}"


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    left_out = _Names.parse(" ".join(NOT_CAPTURED.values()))
    own = _Names.parse(CAPTURED_ALL_THE_SAME)
    for name, value in environ.items():
        if name == "MPLBACKEND" and value.startswith(_NOTEBOOK_BACKEND):
            continue
        if left_out.has(name) and not own.has(name):
            continue
        if _EXPORTABLE.fullmatch(name):
            yield name, value
