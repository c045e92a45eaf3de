"""The settings of a good guest are refused where they do not go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlq.errors import SettingsError
from mlq.settings.load import load


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"MLQ_GUEST": "night"}, "MLQ_GUEST: hours = '' cannot be used: guest = \"night\" needs"),
        ({"MLQ_GUEST": "night", "MLQ_HOURS": " "}, "MLQ_HOURS: hours = ' ' cannot be used"),
        ({"MLQ_HOURS": "25:00-08:00"}, "25:00 is no time of day"),
        ({"MLQ_GUEST": "rude"}, "'polite', 'night' or 'mine'"),
        ({"MLQ_DESK_IDLE_S": "300"}, "desk_resume_s must be less than desk_idle_s"),
        ({"MLQ_DESK_RESUME_S": "900"}, "desk_resume_s = 900 (environment MLQ_DESK_RESUME_S) but"),
        ({"MLQ_DESK_EVICT_S": "0"}, "greater than or equal to 1"),
        ({"MLQ_ENFORCE": "cores,disk"}, "it is all, none, or some of cores,mem,vram"),
        ({"MLQ_ENFORCE": "mem,mem"}, "cannot be used"),
        ({"MLQ_ENFORCE": "all,mem"}, "cannot be used"),
        ({"MLQ_YIELD_TO_OTHERS": "0"}, "it became `guest`"),
    ],
)
def test_refused(environ: dict[str, str], variables: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ | variables)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "variables",
    [
        {"MLQ_GUEST": "night", "MLQ_HOURS": "19:00-08:00 sat sun"},
        {"MLQ_HOURS": "sat"},
        {"MLQ_ENFORCE": "none"},
        {"MLQ_ENFORCE": "vram,cores"},
        {"MLQ_DESK_RESUME_S": "1", "MLQ_DESK_IDLE_S": "2"},
    ],
)
def test_taken(environ: dict[str, str], variables: dict[str, str]) -> None:
    settings = load(environ | variables).settings
    for name, text in variables.items():
        found = getattr(settings, name.removeprefix("MLQ_").lower())
        assert found == type(found)(text)
