"""Who touched the desk and when, from looks once a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq_worker.guest.desk.desk import (
    AWAY_S,
    Desk,
    DeskLook,
    DeskState,
    Session,
)
from mlq_worker.guest.desk.device import BEATS, CHATTER_S, QUIET_S, SETTLE_S

US, OWNER, GREETER = 1000, 1001, 120
START = 5000.0
MOUSE, KEYS = "mouse", "keyboard"
LOGIN = Session(GREETER, "greeter")


class Seat:
    """A desk that is looked at once a second; what it shows is changed between looks."""

    def __init__(self, active: Session | None = LOGIN, *, hidden: bool = False) -> None:
        self.desk = Desk(US)
        self.at = START - 1
        counters = {} if hidden else {MOUSE: 100, KEYS: 200}
        self.shows = DeskLook(counters, {"tty1": 1e9}, seat=True, active=active, hidden=hidden)
        self.state = DeskState()

    def look(self, after_s: float = 1.0) -> DeskState:
        self.at += after_s
        self.state = self.desk.look(self.shows, self.at)
        return self.state

    def looks(self, seconds: float, **moves: int) -> DeskState:
        """Look every second; before each look the named counters move by so many."""
        for _ in range(round(seconds)):
            self.move(**moves)
            self.look()
        return self.state

    def move(self, **by: int) -> None:
        counters = {**self.shows.counters}
        for name, steps in by.items():
            counters[name] += steps
        self.plug(counters)

    def plug(self, counters: Mapping[str, int]) -> None:
        self.shows = replace(self.shows, counters=counters)

    def login(self, session: Session | None) -> None:
        self.shows = replace(self.shows, active=session)

    def read_console(self, name: str, when: float) -> None:
        self.shows = replace(self.shows, consoles={**self.shows.consoles, name: when})

    def settled(self) -> Seat:
        self.looks(SETTLE_S + 2)
        return self


def test_each_move_is_a_touch() -> None:
    seat = Seat().settled()
    assert seat.state.touched_at is None
    assert seat.looks(1, keyboard=1).touched_at == seat.at
    touched = seat.at
    assert seat.looks(10).touched_at == touched
    assert seat.looks(1, mouse=3).touched_at == seat.at


def test_an_hour_of_stillness() -> None:
    seat = Seat()
    assert seat.looks(3600).touched_at is None
    assert seat.state == DeskState(exists=True, how="counters")


def test_keys_at_the_login_screen() -> None:
    seat = Seat(LOGIN).settled()
    state = seat.looks(1, keyboard=2)
    assert state.touched_at == seat.at
    assert state.seated_uid is None
    assert not state.somebody


def test_the_first_look_misses_no_key_after_it() -> None:
    seat = Seat()
    seat.look()
    assert seat.looks(1, keyboard=1).touched_at == seat.at


def test_a_login_screen_that_comes_up_is_nobodys_hand() -> None:
    seat = Seat(None).settled()
    touched = seat.looks(1, keyboard=1).touched_at
    seat.looks(SETTLE_S + 1)
    seat.looks(2, keyboard=1, mouse=4)  # the screen gets to know them, before it is shown
    seat.login(Session(GREETER, "greeter"))
    assert seat.looks(1, mouse=1).touched_at == touched
    seat.looks(SETTLE_S - 2, keyboard=1)
    assert seat.look().touched_at == touched
    seat.looks(2)
    assert seat.looks(1, keyboard=1).touched_at == seat.at


def test_after_a_logout_the_login_screen_changes_nothing() -> None:
    seat = Seat(Session(OWNER)).settled()
    seat.looks(1, mouse=1)
    touched = seat.at
    seat.login(None)
    seat.looks(3)
    seat.login(Session(GREETER, "greeter"))
    assert seat.look().touched_at == touched


@pytest.mark.parametrize("kind", ["greeter", "lock-screen", "manager"])
def test_nobody_behind_such_a_session(kind: str) -> None:
    seat = Seat(Session(GREETER, kind))
    state = seat.look()
    assert (state.seated_uid, state.somebody, state.touched_at) == (None, False, None)


@pytest.mark.parametrize("kind", ["user", "user-early", "user-light", ""])
def test_somebody_seated_at_the_start(kind: str) -> None:
    seat = Seat(Session(OWNER, kind))
    state = seat.look()
    assert (state.seated_uid, state.somebody, state.touched_at) == (OWNER, True, START)
    assert seat.looks(100).touched_at == START, "they may have left; only hands count from now on"


def test_an_administrator_at_the_desk() -> None:
    assert Seat(Session(0)).look().somebody


def test_our_own_hands() -> None:
    seat = Seat(Session(US)).settled()
    state = seat.looks(100, keyboard=1, mouse=7)
    assert (state.seated_uid, state.somebody, state.touched_at) == (US, False, None)
    seat.read_console("tty1", 1e9 + 50)
    assert seat.look().touched_at is None


def test_our_own_login() -> None:
    seat = Seat(LOGIN).settled()
    assert seat.looks(5, keyboard=1).touched_at == seat.at, "it may be anybody"
    seat.login(Session(US))
    assert seat.looks(1, keyboard=1).touched_at is None, "it was us"


def test_our_own_login_after_somebody_else() -> None:
    seat = Seat(Session(OWNER)).settled()
    touched = seat.looks(1, mouse=1).touched_at
    seat.looks(60)
    seat.login(None)
    seat.looks(1)
    seat.login(LOGIN)
    seat.looks(2, keyboard=1)
    seat.login(Session(US))
    assert seat.looks(5, keyboard=1).touched_at == touched


def test_our_own_logout() -> None:
    seat = Seat(Session(US)).settled()
    seat.login(LOGIN)
    assert seat.looks(1, mouse=1).touched_at is None, "the click that ended our session"
    assert seat.looks(1, mouse=1).touched_at == seat.at


def test_somebody_logs_in_after_us() -> None:
    seat = Seat(Session(US)).settled()
    seat.login(Session(OWNER))
    assert seat.look().touched_at == seat.at


def test_back_to_a_session_without_a_key() -> None:
    seat = Seat(LOGIN).settled()
    seat.login(Session(OWNER))
    assert seat.look().touched_at == seat.at


def test_plugging_in_and_out_is_no_touch() -> None:
    seat = Seat().settled()
    seat.plug({**seat.shows.counters, "stick": 40})
    seat.looks(1)
    seat.looks(2, stick=12)  # the desktop gets to know it
    assert seat.looks(60).touched_at is None
    assert seat.looks(1, stick=1).touched_at == seat.at
    touched = seat.at
    seat.plug({MOUSE: seat.shows.counters[MOUSE]})
    assert seat.looks(60).touched_at == touched


@pytest.mark.parametrize("again", [3, 201, 5000])
def test_plugged_in_again(again: int) -> None:
    seat = Seat().settled()
    seat.plug({MOUSE: 100})
    seat.look()
    seat.plug({MOUSE: 100, KEYS: again})
    seat.look()
    seat.looks(1, keyboard=9)
    assert seat.looks(60).touched_at is None


def test_a_counter_that_goes_backwards() -> None:
    seat = Seat().settled()
    seat.plug({MOUSE: 100, KEYS: 7})
    seat.look()
    seat.looks(1, keyboard=9)
    assert seat.looks(60).touched_at is None
    assert seat.looks(1, keyboard=1).touched_at == seat.at


def test_a_text_console_is_read() -> None:
    seat = Seat(None).settled()
    seat.read_console("tty3", 1e9)
    assert seat.look().touched_at is None, "a console that was not seen before"
    seat.read_console("tty3", 1e9 + 8)
    assert seat.look().touched_at == seat.at


def test_consoles_and_a_clock_that_jumped() -> None:
    seat = Seat(None).settled()
    seat.read_console("tty1", 1e9 - 7200)
    assert seat.look().touched_at == seat.at
    touched = seat.at
    assert seat.looks(7200).touched_at == touched


def test_boot_time_that_is_passed_backwards() -> None:
    seat = Seat().settled()
    seat.looks(1, keyboard=1)
    state = seat.look(-3600)
    assert state.touched_at == seat.at, "a touch must not lie in the future"
    assert seat.looks(SETTLE_S + 60).touched_at == state.touched_at
    assert seat.looks(1, keyboard=1).touched_at == seat.at


def test_suspended_with_nobody_logged_in() -> None:
    seat = Seat().settled()
    seat.move(keyboard=20, mouse=20)  # the kernel wakes each device
    seat.read_console("tty1", 1e9 + 8)
    assert seat.look(8 * 3600).touched_at is None
    seat.looks(1, keyboard=5)
    assert seat.looks(SETTLE_S).touched_at is None
    assert seat.looks(1, keyboard=1).touched_at == seat.at


def test_suspended_while_somebody_is_logged_in() -> None:
    seat = Seat(Session(OWNER)).settled()
    assert seat.look(8 * 3600).touched_at == seat.at


def test_keys_are_not_missed_in_a_late_look() -> None:
    seat = Seat().settled()
    seat.move(keyboard=1)
    assert seat.look(AWAY_S).touched_at == seat.at


def test_a_mouse_that_chatters() -> None:
    seat = Seat().settled()
    state = seat.looks(CHATTER_S, mouse=1)
    assert (state.chattering, state.touched_at) == ((), seat.at)
    touched = seat.at
    state = seat.looks(3600, mouse=1)
    assert (state.chattering, state.touched_at) == ((MOUSE,), touched)
    assert seat.looks(1, keyboard=1, mouse=1).touched_at == seat.at, "keys count all the same"
    touched = seat.at
    assert seat.looks(QUIET_S - 1).chattering == (MOUSE,)
    seat.looks(1, mouse=1)
    assert seat.state.touched_at == touched
    assert seat.looks(QUIET_S).chattering == ()
    assert seat.looks(1, mouse=1).touched_at == seat.at


def test_no_chatter_if_one_look_is_quiet() -> None:
    seat = Seat().settled()
    for _ in range(20):
        seat.looks(CHATTER_S - 100, mouse=1)
        state = seat.looks(1)
    assert state.chattering == ()


def test_no_chatter_of_somebody_who_is_logged_in() -> None:
    seat = Seat(Session(OWNER)).settled()
    state = seat.looks(2 * CHATTER_S, mouse=9)
    assert (state.chattering, state.touched_at) == ((), seat.at)


def test_the_time_before_a_logout_is_no_chatter() -> None:
    seat = Seat(Session(OWNER)).settled()
    seat.looks(CHATTER_S, mouse=9)
    seat.login(LOGIN)
    assert seat.looks(CHATTER_S, mouse=9).chattering == ()
    assert seat.looks(2, mouse=9).chattering == (MOUSE,)


def test_looks_far_apart_are_no_chatter() -> None:
    seat = Seat().settled()
    for _ in range(100):
        seat.move(mouse=1)
        state = seat.look(30)
    assert (state.chattering, state.touched_at) == ((), seat.at)


def test_chatter_goes_on_after_a_suspension() -> None:
    seat = Seat().settled()
    seat.looks(CHATTER_S + 2, mouse=1)
    touched = seat.state.touched_at
    seat.move(mouse=1)
    seat.look(3600)
    assert seat.looks(100, mouse=1).touched_at == touched


def beaten(seat: Seat, beats: int, every_s: int = 30, active: Session | None = LOGIN) -> None:
    """Have a program ask the mouse for its battery, which answers a second later."""
    seat.login(active)
    for _ in range(beats):
        seat.looks(1, mouse=2)
        seat.looks(1, mouse=1)
        seat.looks(every_s - 2)


@pytest.mark.parametrize("every_s", [30, 120])
def test_a_program_that_asks_a_device(every_s: int) -> None:
    seat = Seat().settled()
    beaten(seat, BEATS, every_s)
    touched = seat.at - every_s + 2
    assert (seat.state.chattering, seat.state.touched_at) == ((), touched)
    beaten(seat, 100, every_s)
    assert seat.state.chattering == (f"{MOUSE} every {every_s}s",)
    assert seat.state.touched_at == touched
    assert seat.looks(10).touched_at == touched
    assert seat.looks(1, mouse=1).touched_at == seat.at, "hands between two beats"
    assert seat.looks(1, keyboard=1).touched_at == seat.at


@pytest.mark.parametrize(("every_s", "active"), [(30, Session(OWNER)), (10, LOGIN), (200, LOGIN)])
def test_no_program(every_s: int, active: Session) -> None:
    seat = Seat(active).settled()
    beaten(seat, 5 * BEATS, every_s, active)
    assert (seat.state.chattering, seat.state.touched_at) == ((), seat.at - every_s + 2)


def test_a_beat_that_was_known_before_a_login() -> None:
    seat = Seat().settled()
    beaten(seat, 2 * BEATS)
    beaten(seat, 1, active=Session(OWNER))
    touched = seat.at - 29
    beaten(seat, 20, active=Session(OWNER))
    assert seat.state.touched_at == touched


def test_a_beat_goes_on_after_hands() -> None:
    seat = Seat().settled()
    beaten(seat, 2 * BEATS)
    seat.looks(5)
    seat.looks(40, mouse=5)  # one beat is hidden in it
    touched = seat.at
    seat.looks(15)
    beaten(seat, 20)
    assert seat.state.touched_at == touched


def test_a_beat_ends() -> None:
    seat = Seat().settled()
    beaten(seat, 2 * BEATS)
    assert seat.state.chattering
    assert seat.looks(200).chattering == ()
    assert seat.looks(1, mouse=1).touched_at == seat.at


def test_somebody_who_comes_back_again_and_again() -> None:
    seat = Seat().settled()
    for seconds in (30, 31, 29, 34, 30, 27, 30, 33, 30, 28) * 6:
        seat.looks(1, mouse=1)
        assert seat.state.touched_at == seat.at
        seat.looks(seconds - 1)


def test_somebody_who_works_in_spurts() -> None:
    seat = Seat().settled()
    for _ in range(4 * BEATS):
        assert seat.looks(10, mouse=1).touched_at == seat.at
        seat.looks(20)


def test_hidden_counters() -> None:
    seat = Seat(Session(OWNER), hidden=True)
    state = seat.looks(3600)
    assert state == DeskState(True, seat.at, OWNER, somebody=True, how="sessions")
    seat.login(LOGIN)
    assert seat.looks(60).touched_at == seat.at - 60
    seat.login(Session(US))
    assert seat.looks(60).touched_at == seat.at - 120


def test_one_of_two_counters_is_hidden() -> None:
    seat = Seat(Session(OWNER)).settled()
    seat.shows = replace(seat.shows, hidden=True)
    assert seat.looks(100).touched_at == seat.at
    assert seat.state.how == "sessions"
    seat.login(LOGIN)
    seat.looks(100)
    assert seat.looks(1, keyboard=1).touched_at == seat.at, "what moves still counts"


@pytest.mark.parametrize(
    ("seat", "keyboard", "hidden", "exists"),
    [
        (False, False, False, False),
        (False, False, True, False),
        (False, True, False, True),
        (True, False, False, False),
        (True, False, True, True),
        (True, True, False, True),
    ],
)
def test_where_there_is_a_desk(seat: bool, keyboard: bool, hidden: bool, exists: bool) -> None:
    counters = {KEYS: 1} if keyboard else {}
    state = Desk(US).look(DeskLook(counters, {"tty1": 1e9}, seat=seat, hidden=hidden), START)
    assert state.exists == exists
    assert (state.how == "nothing") == (not exists)


def test_a_keyboard_is_brought_to_a_server() -> None:
    seat = Seat(None).settled()
    seat.plug({})
    assert not Desk(US).look(seat.shows, START).exists
    desk = Desk(US)
    desk.look(seat.shows, START)
    seat.plug({KEYS: 30})
    assert desk.look(seat.shows, START + 1).exists
    seat.move(keyboard=1)
    assert desk.look(seat.shows, START + 20).touched_at == START + 20


def test_a_console_without_a_keyboard() -> None:
    seat = Seat(None, hidden=True)
    seat.shows = replace(seat.shows, seat=False)
    assert not seat.looks(5).exists
    seat.read_console("tty1", 1e9 + 8)
    assert seat.look().exists, "it is read, so somebody types"


LOOKS = st.builds(
    DeskLook,
    counters=st.dictionaries(st.sampled_from([MOUSE, KEYS]), st.integers(-3, 3)),
    consoles=st.dictionaries(st.just("tty1"), st.floats(allow_nan=False)),
    seat=st.booleans(),
    active=st.none()
    | st.builds(Session, st.sampled_from([US, OWNER, 0]), st.sampled_from(["user", "greeter", ""])),
    hidden=st.booleans(),
)


@given(st.lists(st.tuples(LOOKS, st.floats(-100, 100)), max_size=30))
def test_any_looks(looks: list[tuple[DeskLook, float]]) -> None:
    desk, at, before = Desk(US), START, DeskState()
    for look, after_s in looks:
        at += after_s
        state = desk.look(look, at)
        assert state.touched_at is None or state.touched_at <= at
        assert state.exists or state.touched_at is None
        assert not (state.somebody and state.seated_uid in (US, None))
        if state.seated_uid == US:
            assert state.touched_at is None or before.touched_at is not None
        before = state


@given(st.lists(LOOKS, min_size=1, max_size=10), st.floats(0, 1000))
def test_stillness_is_never_a_touch(looks: list[DeskLook], after_s: float) -> None:
    desk, at = Desk(US), START
    for look in looks:
        at += 1
        state = desk.look(look, at)
    still = replace(looks[-1], hidden=False)
    assert desk.look(still, at + min(after_s, AWAY_S)).touched_at == state.touched_at
