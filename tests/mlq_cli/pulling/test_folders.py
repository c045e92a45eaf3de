"""Names of folders: one plain component each, never shared, and stable."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mlq_cli.pulling.folders import LONGEST_BYTES, Named, assigned, safe


def _member(job_id: str, varying: tuple[str, ...] = (), **params: str) -> Named:
    return Named(job_id, "train", params, varying)


def test_a_member_is_named_by_its_parameters() -> None:
    jobs = [_member("6_0", lr="0.1", seed="0"), _member("6_1", lr="0.1", seed="1")]
    assert assigned(jobs, {}) == {"6_0": "lr=0.1,seed=0", "6_1": "lr=0.1,seed=1"}


def test_only_what_varies_in_the_sweep_is_in_the_name() -> None:
    jobs = [_member("6_0", ("lr",), lr="0.1", epochs="10")]
    assert assigned(jobs, {}) == {"6_0": "lr=0.1"}
    alone = [_member("6_0", (), lr="0.1", epochs="10")]
    assert assigned(alone, {}) == {"6_0": "lr=0.1,epochs=10"}


def test_a_job_without_parameters_is_named_by_id_and_name() -> None:
    assert assigned([Named("7", "train", {}), Named("8", "", {})], {}) == {"7": "7-train", "8": "8"}


def test_names_that_differ_in_case_or_in_what_was_replaced_get_their_ids() -> None:
    jobs = [
        _member("6_0", opt="Adam"),
        _member("6_1", opt="adam"),
        _member("6_2", opt="a/b"),
        _member("6_3", opt="a:b"),
        _member("6_4", opt="sgd"),
        _member("6_5", opt="stra\N{LATIN SMALL LETTER SHARP S}e"),
        _member("6_6", opt="STRASSE"),
    ]
    found = assigned(jobs, {})
    assert found == {
        "6_0": "opt=Adam~6_0",
        "6_1": "opt=adam~6_1",
        "6_2": "opt=a_b~6_2",
        "6_3": "opt=a_b~6_3",
        "6_4": "opt=sgd",
        "6_5": "opt=straße~6_5",
        "6_6": "opt=STRASSE~6_6",
    }
    assert assigned(jobs[::-1], {}) == found


def test_a_job_keeps_its_folder_and_another_gets_its_own() -> None:
    taken = {"6_0": "lr=0.1"}
    jobs = [_member("6_0", ("lr", "wd"), lr="0.1", wd="0"), _member("6_9", lr="0.1")]
    assert assigned(jobs, taken) == {"6_0": "lr=0.1", "6_9": "lr=0.1~6_9"}
    assert assigned([_member("6_9", lr="0.1")], {}, ["LR=0.1"]) == {"6_9": "lr=0.1~6_9"}


def test_what_leads_elsewhere_or_is_special_becomes_harmless() -> None:
    assert safe("path=../../etc/passwd") == "path=.._.._etc_passwd"
    assert [safe(one) for one in ("..", ".", "", "/", "-rf", "~", " ")] == [
        "__", "_", "_", "_", "_rf", "_", "_",
    ]  # fmt: skip
    assert safe("a=\x1b[31m\n\u202e\udc80b") == "a=_[31m___b"
    assert safe("lr=0.") == "lr=0_"


def test_long_values_are_cut_and_stay_apart(tmp_path: Path) -> None:
    values = ("ä" * 300, "ä" * 299 + "b", "ä" * 300 + "c")
    found = assigned([_member(f"6_{n}", text=one) for n, one in enumerate(values)], {})
    assert len(set(found.values())) == len(values)
    for name in found.values():
        (tmp_path / name).mkdir()


@given(st.lists(st.text(), min_size=1, max_size=8))
def test_any_values_give_plain_names_of_their_own(values: list[str]) -> None:
    jobs = [_member(f"6_{n}", v=value) for n, value in enumerate(values)]
    found = assigned(jobs, {})
    assert len({one.casefold() for one in found.values()}) == len(values)
    for name in found.values():
        assert name == os.path.basename(name)  # noqa: PTH119
        assert name not in ("", ".", "..") and name.isprintable()
        assert len(name.encode()) <= LONGEST_BYTES
    known = assigned(jobs, found)
    assert known == found
