"""The jobs that a job comes after, in words."""

from __future__ import annotations

from pathlib import Path

from mlq.files.layout import Layout
from mlq.jobs.view import FIELDS, view
from mlq_cli.render.parents import parents_in_words


def words(after: str, conditions: str, states: dict[str, str], **more: str) -> str:
    fields = {"status": "deferred", "dependency_ids": after, "mlq_conditions": conditions, **more}
    row = ["9", *(fields.get(one, "") for one in FIELDS)]
    return parents_in_words(view(row, Layout(Path("/")), 1024), states)


def test_each_parent_is_named_with_its_condition() -> None:
    states = {"1": "started", "2": "", "3": "queued"}
    said = words('["1", "2", "3"]', '{"2": "ended", "3": "failed"}', states)
    assert said == "1 (started), the end of 2, the failure of 3 (queued)"
    assert words("[]", "", {"8": "started"}, mlq_behind="8") == "the end of 8 (started)"


def test_members_of_a_sweep_are_counted() -> None:
    ids = [f"7_{at}" for at in range(4)]
    after = str(ids).replace("'", '"')
    states = dict.fromkeys(ids, "queued")
    assert words(after, "", states) == "4 members of 7"
    assert words(after, "", {}, allow_dependency_failures="1") == ""
    said = words(after, '{"7": "failed"}', states)
    assert said == "a failure in 7, once 4 members have ended"
    assert words(after, '{"7_0": "failed"}', {"7_0": "queued"}) == "the failure of 7_0 (queued)"
