"""Questions that may never be answered are asked in one thread."""

from __future__ import annotations

import threading

from no_room import no_room_for_threads
from waiting import wait_for

from mlq_worker.guest.asker import Asker
from mlq_worker.guest.login_names import LoginNames, login_name, printable


def test_an_answer_comes_later_and_stays() -> None:
    asker: Asker[int, int] = Asker(lambda number: number * 2)
    assert asker.last(4) is None
    asker.ask(4)
    assert wait_for(lambda: asker.last(4)) == 8
    asker.keep([5])
    assert asker.last(4) is None


def test_a_thread_that_hangs_stays_the_only_one() -> None:
    hang, before = threading.Event(), threading.active_count()

    def answer(number: int) -> int:
        hang.wait()
        return number

    asker: Asker[int, int] = Asker(answer)
    for _ in range(50):
        for number in range(20):
            asker.ask(number)
    assert threading.active_count() == before + 1
    assert all(asker.last(number) is None for number in range(20))
    hang.set()
    wait_for(lambda: [asker.last(number) for number in range(20)] == list(range(20)))


def test_without_room_for_its_thread_it_is_asked_again_later() -> None:
    asker: Asker[int, int] = Asker(lambda number: number * 2)
    with no_room_for_threads():
        asker.ask(4)
    assert asker.last(4) is None
    asker.ask(4)
    assert wait_for(lambda: asker.last(4)) == 8


def test_what_fails_is_asked_again() -> None:
    fails = iter([True])

    def answer(number: int) -> int:
        if next(fails, False):
            raise OSError
        return number

    asker: Asker[int, int] = Asker(answer)
    asker.ask(1)
    wait_for(lambda: (asker.ask(1), asker.last(1))[1])


def test_a_name_that_is_known_at_once_is_there_at_once() -> None:
    asked: list[int] = []
    names = LoginNames(lambda uid: (asked.append(uid), f"user{uid}")[1])
    assert [names.name(7) for _ in range(3)] == ["user7"] * 3
    assert asked == [7]


def test_a_name_is_its_number_until_it_is_known() -> None:
    known = threading.Event()

    def look_up(uid: int) -> str:
        known.wait()
        return f"user{uid}"

    names = LoginNames(look_up)
    assert names.name(7) == "7"
    known.set()
    wait_for(lambda: names.name(7) == "user7")


def test_a_user_without_an_account_keeps_the_number() -> None:
    assert login_name(0) == "root"
    assert login_name(2**31 - 7) == str(2**31 - 7)


def test_control_characters_go() -> None:
    assert printable(" a\x1b[31mb\u202ec\x07\n\x9b ") == "a[31mbc"
