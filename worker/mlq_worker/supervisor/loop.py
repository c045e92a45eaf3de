"""The supervisor's turn: wait, fence, listen, decide, act.

Thin: what follows from each event is decided in `state` and `fence`. Invariants: this thread never
touches NFS and never waits for another process, so the fence holds while everything else hangs; and
after any wait the fence comes before anything else, so that it also holds after the machine itself
was frozen.
"""

from __future__ import annotations

import os
import select
from collections.abc import Collection
from functools import partial
from signal import SIGCONT

from mlq.jobs.attempt import AttemptId
from mlq_worker.guest.rules import parse_rules
from mlq_worker.ipc import processes
from mlq_worker.ipc.host import moment
from mlq_worker.ipc.launcher_messages import Commands, News
from mlq_worker.ipc.messages import (
    Confirm,
    ContactNews,
    Greeting,
    HaveEnded,
    HaveSignaled,
    HaveStarted,
    Hello,
    Manners,
    Shutdown,
    WorkerMessage,
    worker_message,
)
from mlq_worker.ipc.options import Options
from mlq_worker.ipc.procfs import Process, Target
from mlq_worker.ipc.values import Result
from mlq_worker.supervisor.attempt import Instructions
from mlq_worker.supervisor.edges import Edges, Launcher
from mlq_worker.supervisor.events import (
    Beaten,
    Event,
    FenceTicked,
    LauncherCleared,
    LauncherDied,
    LauncherStarted,
    LeaderEnded,
    SignalHeeded,
    SignalUnheeded,
    StopAsked,
    Ticked,
    launcher_events,
    worker_events,
)
from mlq_worker.supervisor.guest import Guest
from mlq_worker.supervisor.launcher_process import LaunchPause
from mlq_worker.supervisor.notices import Notices
from mlq_worker.supervisor.requests import Requests
from mlq_worker.supervisor.standing import Standing
from mlq_worker.supervisor.state import Attempts

_TOLD = "released: the supervisor was told to stop"
_TOLD_IN_ALLOCATION = "handed back: its allocation was told to end"
_IDLE_S = 5.0  # how long it stays with neither worker nor jobs
# The longest wait; an order counts from the turn before the one that read it.
_TURN_S, _TURN_WITHOUT_JOBS_S = 1.0, 2.0


