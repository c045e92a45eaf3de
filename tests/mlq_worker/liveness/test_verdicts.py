"""Dead or not: two channels, one verdict, and none without evidence."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mlq.store.replies import HeldAttempt
from mlq_worker.liveness.verdicts import Beat, BeatMonitor, BeatSnapshot, Leases

DEAD_S, GAP_S = 90.0, 30.0
KEY = ("7", 2)
HELD = HeldAttempt("7", 2, "lab01", "boot-a", "sup-a", 0, "")
BEAT = Beat("boot-a", "sup-a", 1, frozenset({KEY}))


def beating(counter: int, **changes: object) -> Beat:
    return replace(BEAT, counter=counter, **changes)  # type: ignore[arg-type]


class Reaping:
    """A witness that is shown one beat after another."""

    def __init__(self) -> None:
        self.witness = BeatMonitor(DEAD_S, GAP_S)

    def see(self, at_s: float, beat: Beat | None, held: HeldAttempt = HELD) -> str:
        look = BeatSnapshot(at_s, {"lab01": beat})
        return self.witness.verdicts(look, [held], {held.key}).get(held.key, "")

    def watch(self, from_s: int, to_s: int, beat: Beat | None, *, alive: bool = False) -> str:
        """Look every ten seconds; an alive beat counts on. Returns the last verdict."""
        why = ""
        for at_s in range(from_s, to_s + 1, 10):
            shown = replace(beat, counter=1000 + at_s) if alive and beat is not None else beat
            why = self.see(at_s, shown)
        return why


def test_a_machine_that_beats_and_names_the_attempt_keeps_it_for_ever() -> None:
    assert Reaping().watch(0, 100_000, BEAT, alive=True) == ""


def test_a_beat_under_a_new_boot_id_ends_the_attempt_without_waiting() -> None:
    reaping, rebooted = Reaping(), beating(1, boot_id="boot-b", supervisor_id="sup-b")
    reaping.see(0, rebooted)
    assert reaping.see(10, replace(rebooted, counter=2)) == "machine lab01 rebooted"


def test_a_beat_under_a_new_supervisor_ends_the_attempt_without_waiting() -> None:
    reaping = Reaping()
    assert reaping.see(0, BEAT) == ""
    restarted = beating(1, supervisor_id="sup-b", attempts=frozenset())
    assert reaping.see(10, restarted) == "the supervisor on lab01 was restarted"


def test_a_beat_left_by_the_supervisor_before_is_no_news_of_this_one() -> None:
    # The attempt's supervisor is new and its first beat hangs in NFS: what lies there is older
    # than the attempt, and only silence for dead_s, longer than its fence, makes it dead.
    reaping, left = Reaping(), beating(9, boot_id="boot-0", supervisor_id="sup-0")
    assert reaping.watch(0, 80, left) == ""
    assert reaping.see(90, left) != ""


def test_a_beat_that_does_not_change_is_dead_after_dead_s_of_watching() -> None:
    reaping = Reaping()
    assert reaping.watch(0, 80, BEAT) == ""
    assert reaping.see(90, BEAT) == "machine lab01 went silent"


def test_a_machine_without_a_beat_file_is_watched_just_so() -> None:
    reaping = Reaping()
    assert reaping.watch(0, 80, None) == ""
    assert reaping.see(90, None) == "machine lab01 went silent"


def test_one_more_beat_starts_the_wait_anew() -> None:
    reaping = Reaping()
    reaping.watch(0, 80, BEAT)
    assert reaping.watch(85, 165, beating(2)) == ""
    assert reaping.see(175, beating(2)) == "machine lab01 went silent"


def test_what_cannot_be_read_gives_no_verdict_and_proves_nothing() -> None:
    reaping = Reaping()
    reaping.watch(0, 80, BEAT)
    for at_s in (90, 100, 500):
        look = BeatSnapshot(at_s, {}, unreadable="Stale file handle")
        assert reaping.witness.verdicts(look, [HELD], {KEY}) == {}
    assert reaping.see(510, BEAT) == ""
    assert reaping.watch(520, 590, BEAT) == ""
    assert reaping.see(600, BEAT) == "machine lab01 went silent"


def test_a_machine_missing_from_the_look_gives_no_verdict() -> None:
    reaping = Reaping()
    reaping.watch(0, 80, BEAT)
    assert reaping.witness.verdicts(BeatSnapshot(90, {}), [HELD], {KEY}) == {}


def test_a_reaper_that_did_not_look_begins_again() -> None:
    reaping = Reaping()
    reaping.watch(0, 80, BEAT)
    assert reaping.see(80 + GAP_S + 1, BEAT) == ""
    assert reaping.watch(120, 190, BEAT) == ""
    assert reaping.watch(200, 210, BEAT) == "machine lab01 went silent"


def test_an_attempt_that_was_never_started_ends_after_dead_s_of_beats_without_it() -> None:
    reaping, others = Reaping(), beating(1, attempts=frozenset({("8", 1)}))
    assert reaping.watch(0, 80, others, alive=True) == ""
    assert reaping.watch(90, 90, others, alive=True) == "machine lab01 never started it"


def test_an_attempt_named_once_more_is_watched_anew() -> None:
    reaping, others = Reaping(), beating(1, attempts=frozenset())
    reaping.watch(0, 80, others, alive=True)
    reaping.watch(85, 85, BEAT, alive=True)
    assert reaping.watch(90, 170, others, alive=True) == ""
    assert reaping.watch(180, 180, others, alive=True) == "machine lab01 never started it"


def test_an_absence_is_forgotten_when_the_lease_is_renewed_between() -> None:
    reaping, others = Reaping(), beating(1, attempts=frozenset())
    reaping.watch(0, 80, others, alive=True)
    reaping.witness.verdicts(BeatSnapshot(85, {"lab01": beating(2000)}), [], ())
    assert reaping.watch(90, 170, others, alive=True) == ""


LOOKS = st.lists(
    st.tuples(
        st.floats(0.1, 40),
        st.sampled_from(["beat", "same", "none", "unreadable", "absent"]),
    ),
    max_size=60,
)


@given(LOOKS)
def test_no_verdict_before_dead_s_of_unbroken_evidence(looks: list[tuple[float, str]]) -> None:
    """Under the attempt's own boot and supervisor, death takes dead_s without a gap."""
    reaping, at_s, counter = Reaping(), 0.0, 1
    alike_since_s, last_look_s, shown_before = at_s, at_s, "nothing yet"
    for step_s, kind in looks:
        at_s += step_s
        if kind == "unreadable":
            assert (
                reaping.witness.verdicts(BeatSnapshot(at_s, {}, unreadable="EIO"), [HELD], {KEY})
                == {}
            )
            continue
        counter += kind == "beat"
        beat = None if kind == "none" else beating(counter)
        if kind == "absent":
            beat = replace(beating(counter), attempts=frozenset())
        shown = repr(beat)
        if at_s - last_look_s > GAP_S or shown != shown_before:
            alike_since_s = at_s
        last_look_s, shown_before = at_s, shown
        why = reaping.see(at_s, beat)
        if why == "machine lab01 went silent":
            assert at_s - alike_since_s >= DEAD_S
        else:
            assert at_s - alike_since_s < DEAD_S
            assert why in ("", "machine lab01 never started it")


