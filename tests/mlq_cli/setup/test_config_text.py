"""A config file is changed where it must be, and nowhere else."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq_cli.setup.config_text import with_values

FILE = """\
# my queue
root = "/old"   # on the big disk

machines = [
  "gpu01",  # the old one
  "gpu02",
]
beat_s = 5
"""


def test_other_lines_stay_as_they_are() -> None:
    assert with_values(FILE, {"root": "/new", "gateway": "shell1"}) == FILE.replace(
        'root = "/old"   # on the big disk', 'root = "/new"'
    ) + ('gateway = "shell1"\n')


def test_a_value_over_several_lines_is_replaced_whole() -> None:
    changed = with_values(FILE, {"machines": ("gpu03",)})
    assert 'machines = ["gpu03"]\nbeat_s = 5\n' in changed
    assert "gpu01" not in changed


def test_what_is_said_already_is_not_touched() -> None:
    assert with_values(FILE, {"root": "/old", "machines": ("gpu01", "gpu02")}) == FILE
    assert with_values("", {}) == ""


@pytest.mark.parametrize("name", ['"root"', "'root'", "  root "])
def test_keys_may_be_written_in_any_way(name: str) -> None:
    assert with_values(f'{name} = "/old"\n', {"root": "/new"}) == 'root = "/new"\n'


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",))))
def test_any_text_comes_back(text: str) -> None:
    assert tomllib.loads(with_values(FILE, {"gateway": text}))["gateway"] == text
