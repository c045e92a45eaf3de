"""A search as a job carries it, and what is kept of it for people."""

from __future__ import annotations

import json

from mlq.search.decide import Aim
from mlq.search.goal import Goal
from mlq.search.note import Note, read_note
from mlq.search.order import Asked, Order, code_of

AIM = Aim(Goal("val_loss", True, "min"), 60, 8, "asha")
ASKED = Asked("tune", ("python", "{args}"), "/vol/me", {"A": "1"}, AIM, 3, True, {"lr": "1,2"})


def test_an_order_comes_back_from_json() -> None:
    order = Order(7, ASKED, '{"code":{"pack":"ab"}}')
    assert Order.from_json(json.loads(json.dumps(order.as_json()))) == order


def test_what_people_see_of_it() -> None:
    assert read_note(ASKED.note) == Note(60, "minimize min:val_loss", "asha", {"lr": "1,2"})
    for text in ("", "{}", "[1]", '{"of": "x"}', '{"of": 0}', "\0"):
        assert read_note(text) is None


def test_the_code_of_its_members_is_needed_by_the_job_that_drives_it() -> None:
    order = Order(7, ASKED, '{"code":{"pack":"ab"}}')
    call = {"name": "f", "kwargs": {"order": order.as_json(), "space": []}}
    assert code_of({"function": call}) == {"pack": "ab"}
    for other in ({}, {"function": None}, {"function": {"kwargs": {"order": {"spec": 1}}}}):
        assert code_of(other) is None
