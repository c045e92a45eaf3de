"""Which variables look like secrets: by their name, or by the shape of their value.

A variable that looks like one never goes into the queue unless its user asks, and is never shown.
When in doubt a variable counts as a secret: if it is left out, a notice names it and its user has
to add one option; if it leaks, its user has to replace a key. But variables that half of all users
have set (TOKENIZERS_PARALLELISM, MAX_TOKENS, GOOGLE_APPLICATION_CREDENTIALS) must not cause a false
alarm each time.

The words are those of sentry-sdk 2's `DEFAULT_DENYLIST` (sentry_sdk/scrubber.py) that mean secrets,
web sessions included; it compares whole keys, while this module looks for them among the words of a
name. The shapes are prefixes that gitleaks' default rules list (config/gitleaks.toml), as the
services that issue such tokens document them.

What is shown of a job comes from the stored description, which only a worker verifies, so malformed
parts are left out. It cannot hold the value of a `--secret`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from mlq.lenient import dict_or_empty

MASK = "***"

# A name that contains one of these is a secret's, whatever the value.
_SECRET_PARTS = re.compile(
    r"password|passwd|passphrase|secret|credential|apikey|privatekey|accesskey|sshpass"
    r"|(?:api|private|access)_key|authorization|cookies?(?:_|$)|csrf|xsrf|session_?id|sessid|_pwd$"
)
# A name that contains one of these may be a secret's: the value decides.
_TOKEN = re.compile(r"tokens?(?:_|$)")
_AUTH = re.compile(r"(?:^|_)(?:auth(?:_|$)|(?:pat|pass|pw|session)$)")
_KEY = re.compile(r"(?:^|_)keys?$")
# Names of the place where a secret lies, or of its public half.
_NAMES_A_PLACE = re.compile(r"_(?:file|path|dir|folder|home|url|uri|host)$|public_?key")
_NO_SECRETS = frozenset({"google_application_credentials", "gpg_key"})

_NUMBER_OR_SWITCH = re.compile(r"[-+]?[\d.]{1,9}|true|false|yes|no|on|off|none|null", re.IGNORECASE)
_SPECIAL_TOKEN = re.compile(r"<[^<>]*>|\[[A-Za-z]+\]")  # <pad>, [MASK]
_PLAIN_WORDS = re.compile(r"[A-Za-z]{1,16}(?:[ ,._/:-][A-Za-z]{1,16}){0,3}")

_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY"
    r"|(?<![A-Za-z0-9])(?:"
    r"gh[opusr]_[A-Za-z0-9]{20}|github_pat_\w{20}|glpat-[\w-]{16}"  # GitHub, GitLab
    r"|hf_[A-Za-z0-9]{20}|api_org_[A-Za-z]{20}|r8_\w{30}|nvapi-[\w-]{30}|gsk_\w{30}"  # models
    r"|sk-(?=[\w-]{0,60}\d)[\w-]{20}|[rs]k_(?:live|test)_\w{16}"  # OpenAI, Anthropic, Stripe
    r"|xox[abeoprs]-[\w-]{10}|xapp-\d-[\w-]{10}"  # Slack
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}|AIza[\w-]{35}|ya29\.[\w-]{20}"  # AWS, Google
    r"|npm_[A-Za-z0-9]{30}|pypi-AgE[\w-]{20}|dop_v1_[a-f0-9]{30}|SG\.[\w-]{16}"
    r"|wandb_v\d_\w{20}"
    r"|eyJ[\w-]{10,1000}\.eyJ[\w-]{10,}\."  # JSON web token (RFC 7519)
    r")"
    r"|[A-Za-z][A-Za-z0-9+.-]{0,20}://[^/\s:@]*:[^/\s@]+@"  # a URL with a password (RFC 3986)
    r"|hooks\.slack\.com/services/\w|discord(?:app)?\.com/api/webhooks/\d"
    r"|(?i:\bbearer[ %]|\bauthorization\s*[=:]|\"auth\"\s*:)"
    r"|(?i:\b(?:password|passwd|pwd|secret|api_?key|AccountKey|SharedAccessKey|token|sig"
    r"|X-Amz-Signature)=[^\s;&,]{4})"
)


def looks_like_secret(name: str, value: str) -> bool:
    """Return whether a variable looks like a secret."""
    return bool(value) and (_by_name(_in_words(name), value) or bool(_SHAPES.search(value)))


def masked(env: Mapping[str, str]) -> dict[str, str]:
    """Return variables as they may be shown: a value that looks like a secret's is `***`."""
    return {name: MASK if looks_like_secret(name, one) else one for name, one in env.items()}


def _in_words(name: str) -> str:
    # Programs other than shells also set dbPassword, npm.token and the like.
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")


def _by_name(name: str, value: str) -> bool:
    if name in _NO_SECRETS or _NAMES_A_PLACE.search(name):
        return False
    if _SECRET_PARTS.search(name):
        return True
    if _NUMBER_OR_SWITCH.fullmatch(value):
        return False
    if _TOKEN.search(name):
        return not _SPECIAL_TOKEN.fullmatch(value)
    if _KEY.search(name):
        return not _PLAIN_WORDS.fullmatch(value)
    return bool(_AUTH.search(name))


class Given(NamedTuple):
    """What a job got from its caller.

    Args:
        program: the path of its program, "" if each machine has its own or the command says it.
        env: those its user asked for.
        captured_env: those of the shell it was enqueued from.
        secrets: names of those that it reads from files.
        code: what it says of the code that it runs; empty if it runs in the live folder.
        script: the text of the script that it runs; "" if it runs a program.
        streams: its user's own files, as typed: `output`, and `error` if that is apart.
        system: the batch system that it was written for; "" if it is mlq's own.
    """

    program: str
    env: dict[str, str]
    captured_env: dict[str, str]
    secrets: tuple[str, ...]
    code: dict[str, Any]
    script: str = ""
    streams: Mapping[str, str] = {}
    system: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return them as `mlq show --json` prints them."""
        return {
            "program": self.program or None,
            "env": self.env,
            "captured_env": self.captured_env,
            "secrets": list(self.secrets),
            "code": self.code or None,
            "script": self.script or None,
            "streams": dict(self.streams) or None,
            "system": self.system or None,
        }


def given(spec: str) -> Given:
    """Read a stored description."""
    found = dict_or_empty(spec)
    batch = found.get("batch")
    return Given(
        _text(found.get("program")),
        masked(_texts(found.get("env"))),
        masked(_texts(found.get("captured_env"))),
        tuple(_texts(found.get("secrets"))),
        _code(found.get("code")),
        _text(found.get("script")),
        _texts(found.get("streams")),
        _text(batch.get("system") if isinstance(batch, dict) else ""),
    )


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""


def _code(found: object) -> dict[str, Any]:
    """Return the description of the code, with all of its fields; empty if there is none."""
    if not isinstance(found, dict):
        return {}
    told: dict[str, Any] = {
        name: value if isinstance(value := found.get(name, ""), str) else ""
        for name in ("pack", "links", "project", "subfolder", "commit", "branch")
    }
    also = found.get("also")
    told["dirty"] = found.get("dirty") is True
    told["also"] = [
        {name: one.get(name, "") for name in ("pack", "links", "project")}
        for one in (also if isinstance(also, list) else ())
        if isinstance(one, dict)
    ]
    return told if told["pack"] else {}


def _texts(found: object) -> dict[str, str]:
    pairs = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, str)}
