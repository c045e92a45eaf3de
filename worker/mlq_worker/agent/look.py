"""The worker's look: it gathers the facts of a turn and concludes nothing from them.

It takes in what has arrived meanwhile: the progress of jobs, the values of functions, the
resources that are free, the answers of NFS and of the collector.
"""

from __future__ import annotations

from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.cramped import cramped_of
from mlq_worker.agent.facts import Facts, Mode
from mlq_worker.agent.memory import Memory
from mlq_worker.guest.rules import GuestRules


def look(memory: Memory, context: MachineContext, mode: Mode) -> Facts:
    """Return the facts of this turn."""
    now_s, utc_s = context.clocks.boot_s(), context.clocks.utc_s()
    _take_in(memory, context, now_s)
    is_kept = GuestRules(enforce=context.settings.enforce).enforces("vram")
    oversteps = memory.vram.see(memory.monitor.report, memory.attempts.active()) if is_kept else {}
    replies, obstacle = memory.take_replies(), _obstacle(memory, now_s)
    unable = memory.session.unable
    lacks = memory.absences.words | unable
    mode = memory.leaving.mode(mode, now_s)
    may_claim = mode is Mode.RUN and not obstacle and replies.claimed is None
    turn = memory.neighbourhood.look(now_s, wants_turn=may_claim and memory.backlog.has_work(now_s))
    offer, report = memory.offer(), memory.monitor.report
    kept = memory.neighbourhood.keep_free(offer, memory.attempts, report, now_s)
    return Facts(
        now_s=now_s,
        utc_s=utc_s,
        context=context,
        mode=mode,
        leaves_in_s=memory.leaving.next_s(now_s),
        shown_mode=memory.shown_mode,
        is_linked=memory.session.link is not None,
        supervisor_id=memory.session.supervisor_id,
        link_retry_s=memory.link_retry_s,
        queue_retry_s=memory.queue.retry_s,
        renew_due_s=memory.renew_due_s,
        peek_due_s=memory.backlog.due_s,
        is_restored=memory.is_restored,
        obstacle=obstacle,
        attempts=memory.attempts,
        offer=offer,
        plan_input=memory.backlog.plan_input(
            kept.offer, memory.attempts, now_s, utc_s, lacks, kept.reserved
        ),
        pending=tuple(memory.pending),
        refused=memory.refused,
        absences=memory.absences,
        conduct=memory.conduct,
        unable=unable,
        are_numbers_unsure=memory.queue.are_numbers_unsure,
        largest_number=memory.queue.largest_number,
        renewal=replies.renewal,
        claimed=replies.claimed,
        has_untold=replies.has_untold,
        starts=replies.starts,
        held=replies.held,
        orphans=memory.reads.orphans,
        histories=replies.histories,
        machines=replies.machines,
        cramped=cramped_of(memory.session.guest.facts),
        reaper=memory.reaper.facts(),
        copier=memory.copier.facts(),
        collector=memory.collector.facts(),
        oversteps=oversteps,
        has_heads=bool(memory.backlog.heads),
        turn=turn,
        process=memory.neighbourhood.process,
        shown=memory.neighbourhood.shown,
        memory_held=report.memory.used_by,
    )


def _obstacle(memory: Memory, now_s: float) -> str:
    return memory.session.obstacle(now_s) or memory.queue.obstacle


def _take_in(memory: Memory, context: MachineContext, now_s: float) -> None:
    attempts = memory.attempts
    if memory.session.has_news:
        memory.session.has_news, memory.renew_due_s = False, 0.0
    memory.leaving.look(now_s, holds=bool(attempts.by_key))
    memory.reads.update(attempts)
    memory.absences.see(attempts.ended(), now_s)
    memory.monitor.look(
        now_s,
        context.own_pids(memory.session.link),
        [one.leader_pid for one in attempts.active() if one.leader_pid],
        memory.neighbourhood.leader_pids(),
        for_jobs=bool(attempts.by_key or memory.backlog.heads),
        for_gpus=any(".g0." not in head.class_name for head in memory.backlog.heads),
    )
    memory.collector.update(attempts, memory.monitor.report)
