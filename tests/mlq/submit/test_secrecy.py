"""What looks like a secret and what does not: names and values people really have set."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.submit.secrecy import looks_like_secret, masked

# The rest of sentry-sdk 2's DEFAULT_DENYLIST is about addresses of people and names of frameworks.
_SENTRYS = """
    password passwd secret api_key apikey auth credentials mysql_pwd privatekey private_key token
    session csrftoken sessionid x_csrftoken set_cookie cookie authorization x_api_key
    aiohttp_session csrf_token csrf _csrf _csrf_token PHPSESSID _session user_session _xsrf
    XSRF-TOKEN
"""

_SECRET_NAMES = """
    HF_TOKEN HUGGING_FACE_HUB_TOKEN WANDB_API_KEY OPENAI_API_KEY ANTHROPIC_API_KEY KAGGLE_KEY
    GITHUB_TOKEN GH_TOKEN GITHUB_PAT AZURE_DEVOPS_EXT_PAT NPM_TOKEN AWS_ACCESS_KEY_ID
    AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AZURE_CLIENT_SECRET COMET_API_KEY NEPTUNE_API_TOKEN
    CLEARML_API_SECRET_KEY CLEARML_API_ACCESS_KEY MLFLOW_TRACKING_PASSWORD MLFLOW_TRACKING_TOKEN
    PGPASSWORD MYSQL_PWD DB_PASS RSYNC_PASSWORD SSHPASS REDISCLI_AUTH DJANGO_SECRET_KEY
    SECRET_TOKEN ENCRYPTION_KEY SSH_PRIVATE_KEY KEY_PASSPHRASE dbPassword apiKey npm.token
    DOCKER_AUTH_CONFIG GHTOKEN APITOKENS
"""


@pytest.mark.parametrize("name", f"{_SENTRYS} {_SECRET_NAMES}".split())
def test_a_name_that_speaks_of_a_secret_hides_any_value(name: str) -> None:
    assert looks_like_secret(name, "hunter2")
    assert looks_like_secret(name, "0f3a9c41d2")
    assert not looks_like_secret(name, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "false"),
        ("TOKENIZER", "bert-base-uncased"),
        ("MAX_TOKENS", "512"),
        ("MAX_NEW_TOKENS", "2048"),
        ("TOKEN_DROPOUT", "0.15"),
        ("USE_AUTH_TOKEN", "True"),
        ("PAD_TOKEN", "<pad>"),
        ("MASK_TOKEN", "[MASK]"),
        ("HF_TOKEN_PATH", "/vol/me/hf/token"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/vol/me/gcp.json"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/vol/me/aws"),
        ("DB_PASSWORD_FILE", "/run/secrets/db"),
        ("MASTER_KEYBOARD", "de-latin1"),
        ("MONKEY", "see monkey 1"),
        ("METRIC_KEY", "val/loss"),
        ("SORT_KEY", "created"),
        ("RANDOM_KEY", "42"),
        ("SSH_PUBLIC_KEY", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF4x me@here"),
        ("GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D"),
        ("GIT_AUTHOR_NAME", "Ann Other"),
        ("COMPASS", "north"),
        ("NUM_PASSES", "3"),
        ("FORWARD_PASS", "1"),
        ("BYPASS", "yes"),
        ("PYTHONPATH", "/vol/me/code:/vol/me/lib"),
        ("PATTERN", "*.pt"),
        ("HF_HOME", "/vol/me/hf"),
        ("WANDB_PROJECT", "skylark-3"),
        ("WANDB_RUN_ID", "sk1p7q9x"),
        ("CUDA_LAUNCH_BLOCKING", "1"),
        ("GIT_COMMIT", "2d15d3784d5f1f9cfd2e4b6c1dbd3b35bb7ab1c7"),
        ("http_proxy", "http://proxy.example.org:3128"),
        ("GIT_REMOTE", "git@github.com:me/code.git"),
        ("DATA", "s3://bucket/key?version=3"),
        ("SENTRY_DSN", "https://0123456789abcdef@o1.ingest.example.org/1"),
        ("TASK", "task-2-regression-of-something-long"),
    ],
)
def test_what_everybody_has_set_is_no_secret(name: str, value: str) -> None:
    assert not looks_like_secret(name, value)


# Put together here, so that nobody's scanner takes this file for a leak.
SHAPES = [
    "ghp_" + "A1b2" * 9,
    "github_pat_" + "11ABC" * 8,
    "glpat-" + "x1Y2" * 5,
    "hf_" + "aBcD" * 8,
    "sk-" + "proj-a1B2" * 5,
    "sk-ant-" + "api03-Xy" * 5,
    "xoxb-" + "123456789012-abcdef",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "AIza" + "Sy0_-" * 7,
    "npm_" + "aB3d" * 9,
    "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0In0" + ".c2ln",
    "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3Blbn",
    "-----BEGIN " + "PRIVATE KEY-----",
    "postgres://me:" + "hunter2@db.example.org/runs",
    "redis://:" + "hunter2@localhost:6379/0",
    "https://me:" + "tok@git.example.org/code",
    "https://hooks.slack.com/" + "services/T0/B0/x",
    "Authorization=Bearer " + "abcdef",
    "host=db password=" + "hunter2",
    "AccountName=a;AccountKey=" + "Zm9v==;x=y",
    "https://x.blob.example.net/c?sv=1&sig=" + "abc%3D",
]


@pytest.mark.parametrize("value", SHAPES)
def test_a_value_of_this_shape_is_a_secret_under_any_name(value: str) -> None:
    assert looks_like_secret("X", value)
    assert looks_like_secret("X", f'{{"a": "{value}"}}')


def test_masked_shows_the_names() -> None:
    env = {"LR": "0.1", "HF_TOKEN": "abc", "DB": SHAPES[13]}
    assert masked(env) == {"LR": "0.1", "HF_TOKEN": "***", "DB": "***"}


@given(st.text(max_size=30), st.text(max_size=200))
def test_any_text_gets_an_answer(name: str, value: str) -> None:
    assert looks_like_secret(name, value) in (True, False)


@pytest.mark.parametrize(
    "piece", ["sk-", "-eyJ", "x://:", "a+", "AKIA", "-----BEGIN ", "password=", "gh", "eyJ.eyJ"]
)
def test_no_value_takes_long(piece: str) -> None:
    # Quadratic work would take minutes: a hang, which the time limit of tests ends.
    value = piece * (200_000 // len(piece))
    assert looks_like_secret("X", re.sub("password=", "password= ", value)) is (piece == "AKIA")