def test_a_reaper_that_did_not_look_has_not_seen_the_beat_go_on() -> None:
    reaping, rebooted = Reaping(), beating(1, boot_id="boot-b")
    reaping.see(0, BEAT)
    assert reaping.see(GAP_S + 1, rebooted) == ""
    assert reaping.see(GAP_S + 11, replace(rebooted, counter=2)) == "machine lab01 rebooted"


def test_a_machine_is_watched_before_its_leases_run_out() -> None:
    # A power cut ends the beat first and the lease later: dead_s counts from the beat.
    reaping = Reaping()
    for at_s in range(0, 90, 10):
        assert reaping.witness.verdicts(BeatSnapshot(at_s, {"lab01": BEAT}), [], ()) == {}
    assert reaping.see(90, BEAT) == "machine lab01 went silent"


def test_a_silent_machine_keeps_what_has_not_lapsed_by_the_reapers_own_clock() -> None:
    # The clock of the queue's host has jumped: all leases seem to have run out at once.
    reaping = Reaping()
    reaping.watch(0, 80, BEAT)
    look = BeatSnapshot(90, {"lab01": BEAT})
    assert reaping.witness.verdicts(look, [HELD], ()) == {}
    assert reaping.witness.verdicts(look, [HELD], {KEY}) == {KEY: "machine lab01 went silent"}


def test_a_reboot_ends_what_seems_to_have_expired_without_waiting_for_the_reapers_clock() -> None:
    witness, rebooted = BeatMonitor(DEAD_S, GAP_S), beating(1, boot_id="boot-b")
    witness.verdicts(BeatSnapshot(0, {"lab01": rebooted}), [HELD], ())
    look = BeatSnapshot(10, {"lab01": replace(rebooted, counter=2)})
    assert witness.verdicts(look, [HELD], ()) == {KEY: "machine lab01 rebooted"}


def leased(lease: str) -> list[HeldAttempt]:
    return [replace(HELD, lease=lease)]


def test_a_lease_has_lapsed_once_it_was_not_renewed_for_lease_s() -> None:
    leases = Leases(45)
    assert leases.lapsed(leased("1.5"), 0, 2) == frozenset()
    assert leases.lapsed(leased("1.5"), 46, 46) == frozenset()
    assert leases.lapsed(leased("1.5"), 47, 900) == {KEY}


def test_a_renewal_starts_the_watch_of_a_lease_anew() -> None:
    leases = Leases(45)
    leases.lapsed(leased("1.5"), 0, 0)
    assert leases.lapsed(leased("0.5"), 100, 101) == frozenset()
    assert leases.lapsed(leased("0.5"), 145, 145) == frozenset()
    assert leases.lapsed(leased("0.5"), 146, 146) == {KEY}


def test_a_lease_told_of_again_is_watched_anew() -> None:
    leases = Leases(45)
    leases.lapsed(leased("1.5"), 0, 0)
    assert leases.lapsed([], 30, 30) == frozenset()
    assert leases.lapsed(leased("1.5"), 60, 60) == frozenset()
