"""What is fetched, kept and left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlq_cli.pulling.planning import Here, JobPlan, Local, Wanted, plan_of
from mlq_cli.pulling.record import Known
from mlq_cli.remote.far_walk import Listed, Other

_FILE = Listed("output/a", 10, 5, False)


def _plan(
    files: Sequence[Listed],
    local: Mapping[str, Local] | None = None,
    known: Mapping[str, Sequence[Known]] | None = None,
    others: Sequence[Other] = (),
    *,
    ignores_case: bool = False,
    **wanted: Any,
) -> JobPlan:
    here = Here((local or {}).get, known or {}, ignores_case)
    return plan_of("6", "f", (files, others), Wanted(lambda _: True)._replace(**wanted), here)


def _names(plan: JobPlan) -> list[str]:
    return [one.target for one in plan.fetch]


def test_what_is_not_here_is_fetched() -> None:
    plan = _plan([_FILE])
    assert (_names(plan), plan.fetch_bytes, plan.folder) == (["f/output/a"], 10, "f")
    assert _plan([]).folder == ""


def test_size_and_time_tell_what_is_here_already() -> None:
    assert _plan([_FILE], {"f/output/a": Local("file", 10, 5)}).same == 1
    rounded = {"f/output/a": [Known(10, 5, 4)]}
    assert _plan([_FILE], {"f/output/a": Local("file", 10, 4)}, rounded).same == 1


def test_what_changed_there_is_fetched_again() -> None:
    known = {"f/output/a": [Known(8, 3, 3)]}
    assert _names(_plan([_FILE], {"f/output/a": Local("file", 8, 3)}, known)) == ["f/output/a"]


def test_a_pull_killed_before_the_file_was_in_place_takes_nobody_for_a_user() -> None:
    known = {"f/output/a": [Known(8, 3, 3), Known(10, 5, 5)]}
    assert _names(_plan([_FILE], {"f/output/a": Local("file", 8, 3)}, known)) == ["f/output/a"]


def test_what_a_user_made_or_changed_stays_unless_forced() -> None:
    theirs = {"f/output/a": Local("file", 7, 7)}
    for known, why in (
        ({}, "was not put there by pull"),
        ({"f/output/a": [Known(10, 5, 5)]}, "was changed here"),
    ):
        plan = _plan([_FILE], theirs, known)
        assert (plan.fetch, plan.kept) == ((), (Other("f/output/a", why),))
        assert _names(_plan([_FILE], theirs, known, force=True)) == ["f/output/a"]


def test_a_folder_in_the_way_is_never_replaced_and_a_link_only_by_force() -> None:
    plan = _plan([_FILE], {"f/output/a": Local("a folder")}, force=True)
    assert plan.kept == (Other("f/output/a", "is a folder"),)
    link = {"f/output/a": Local("a link")}
    assert _plan([_FILE], link).kept == (Other("f/output/a", "is a link"),)
    assert _names(_plan([_FILE], link, force=True)) == ["f/output/a"]


def test_large_files_and_checkpoints_are_left_out() -> None:
    large, saved = Listed("output/b", 1000, 5, False), Listed("checkpoint/c", 50, 5, False)
    plan = _plan([_FILE, large, saved], most_bytes=10)
    assert (_names(plan), plan.too_large, plan.checkpoints) == (["f/output/a"], (large,), (saved,))
    plan = _plan([_FILE, saved], checkpoints=True)
    assert (_names(plan), plan.checkpoints) == (["f/output/a", "f/checkpoint/c"], ())


def test_no_path_leads_out() -> None:
    paths = ("../x", "output/../../x", "/etc/x", "output//x", "output/.", "a\0b", "", "a\ud800")
    plan = _plan([Listed(one, 1, 1, False) for one in paths])
    assert plan.fetch == ()
    assert [one.path for one in plan.others] == list(paths)


def test_names_alike_but_for_case_meet_where_case_does_not_count() -> None:
    files = [Listed(one, 1, 1, False) for one in ("output/A", "output/a", "output/b")]
    assert len(_names(_plan(files))) == 3
    plan = _plan(files, ignores_case=True)
    assert _names(plan) == ["f/output/A", "f/output/b"]
    assert [one.path for one in plan.others] == ["output/a"]


def test_only_chosen_entries_are_told_of() -> None:
    others = [Other("output/pipe", "is a named pipe"), Other("", "cannot be read")]
    plan = _plan([_FILE], others=others, is_chosen=lambda path: path == "output/a")
    assert plan.others == (Other("", "cannot be read"),)