class Supervisor:
    """Holds a machine's jobs.

    Args:
        options: its command-line options.
        edges: all that it touches.
        identity: the fields supervisor_id and boot_id.
    """

    def __init__(self, options: Options, edges: Edges, identity: dict[str, str]) -> None:
        self._options, self._identity = options, identity
        self._host, self._poll, self._listener = edges.host, edges.poll, edges.listener
        self._cgroups = edges.cgroups
        self._wakes, self._beats, self._launch = edges.wakes, edges.beats, edges.launch
        self._state = Attempts(options.timings, options.machine, identity["boot_id"])
        self._todo = Instructions()
        self._launcher: Launcher | None = None
        self._dead_launcher: Launcher | None = None
        self._unrecorded: list[Result] = []
        self._guest = Guest(edges.guest, edges.cores, self._host.note)
        self._notices = Notices(self._host, edges.manner_of)
        self._requests = Requests(self._host, edges.manner_of)
        self._launch_at, self._launch_pause = 0.0, LaunchPause()
        self._poll.register(self._wakes, select.POLLIN)
        self._now = moment(self._host)
        self._standing = Standing(options.timings, self._now.at)
        self._redis_at = self._beat_at = self._busy_at = self._now.at
        self._contact_at = self._listed_at = 0.0
        self._told: tuple[bool, bool] | None = None
        self._shutdown = self._ending = False
        self.stop_requested = False

    def run(self) -> None:
        """Take turns until it holds nothing, or was told to end and everything has ended."""
        self._beats.start()
        while not self._finished():
            self._wait()
            self._turn()
        self._beats.stop()
        self._listener.close()
        if self._launcher is not None:
            self._launcher.channel.close()  # that ends it

    def _finished(self) -> bool:
        if self.stop_requested and self._state.idle:
            # The batch system tells all processes of an allocation to end. The worker then needs it
            # to say how the jobs have ended.
            return not (self._options.parent and self._listener.occupied)
        if not self._state.empty:
            self._busy_at = self._now.at
            return False
        if self._shutdown:
            return True
        if self._listener.occupied:
            self._busy_at = self._now.at
        return self._now.at - self._busy_at > _IDLE_S

    # --- the turn ---------------------------------------------------------------------------------

    def _wait(self) -> None:
        self._listener.watch()
        if self._launcher is not None:
            self._launcher.channel.watch(self._poll)
        due_at = min(self._state.due_at(), self._contact_at, self._guest.due_at)
        if self._launcher is None:
            due_at = min(due_at, self._launch_at)
        turn_s = _TURN_WITHOUT_JOBS_S if self._state.empty else _TURN_S
        longest_s = min(turn_s, self._options.timings.beat_s / 2)
        wait_s = max(0.0, min(due_at - self._host.boottime(), longest_s))
        if self._now.at >= self._listed_at + longest_s:
            self._listed_at = self._now.at
            self._look_at_standing()
            self._beats.attempts = tuple(attempt.id for attempt in self._state.held)
            self._beats.paused = self._state.fenced
            self._beats.worker = self._listener.occupied
            if self._launcher is not None:
                self._launcher.keep_going()
        wait_s = min(wait_s, self._notices.wait_s, self._requests.wait_s)
        self._poll.poll(int(wait_s * 1000) + 1)

    def _turn(self) -> None:
        before, self._now = self._now, moment(self._host)
        self._happened(FenceTicked(self._now))
        self._act()
        self._mind_others()
        self._hear_wakes()
        self._hear_launcher()
        self._hear_worker(before.at)
        if not self._state.empty and self._guest.has_dozed(self._now.at):
            self._mind_others()  # before anything starts
        for turned_away in self._guest.turned_away(self._state.held, self._now):
            self._happened(turned_away)
        if self.stop_requested and not self._ending:
            self._ending = True
            reason = _TOLD_IN_ALLOCATION if self._options.parent else _TOLD
            for attempt in self._state.held:
                self._happened(StopAsked(attempt.id, "released", reason, self._now))
        for target in self._notices.over():
            self._happened(LeaderEnded(target, self._now))
        self._happened(Ticked(self._now))
        self._act()
        self._tell_contact()
        news = self._guest.news(self._state.live)
        if news is not None:
            self._listener.tell(news)

    def _mind_others(self) -> None:
        """Do at once what the manners of a guest demand."""
        events = self._guest.look(self._state.held, self._now)
        for event in events:
            self._happened(event)
        if events:
            paused = [one.target for one in self._state.live if one.paused_at is not None]
            if paused and self._guest.repeats(self._now.at):
                self._halt(paused)
            self._act()

    def _happened(self, event: Event) -> None:
        self._state.handle(event, self._todo)

    def _act(self) -> None:
        do, self._todo = self._todo, Instructions()
        for error in do.errors:
            self._host.note(error)
        if do.pause:
            self._halt(do.pause)
        for note in do.notes:
            self._host.note(note)
        self._instruct_launcher(do)  # before any signal: it has to know why a job died
        if do.kill:
            for attempt in self._ids(do.kill):
                self._cgroups.kill(attempt)
            processes.kill_all(self._host, self._finder(do.kill))
        if do.terminate_all:
            left = self._finder(do.terminate_all)().values()
            self._notices.terminate_rest(do.terminate_all, left)
        self._notices.add(do.terminate, do.notify)
        for target, is_heeded in self._notices.send():
            self._happened(SignalHeeded(target) if is_heeded else SignalUnheeded(target))
        self._requests.drop([*do.terminate, *(one.target for one in do.notify if one.or_end)])
        self._requests.add(do.signal)
        self._requests.send(self._state.paused_targets)
        if do.resume:
            for attempt in self._ids(do.resume):
                self._cgroups.thaw(attempt)
            processes.signal_each(self._host, self._finder(do.resume)().values(), SIGCONT)
        if do.started:
            self._listener.tell(HaveStarted(tuple(do.started)))
        if do.obeyed:
            self._listener.tell(HaveSignaled(tuple(do.obeyed)))
        if do.ended:
            self._listener.tell(HaveEnded(tuple(do.ended)))

    def _instruct_launcher(self, do: Instructions) -> None:
        self._unrecorded += do.record
        if self._launcher is None:
            return
        end, forget, spawn = tuple(do.announce), tuple(do.forget), self._guest.placed(do.spawn)
        message = Commands(end, forget, tuple(self._unrecorded), spawn, tuple(do.tidy)).to_json()
        if message:
            self._launcher.channel.send(message)
            self._unrecorded = []

    def _halt(self, targets: Collection[Target]) -> None:
        """Stop all processes of attempts: in one step those in cgroups, the others one by one."""
        frozen = {pid for one in self._ids(targets) for pid in self._cgroups.freeze(one)}
        find = self._finder(targets)
        processes.stop_all(
            self._host, lambda: {pid: one for pid, one in find().items() if pid not in frozen}
        )

    def _ids(self, targets: Collection[Target]) -> list[AttemptId]:
        return [one.id for one in self._state.live if one.target in targets]

    def _finder(self, targets: Collection[Target]) -> partial[dict[int, Process]]:
        return partial(processes.members, self._host, targets)

    # --- the beat ---------------------------------------------------------------------------------

    def _hear_wakes(self) -> None:
        try:
            self._wakes.recv(4096)
        except BlockingIOError:
            return
        while self._beats.completed:
            beat = self._beats.completed.popleft()
            self._beat_at = beat.began_at
            self._happened(Beaten(beat.began_at, beat.ended_at))

    def _look_at_standing(self) -> None:
        held, has_worker = self._state.held, self._listener.occupied
        silent_because = self._standing.look(held, self._now.at, has_worker=has_worker)
        if silent_because != self._beats.silent_because:
            self._host.note(
                f"it beats no more: {silent_because}" if silent_because else "it beats again"
            )
        self._beats.silent_because = silent_because

    # --- the launcher -----------------------------------------------------------------------------

    def _hear_launcher(self) -> None:
        if self._launcher is None:
            self._bury_and_launch()
            return
        channel = self._launcher.channel
        channel.flush()
        for message in channel.receive():
            for event in launcher_events(News.from_json(message), self._now):
                self._happened(event)
        if channel.closed:
            self._host.note(f"the launcher (process {self._launcher.pid}) died")
            self._poll.unregister(channel)
            self._launcher.end()
            self._dead_launcher, self._launcher = self._launcher, None
            self._happened(LauncherDied())
            self._bury_and_launch()

    def _bury_and_launch(self) -> None:
        """Kill what a dead launcher left, round by round; then start another."""
        if self._dead_launcher is not None:
            if not self._dead_launcher.buried():
                self._launch_at = self._now.at + 0.02
                return
            self._dead_launcher = None
            self._happened(LauncherCleared(self._now))
            self._launch_at = self._launch_pause.until(self._now.at)
        elif self._now.at >= self._launch_at:
            self._launch_pause.began(self._now.at)
            try:
                self._launcher = self._launch()
            except OSError as error:  # there is no room for one more process
                self._host.note(f"no launcher can be started: {error.strerror}")
                self._launch_at = self._launch_pause.until(self._now.at)
                return
            self._happened(LauncherStarted())

    # --- the worker -------------------------------------------------------------------------------

    def _hear_worker(self, turn_before_at: float) -> None:
        try:
            for message in self._listener.messages():
                self._obey(worker_message(message), turn_before_at)
        except (KeyError, TypeError, ValueError) as error:
            self._listener.refuse(error)
        self._listener.change()

    def _obey(self, message: WorkerMessage, turn_before_at: float) -> None:
        for event in worker_events(message, turn_before_at, self._now):
            self._happened(event)
        match message:
            case Hello():
                self._listener.greet(self._greeting())
                self._told = None
            case Confirm(at, displaced=displaced):
                self._redis_at = max(self._redis_at, at)
                self._standing.renewed(displaced=displaced)
                self._look_at_standing()
            case Shutdown():
                self._shutdown = True
            case Manners(rules):
                self._guest.set_rules(parse_rules(rules))

    def _greeting(self) -> Greeting:
        held = tuple(attempt.held() for attempt in self._state.held)
        return Greeting(pid=os.getpid(), attempts=held, **self._identity)

    def _tell_contact(self) -> None:
        paused = self._state.fenced > 0
        error = self._beats.error(self._now.at)
        if self._now.at < self._contact_at and self._told == (paused, bool(error)):
            return
        self._told = (paused, bool(error))
        self._contact_at = self._now.at + self._options.timings.beat_s
        silent_s = self._now.at - self._redis_at, self._now.at - self._beat_at
        self._listener.tell(ContactNews(*silent_s, paused, error, self._beats.wrong_root))
