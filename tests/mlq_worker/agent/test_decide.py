"""What a turn does in each situation, and that no turn spins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlq.errors import MachineNameError
from mlq.files.strict_files import Absent
from mlq.jobs.lifecycle import Event
from mlq.jobs.placement import Offer
from mlq.jobs.request import Request
from mlq.settings.load import load
from mlq.store.machine_names import NameHolder, WorkerIdentity
from mlq.store.operations import Claimant, Move
from mlq.store.replies import (
    Claim,
    Expired,
    Head,
    HeldAttempt,
    Refusal,
    Renewal,
    SentSignal,
    Waiting,
)
from mlq_worker.agent.absences import Absences
from mlq_worker.agent.actions import (
    Action,
    Adopt,
    AvoidQueue,
    CommitAndClaim,
    CompareAbsences,
    Confirm,
    Exit,
    HangUp,
    LocalAction,
    PassSignalsOn,
    Propose,
    Publish,
    QueueAction,
    RaiseNumbers,
    ReadHeld,
    ReadHistories,
    ReadLargestNumber,
    ReadMachines,
    ReadOrphans,
    ReadProgress,
    ReadStarts,
    RecordStalled,
    RecordStopRequests,
    Reinstate,
    ReleaseName,
    Renew,
    Reserve,
    Resign,
    RestoreProbation,
    SettleOrphans,
    Stop,
)
from mlq_worker.agent.admission import Claimed
from mlq_worker.agent.attempt_result import AttemptResult, FoundAttempt
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.backoff import RefusedMoves
from mlq_worker.agent.collecting import PATIENCE_S, Annotate, Collect, CollectorFacts
from mlq_worker.agent.conduct import Conduct, HoldCommand, SeenStarts
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.decide import decide, next_turn_s
from mlq_worker.agent.effects import Effects
from mlq_worker.agent.facts import Facts, Mode, RenewalReply
from mlq_worker.agent.history import History
from mlq_worker.agent.local_attempt import LocalAttempt
from mlq_worker.agent.queue_effects import QueueEffects
from mlq_worker.agent.reaper import (
    ApplyVerdicts,
    Evidence,
    ForgetOldJobs,
    Judged,
    Overdue,
    QueueDue,
    ReadOverdue,
    ReaperFacts,
    TakeReaperRole,
    TellDependents,
    WatchBeats,
)
from mlq_worker.agent.schedule import PlanInput
from mlq_worker.agent.starts import OwnStart, Seen, Start
from mlq_worker.agent.vram_limits import Overstep
from mlq_worker.collector.protocol import Figures
from mlq_worker.ipc.causes import Cause, Kind
from mlq_worker.ipc.shortage import Shortage
from mlq_worker.liveness.verdicts import Beat, BeatSnapshot
from mlq_worker.probes.machine import Limits

LATER = 110.0
GPU_SHORTAGE = Shortage(of_gpu=True, used_mib=7475)
MOVE = Move("5", Event.SUCCEED, 1)
SMALL = "p0.c1.m100.g0.v0"
CONTEXT = MachineContext(
    settings=load({"HOME": "/nowhere", "MLQ_ROOT": "/results"}).settings._replace(machine="lab01"),
    login={},
    key=b"k" * 32,
    mark_prefix="mlq:q1:lab01:",
    cwd="/",
    boot_id="boot-now",
    limits=Limits(None, None, True),
    probe=Mock(),
    has_gpus=False,
)
OFFER = Offer("lab01", 8, 16000, (), 8, 16000)
HELD = HeldAttempt("9", 1, "lab01", "boot-before", "sup-before", 0, "")
ENDED_AT = "2026-11-23T22:15:02.000000Z"


def local(job_id: str = "7", **changes: Any) -> LocalAttempt:
    fields: dict[str, Any] = {
        "attempt": (job_id, 1),
        "class_name": SMALL,
        "request": Request(1, 100),
        "gpu_uuids": (),
        "history": History(),
        "prefetched": False,
        "started_s": 99.0,
        "time_limit_s": None,
    }
    return LocalAttempt(**{**fields, **changes})


def result(job_id: str = "7", **changes: Any) -> AttemptResult:
    fields: dict[str, Any] = {"outcome": "exited", "exit_code": 0, "reason": ""}
    fields |= {"started_at": "2026-11-23T22:15:01.000000Z", "ended_at": ENDED_AT, **changes}
    return AttemptResult(id=job_id, attempt=1, machine="lab01", **fields)


def facts(*held: LocalAttempt, **changes: Any) -> Facts:
    """A quiet worker that holds these attempts; what waits is looked at later."""
    table = AttemptTable({one.attempt: one for one in held})
    fields: dict[str, Any] = {
        "now_s": 100.0,
        "utc_s": 1.8e9,
        "context": CONTEXT,
        "mode": Mode.RUN,
        "shown_mode": changes.get("mode", Mode.RUN),
        "is_linked": True,
        "supervisor_id": "sup-now",
        "link_retry_s": 0.0,
        "queue_retry_s": 0.0,
        "renew_due_s": LATER,
        "peek_due_s": LATER,
        "is_restored": True,
        "obstacle": "",
        "attempts": table,
        "offer": OFFER,
        "plan_input": None,
        "pending": (),
        "refused": RefusedMoves(10.0),
        "absences": Absences("lab01"),
        "conduct": Conduct(),
    }
    return Facts(**{**fields, **changes})


def waits(length: int = 1, waited_s: float = 1.0, cores_free: int = 8) -> PlanInput:
    """Small jobs wait, and so many cores are free."""
    head = Head(SMALL, "3", length, "", 3.0)
    offer = replace(OFFER, cores=cores_free)
    return PlanInput(Waiting((head,), {}), offer, (), {"3": waited_s})


def renewal(**changes: Any) -> RenewalReply:
    fields: dict[str, Any] = {"alive": (), "lost": (), "stop": {}}
    return RenewalReply(Renewal(**{**fields, **changes}), 99.5)


def of_type(actions: list[Action], *kinds: type) -> list[Action]:
    return [one for one in actions if isinstance(one, kinds)]


# --- the turn as a whole -------------------------------------------------------------------------


def test_who_took_more_gpu_memory_than_it_asked_for_ends() -> None:
    greedy, ending = local("7"), local("8", stopping=True)
    over = {("7", 1): Overstep("took 7.3G of the 6G of GPU memory it asked for", GPU_SHORTAGE)}
    over |= {("8", 1): over["7", 1]}
    actions = decide(facts(greedy, ending, local("9"), oversteps=over))
    assert of_type(actions, Stop) == [
        Stop((("7", 1),), "overstepped", over["7", 1].reason, GPU_SHORTAGE)
    ]


def test_who_is_cramped_leaves_once_another_machine_has_room() -> None:
    held, cramped = (local("7"), local("8")), frozenset({("8", 1)})
    asked = decide(facts(*held, cramped=cramped, renewal=renewal(), renew_due_s=LATER))
    assert of_type(asked, ReadMachines) == [ReadMachines()]
    assert of_type(decide(facts(*held, renewal=renewal())), ReadMachines) == []
    room = {"cores_free": 8, "cores_total": 8, "mem_free_mib": 9000, "mem_total_mib": 9000}
    actions = decide(facts(*held, cramped=cramped, machines={"lab02": (5.0, room)}))
    why = "handed back: others use the cores of lab01, and lab02 has room"
    assert of_type(actions, Stop) == [Stop((("8", 1),), "released", why)]
    assert of_type(decide(facts(*held, cramped=cramped)), Stop) == []


def test_a_quiet_worker_waits_until_something_is_due() -> None:
    assert decide(facts()) == []
    assert next_turn_s(facts(), 60) == 10
    assert next_turn_s(facts(renew_due_s=101), 60) == 1
    assert next_turn_s(facts(), 5) == 5


def test_the_supervisor_comes_first() -> None:
    lost = facts(is_linked=False, pending=(MOVE,), renew_due_s=0, plan_input=waits())
    assert decide(lost) == [Adopt()]
    assert decide(replace(lost, link_retry_s=LATER)) == []
    assert decide(replace(lost, queue_retry_s=LATER)) == []


def test_what_the_worker_before_said_is_asked_before_anything_is_said() -> None:
    new = facts(is_restored=False, shown_mode=None, renew_due_s=0, pending=(MOVE,))
    assert decide(new) == [RestoreProbation()]


def test_leases_are_renewed_before_anything_is_committed_or_claimed() -> None:
    due = facts(renew_due_s=100, plan_input=waits(), pending=(MOVE,))
    assert decide(due) == [Renew()]
    assert decide(replace(due, renew_due_s=LATER)) == [CommitAndClaim((MOVE,), ((SMALL, 1),))]


def test_a_queue_that_does_not_answer_is_left_alone() -> None:
    away = facts(
        queue_retry_s=101, renew_due_s=0, peek_due_s=0, pending=(MOVE,), plan_input=waits()
    )
    assert decide(away) == []
    assert next_turn_s(away, 60) == 1


def test_what_waits_is_looked_at_when_it_is_due() -> None:
    assert decide(facts(peek_due_s=100)) == [CommitAndClaim(())]


def test_another_mode_is_shown_at_once() -> None:
    (shown,) = decide(facts(local(), mode=Mode.DRAIN, shown_mode=Mode.RUN))
    assert isinstance(shown, Publish)
    assert shown.note.startswith("draining")


# --- a renewal's reply ---------------------------------------------------------------------------


def test_a_stop_in_a_renewals_reply_is_told_after_its_confirmation_and_before_a_commit() -> None:
    reply = renewal(alive=(("7", 1),), stop={("7", 1): "canceled"})
    actions = decide(facts(local(), renewal=reply, pending=(MOVE,)))
    assert actions[:3] == [
        Confirm(reply.renewal, 99.5),
        RecordStopRequests({("7", 1): "canceled"}, {}),
        Stop((("7", 1),), "canceled", "canceled"),
    ]
    assert of_type(actions, CommitAndClaim) == []


def test_who_is_to_be_queued_again_is_handed_back_but_not_if_it_was_canceled() -> None:
    wish = {("7", 1): "queued again by its user"}
    actions = decide(facts(local(), renewal=renewal(alive=(("7", 1),), requeue=wish)))
    assert of_type(actions, RecordStopRequests) == [RecordStopRequests({}, wish)]
    assert of_type(actions, Stop) == [Stop((("7", 1),), "released", "queued again by its user")]
    stopping = facts(local(stopping=True), renewal=renewal(requeue=wish))
    assert of_type(decide(stopping), Stop) == []


def test_signals_of_users_are_passed_on_to_what_runs_before_a_stop() -> None:
    """Any text may stand in the queue: what is no signal is left out."""
    sent = (SentSignal("7", 1, 5, 10, "program"), SentSignal("7", 1, 6, 9, "script"))
    wrong = (
        SentSignal("7", 1, 7, 99, "all"),
        SentSignal("7", 1, 7, 10, "forged"),
        SentSignal("7", 2, 7, 10, "all"),
        SentSignal("8", 1, 7, 10, "all"),
    )
    reply = renewal(signal=(*sent, *wrong), stop={("7", 1): "canceled"})
    held = local(), local("8", result=result("8"))
    actions = decide(facts(*held, renewal=reply))
    assert [type(one) for one in actions[:4]] == [Confirm, RecordStopRequests, PassSignalsOn, Stop]
    assert of_type(actions, PassSignalsOn) == [PassSignalsOn(sent)]
    stopping = facts(local(stopping=True), renewal=reply)
    assert of_type(decide(stopping), PassSignalsOn) == [PassSignalsOn(sent)]


def test_a_stop_is_told_once_and_only_of_what_runs() -> None:
    reply = renewal(stop={("7", 1): "canceled", ("8", 1): "canceled"})
    ended = local("8", result=result("8"))
    actions = decide(facts(local(stopping=True), ended, renewal=reply))
    assert of_type(actions, Stop) == []
    assert of_type(actions, RecordStopRequests) == [RecordStopRequests(reply.renewal.stop, {})]


def test_a_stop_is_told_though_the_queue_is_away_by_now() -> None:
    reply = renewal(stop={("7", 1): "canceled"})
    actions = decide(facts(local(), renewal=reply, queue_retry_s=LATER))
    assert [type(one) for one in actions] == [Confirm, RecordStopRequests, Stop]


def test_a_lost_attempt_is_told_to_the_supervisor_which_ends_it() -> None:
    reply = renewal(lost=(("7", 1),))
    actions = decide(facts(local(), renewal=reply))
    assert actions[0] == Confirm(reply.renewal, 99.5)
    assert of_type(actions, Stop, CommitAndClaim) == []


def test_the_end_of_a_lost_attempt_goes_back_to_the_queue() -> None:
    lost = local(result=result(outcome="lost", exit_code=None, reason="lost: given up"))
    (commit,) = decide(facts(lost))
    assert isinstance(commit, CommitAndClaim)
    assert [(one.id, one.event) for one in commit.moves] == [("7", Event.LOSE)]


def test_a_renewal_is_followed_by_what_is_done_once_a_beat() -> None:
    actions = decide(facts(local(leader_pid=4711), renewal=renewal()))
    assert [type(one) for one in actions][:4] == [Confirm, Publish, ReadHeld, TakeReaperRole]
    assert actions[-1] == ReadProgress((("7", 1),))


# --- the collector -------------------------------------------------------------------------------


def test_an_end_is_committed_after_its_last_reading() -> None:
    awaited = CollectorFacts(True, last={("7", 1): 99.0})
    ended = facts(local(result=result(), figures=Figures('{"loss":[1,2,3,4,5,6]}')))
    assert decide(replace(ended, collector=awaited)) == [Collect(last=(("7", 1),))]
    asked = replace(awaited, is_free=False)
    assert decide(replace(ended, collector=asked)) == []
    late = replace(ended, collector=asked, now_s=99.0 + PATIENCE_S, peek_due_s=LATER + 10)
    for known in (ended, late):
        (commit,) = decide(known)
        assert isinstance(commit, CommitAndClaim)
        assert commit.moves[0].fields["mlq_metrics"] == '{"loss":[1,2,3,4,5,6]}'
    assert next_turn_s(replace(ended, collector=asked), 60) == pytest.approx(PATIENCE_S - 1)


def test_what_is_found_after_an_end_is_told_once_the_queue_answers() -> None:
    late = ((("7", 1), Figures("{}")),)
    found = facts(collector=CollectorFacts(True, late=late))
    assert decide(found) == [Annotate(late)]
    assert decide(replace(found, queue_retry_s=LATER)) == []


def test_a_worker_that_drains_leaves_after_the_last_reading() -> None:
    asked = CollectorFacts(False, last={("7", 1): 99.0})
    drains = facts(local(result=result()), mode=Mode.DRAIN, collector=asked)
    assert decide(drains) == []
    assert Exit() not in decide(replace(drains, collector=CollectorFacts(True)))


def holder() -> NameHolder:
    who = WorkerIdentity("lab01", "another", "host", "boot", "lab99", 4711)
    return NameHolder(who, 1.8e9, "77", 1.0)


def test_a_displaced_worker_pauses_what_runs_and_leaves_the_queue_alone() -> None:
    reply = renewal(holder=holder(), stop={("7", 1): "canceled"})
    confirm, avoid = decide(facts(local(), renewal=reply, pending=(MOVE,)))
    assert confirm == Confirm(reply.renewal, 99.5)
    assert isinstance(avoid, AvoidQueue)
    assert isinstance(avoid.error, MachineNameError)


def test_a_displaced_worker_that_holds_nothing_resigns() -> None:
    actions = decide(facts(local(result=result()), renewal=renewal(holder=holder())))
    assert [type(one) for one in actions] == [Confirm, Resign]


# --- what the queue may have forgotten -----------------------------------------------------------


def test_after_an_absence_numbers_are_raised_above_those_of_the_results_root() -> None:
    unsure = facts(are_numbers_unsure=True, obstacle="looking for the numbers")
    assert ReadLargestNumber() in decide(replace(unsure, renewal=renewal()))
    assert decide(replace(unsure, largest_number=41)) == [RaiseNumbers(41)]


def test_nothing_is_claimed_while_something_stands_in_the_way() -> None:
    assert decide(facts(plan_input=waits(), obstacle="NFS not answering")) == []


def test_a_claim_that_the_root_knows_is_put_back_to_the_attempt_that_had_its_number() -> None:
    known = FoundAttempt(4, "lab07", "boot", "sup")
    reused = local(result=result(outcome="reused", exit_code=None, reason="reused", found=known))
    who = Claimant("lab07", "boot", "sup")
    assert decide(facts(reused)) == [Reinstate(("7", 1), 4, who, "reused")]
    assert reused.result is not None
    reused.result = replace(reused.result, found=FoundAttempt(4, "", "", ""))
    (put_back,) = decide(facts(reused))
    assert isinstance(put_back, Reinstate)
    assert put_back.who == Claimant("lab01", "boot-now", "sup-now")


# --- orphans -------------------------------------------------------------------------------------


def test_what_the_queue_believes_to_be_here_and_is_not_is_looked_for_on_nfs() -> None:
    here, moving = replace(HELD, id="7"), replace(HELD, id="5")
    (read,) = of_type(
        decide(facts(local(), pending=(MOVE,), held=(HELD, here, moving))), ReadOrphans
    )
    assert read == ReadOrphans((HELD,))


def test_an_orphan_is_judged_by_its_jobs_past_of_this_moment() -> None:
    orphan = facts(orphans=([HELD], {HELD.key: Absent()}))
    assert decide(orphan) == [ReadHistories(("9",))]
    assert decide(replace(orphan, histories={"1": History()})) == [ReadHistories(("9",))]
    (settle,) = decide(replace(orphan, histories={"9": History(stop="canceled")}))
    assert isinstance(settle, SettleOrphans)
    assert [(one.id, one.event) for one in settle.moves] == [("9", Event.CANCEL)]


def test_an_orphan_whose_number_was_given_out_once_more_is_none() -> None:
    again = facts(local("9"), orphans=([HELD], {HELD.key: Absent()}))
    assert decide(again) == [SettleOrphans(())]


# --- the reaper ----------------------------------------------------------------------------------


def test_a_worker_without_the_role_watches_the_one_that_has_it() -> None:
    assert decide(facts(reaper=ReaperFacts("lab02"))) == [WatchBeats((), ("lab02",))]


def test_the_reaper_asks_for_what_is_overdue_and_now_and_then_forgets_old_jobs() -> None:
    assert decide(facts(reaper=ReaperFacts("lab01"))) == [ReadOverdue()]
    forgetful = ReaperFacts("lab01", is_forgetting_due=True)
    assert decide(facts(reaper=forgetful)) == [ForgetOldJobs(), ReadOverdue()]
    assert decide(facts(reaper=ReaperFacts(is_forgetting_due=True))) == []


def test_the_reaper_queues_what_is_due_tells_and_looks_for_the_dead() -> None:
    quiet, expired = replace(HELD, id="8"), replace(HELD, expired=True)
    overdue = Overdue(("4",), True, Expired((quiet, expired), ("lab02",)), frozenset())
    assert decide(facts(reaper=ReaperFacts(overdue=overdue))) == [
        TellDependents(),
        QueueDue((Move("4", Event.DUE),)),
        WatchBeats((expired,), ("lab02",)),
    ]
    lapsed = replace(overdue, due=(), has_untold=False, lapsed=frozenset({quiet.key}))
    (watch,) = decide(facts(reaper=ReaperFacts(overdue=lapsed)))
    assert watch == WatchBeats((quiet, expired), ("lab02",), lapsed.lapsed)


def test_a_dead_attempt_is_lost_while_its_lease_is_still_the_same() -> None:
    dead = replace(HELD, machine="lab03", lease="77", expired=True)
    beat = Beat("boot", "sup", 3, frozenset())
    evidence = Evidence((dead,), frozenset(), BeatSnapshot(5.0, {"lab03": beat}), {})
    judged = Judged(evidence, {dead.key: "machine lab03 went silent"}, {"lab03": 90.0})
    ask = facts(reaper=ReaperFacts(judged=judged))
    assert decide(ask) == [ReadHistories(("9",))]
    (apply,) = decide(replace(ask, histories={"9": History()}))
    assert isinstance(apply, ApplyVerdicts)
    assert [(one.event, one.lease) for one in apply.moves] == [(Event.LOSE, "77")]
    assert apply.sightings == {"lab03": {"silent_s": 90.0, "paused": 0, "worker": True}}
    nobody = replace(judged, dead={})
    (tell,) = decide(replace(ask, reaper=ReaperFacts(judged=nobody)))
    assert isinstance(tell, ApplyVerdicts)
    assert tell.moves == ()


# --- ends and moves ------------------------------------------------------------------------------


def test_an_end_is_committed_for_the_job_of_its_signature_only() -> None:
    (commit,) = decide(facts(local(result=result(), signature="s")))
    assert isinstance(commit, CommitAndClaim)
    assert [(one.event, one.signature) for one in commit.moves] == [(Event.SUCCEED, "s")]


def test_a_refused_move_waits_and_holds_up_no_other() -> None:
    refused = RefusedMoves(10.0)
    refused.sent([], [Refusal("5", 1, "WRONGTYPE")], 95.0)
    waiting = facts(pending=(MOVE,), refused=refused)
    assert decide(waiting) == []
    other = Move("6", Event.SUCCEED, 1)
    assert decide(replace(waiting, pending=(MOVE, other))) == [CommitAndClaim((other,))]
    assert decide(replace(waiting, now_s=105.0)) == [CommitAndClaim((MOVE,))]


def test_what_was_missing_here_is_judged_after_others_were_asked() -> None:
    absences = Absences("lab01")
    cause = Cause(Kind.COMMAND, "train.py")
    missing = result(outcome="unstartable", exit_code=None, started_at="", cause=cause)
    lacking = facts(local(result=missing, needs="c1234"), absences=absences)
    absences.see(lacking.attempts.ended(), 100.0)
    assert [type(one) for one in decide(lacking)] == [Publish, CompareAbsences]
    absences.compare({}, 45.0)
    (commit,) = decide(lacking)
    assert isinstance(commit, CommitAndClaim)
    assert commit.moves[0].event is Event.FAIL


def test_dependents_that_a_commit_left_untold_are_told() -> None:
    assert decide(facts(has_untold=True)) == [TellDependents()]


# --- claims --------------------------------------------------------------------------------------


def test_what_was_claimed_takes_its_room_before_anything_else_is_claimed() -> None:
    unsigned = Claim("3", 1, SMALL, "", "", 0, 0)
    claimed = Claimed((unsigned,), {}, 99.0)
    (propose,) = decide(facts(claimed=claimed, plan_input=waits()))
    assert isinstance(propose, Propose), "an unsigned job is refused"
    assert [one.event for one in propose.moves] == [Event.FAIL]


def test_a_reservation_is_repeated_when_what_waits_is_looked_at_and_not_each_turn() -> None:
    starving = facts(plan_input=waits(waited_s=1e6, cores_free=0))
    assert decide(starving) == []
    assert decide(replace(starving, peek_due_s=100)) == [
        Reserve("3"),
        CommitAndClaim((), only=frozenset()),
    ]


# --- how jobs start ------------------------------------------------------------------------------


def fails_here(**changes: Any) -> Conduct:
    own = tuple(OwnStart(str(number), "s1", "no such option") for number in range(3))
    return Conduct(bad_starts=own, **changes)


def test_after_a_bad_start_the_queue_is_asked_before_more_is_claimed() -> None:
    asked = facts(conduct=fails_here(has_new_bad_start=True), plan_input=waits())
    assert decide(asked) == [ReadStarts(after_bad_start=True)]


def test_a_command_that_fails_on_two_machines_is_held() -> None:
    starts = tuple(Start(f"lab0{1 + n % 2}", False, str(n)) for n in range(3))
    seen = SeenStarts(Seen({"s1": starts}, {}, ("lab01", "lab02")), after_bad_start=True)
    (hold,) = decide(facts(conduct=fails_here(), starts=seen, plan_input=waits()))
    assert isinstance(hold, HoldCommand)
    assert (hold.word, hold.reason[-14:]) == ("s1", "no such option")


def test_what_was_claimed_ahead_behind_a_job_that_takes_long_is_handed_back() -> None:
    waiting = local(prefetched=True, started_s=90.0)
    long, stop = decide(facts(waiting, queue_retry_s=LATER))
    assert long == RecordStalled(SMALL, 10.0)
    assert isinstance(stop, Stop)
    assert (stop.attempts, stop.outcome) == ((("7", 1),), "released")


# --- leaving -------------------------------------------------------------------------------------


def test_a_draining_worker_commits_but_takes_nothing_and_leaves_after_the_last_job() -> None:
    drain = facts(local(), mode=Mode.DRAIN, plan_input=waits(), peek_due_s=0)
    assert decide(drain) == []
    assert next_turn_s(drain, 60) == 10
    assert decide(replace(drain, pending=(MOVE,))) == [CommitAndClaim((MOVE,))]
    idle = replace(drain, attempts=AttemptTable())
    assert decide(replace(idle, pending=(MOVE,))) == [CommitAndClaim((MOVE,))]
    assert [type(one) for one in decide(idle)] == [HangUp, Publish, ReleaseName, Exit]


def test_a_release_hands_each_job_back_once_even_while_the_queue_is_away() -> None:
    release = facts(local(), mode=Mode.RELEASE, queue_retry_s=LATER)
    (stop,) = decide(release)
    assert isinstance(stop, Stop)
    assert (stop.attempts, stop.outcome) == ((("7", 1),), "released")
    assert decide(facts(local(stopping=True), mode=Mode.RELEASE)) == []
    assert Exit() in decide(facts(mode=Mode.RELEASE))


def test_a_handover_commits_what_it_can_and_waits_for_nothing() -> None:
    handover = facts(local(), mode=Mode.HANDOVER, pending=(MOVE,), renew_due_s=0)
    assert decide(handover) == [CommitAndClaim((MOVE,))]
    left = [HangUp, Publish, Exit]  # it keeps the name, for what it held goes on
    assert [type(one) for one in decide(replace(handover, pending=()))] == left
    assert [type(one) for one in decide(replace(handover, queue_retry_s=LATER))] == left
    assert Exit() in decide(replace(handover, is_linked=False))


def test_a_handover_passes_a_renewals_reply_on_first() -> None:
    reply = renewal(stop={("7", 1): "canceled"})
    actions = decide(facts(local(), mode=Mode.HANDOVER, renewal=reply))
    assert [type(one) for one in actions] == [Confirm, RecordStopRequests, Stop]


# --- no turn spins -------------------------------------------------------------------------------

TIMES = st.floats(0, 200)


@given(
    st.builds(
        facts,
        st.builds(local, stopping=st.booleans(), prefetched=st.booleans()),
        mode=st.sampled_from(Mode),
        is_linked=st.booleans(),
        link_retry_s=TIMES,
        queue_retry_s=TIMES,
        renew_due_s=TIMES,
        peek_due_s=TIMES,
        is_restored=st.booleans(),
        plan_input=st.none() | st.builds(waits, waited_s=TIMES, cores_free=st.integers(0, 2)),
        pending=st.sampled_from([(), (MOVE,)]),
        renewal=st.none() | st.just(renewal()),
        has_untold=st.booleans(),
        held=st.sampled_from([(), (HELD,)]),
        reaper=st.builds(ReaperFacts, st.sampled_from([None, "lab01", "lab02"])),
    )
)
def test_a_turn_without_anything_to_do_is_followed_by_a_wait(some: Facts) -> None:
    if not decide(some):
        assert next_turn_s(some, 60) > 0


@given(TIMES, st.sampled_from([Mode.RUN, Mode.DRAIN]), st.booleans())
def test_once_everything_due_is_done_the_worker_waits(
    now_s: float, mode: Mode, starving: bool
) -> None:
    """No action may come back by itself: what was renewed, looked at and reserved is done."""
    done = facts(
        local(started_s=now_s),
        now_s=now_s,
        mode=mode,
        renew_due_s=now_s + 10,
        peek_due_s=now_s + 2 if mode is Mode.RUN else 0.0,
        plan_input=waits(waited_s=1e6, cores_free=0) if starving else None,
    )
    assert decide(done) == []
    assert next_turn_s(done, 60) > 0


def test_each_action_is_carried_out_by_a_function_of_its_own() -> None:
    for kinds, effects in ((LocalAction, Effects), (QueueAction, QueueEffects)):
        dispatcher = vars(effects)["act"].dispatcher
        unknown = dispatcher.dispatch(object)
        lacking = [kind for kind in get_args(kinds) if dispatcher.dispatch(kind) is unknown]
        assert lacking == ([Exit] if kinds is LocalAction else [])
