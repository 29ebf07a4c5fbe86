"""The pump: hands each arrival to an idle lane at the instant at which the schedule meant it.

Not aware of HTTP or of what a lane does with an arrival. Open loop: idle lanes park in the hub; a
timerfd that the hub watches fires when the next arrival is due, and the pump switches straight to a
lane. If none is idle the arrival waits in the backlog, and its latency says so, since latency counts
from its due time. Closed loop: each lane takes its next request when the last is answered, as many
lanes at once as the shape allows.

Danger: ``_on_timer`` and ``_sweep`` run in the hub; a lane that they switch to comes back by
``hub.switch()``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import gevent
from gevent.event import Event
from gevent.hub import get_hub

from mmload.drive.arrivals import NEVER, Arrivals, Conversations
from mmload.drive.clock import Clock
from mmload.drive.connection import TimedOut
from mmload.drive.endpoint import Endpoint
from mmload.drive.outbox import Outbox, not_sent
from mmload.drive.standby import Standby
from mmload.drive.timerfd import TimerFd
from mmload.model import NS_PER_MS, NS_PER_S, Arrival, ErrorKind, PhasePlan
from mmload.schedule import Schedule

_CLOSED_CHUNK: Final = 256
"""Requests of a closed-loop phase that are prepared together."""
_BURST: Final = 64
"""Arrivals handed out in one callback before received bytes get their turn."""
_SWEEP_S: Final = 0.05
_STOOD_STILL_NS: Final = 150 * NS_PER_MS
_TICK_NS: Final = 20 * NS_PER_MS
"""How often a closed-loop phase looks whether its shape allows more lanes."""
_HEARTBEAT_NS: Final = 100 * NS_PER_MS
_DOZE_NS: Final = NS_PER_MS // 2
_EARLY_NS: Final = NS_PER_MS // 5
"""A core with nothing to do for ``_DOZE_NS`` falls asleep, and then wakes up 0.1 to 0.2 ms late: it is called
that much earlier, at most ``_EARLY_NS``, and counts the rest of the time itself."""
_CATCH_UP_NS: Final = NS_PER_S
"""Who was stopped, or starved of its core, for minutes must not come down on the target with all that fell
due meanwhile: as much of the plan as falls due in this time is sent late, what is older is not sent."""
_arrival: Final[Callable[[tuple[Any, ...]], Arrival]] = partial(tuple.__new__, Arrival)
"""Without a frame of Python, which would cost more than the tuple."""
_CUT: Final = (ErrorKind.SESSION_CUT, "the drain time ended before its session had come so far")


class Traffic:
    """What one worker sends in a run."""

    def __init__(
        self,
        schedule: Schedule,
        index: int,
        count: int,
        users_at: Sequence[Callable[[float], int] | None],
        think_s: Sequence[float],
        endpoint: Endpoint,
        outbox: Outbox,
        clock: Clock,
        drain_ns: int,
        go_on: bool = False,
    ) -> None:
        """``users_at`` and ``think_s`` by phase; ``users_at`` is ``None`` for an open loop. ``go_on``: a
        session goes on after a turn that failed."""
        self.schedule = schedule
        self.index = index
        self.count = count
        self.endpoint = endpoint
        self.outbox = outbox
        self.clock = clock
        self.t0_ns = 0
        self.closing = False
        self.sampling: Callable[[Arrival, int, str], tuple[float, bool]] | None = None
        """(arrival, its latency, finish reason) to the probability of being scored, and whether it is; where
        there is none, what the schedule drew stands, whatever became of the request."""
        self.in_flight: set[Any] = set()
        self.finished = Event()
        self.sent = 0
        self.bytes_sent = 0
        self.worst_lag_ns = 0
        """Worst lateness of a wake-up since it was last read."""
        self.standby = Standby(endpoint, clock)
        self.end_ns = max((p.end_ns for p in schedule.phases), default=0)
        self._drain_ns = drain_ns
        self._rank, self._sharing = index, count
        self._users_at = users_at
        self._think_s = think_s
        mine, turns = schedule.stripe(index, count), schedule.turns
        self.sessions = None if turns is None else Conversations(mine, turns)
        """Only where requests come in sessions of several turns."""
        self._arrivals = self.sessions or Arrivals(mine)
        self._go_on = go_on
        self._no_more: tuple[ErrorKind, str] | None = None
        """Why turns that are not due yet will not be sent, once that is so."""
        self._closed_phases = [p for p in schedule.phases if not p.open_loop]
        self._closed: PhasePlan | None = None
        self._closed_active = 0
        self._closed_lanes = 0
        """Lanes that the shape allows, as of the last look."""
        self._closed_ready: list[tuple[int, int, float, bool]] = []
        self._closed_sent: dict[int, int] = {}
        self._idle: list[Any] = []
        self._backlog: deque[Arrival] = deque()
        self._hub = get_hub()
        self._timer = TimerFd()
        self._watcher = self._hub.loop.io(self._timer.fd, 1, priority=2)
        self._armed_ns = 0
        self._dozing = False
        self._early_ns = 0
        """How much earlier than its arrival a long wait ends: most wake-ups are less late than this."""
        self._sweeper = self._hub.loop.timer(_SWEEP_S, _SWEEP_S)
        self._swept_ns = 0
        """When deadlines were looked at last; 0 if they were left for the next time."""

    # --- life -----------------------------------------------------------------------------------

    def start(self, t0_ns: int) -> None:
        """The schedule's zero is at ``t0_ns`` of the monotonic clock."""
        self.t0_ns = t0_ns
        self._watcher.start(self._on_timer)
        self._sweeper.start(self._sweep)
        self._rearm(time.monotonic_ns())

    def stop(self, kind: ErrorKind, detail: str, grace_s: float) -> None:
        """Send nothing more; what is in flight has ``grace_s`` to end."""
        if self.closing:
            return
        self.closing = True
        self._no_more = (kind, detail)
        self._give_up(kind, detail)
        self._closed = None
        now = time.monotonic_ns() - self.t0_ns
        self.end_ns = min(self.end_ns, now)
        self._drain_ns = min(self._drain_ns, int(grace_s * NS_PER_S))
        self._rearm(time.monotonic_ns())

    def take_over(self, schedule: Schedule, rank: int, sharing: int) -> None:
        """Add a lost worker's share of arrivals; this is now number ``rank`` of ``sharing`` workers."""
        self._rank, self._sharing = rank, sharing
        if not self.closing:
            self._arrivals.merge(schedule)
            self._rearm(time.monotonic_ns())

    @property
    def backlog(self) -> int:
        return len(self._backlog)

    # --- for lanes ------------------------------------------------------------------------------

    def take(self) -> Arrival:
        """The next arrival for the calling lane; parks it until there is one."""
        if self._backlog:
            return self._backlog.popleft()
        now = time.monotonic_ns() - self.t0_ns
        if self._arrivals.due_ns <= now and self.t0_ns:
            # Many answers may have come at once: what fell due meanwhile need not wait for the pump.
            self._pass_over(now)
            if self._arrivals.due_ns <= now:
                return self._arrivals.pop()
        if self._closed is not None and (arrival := self._closed_arrival(self._closed, now)) is not None:
            return arrival
        me = gevent.getcurrent()
        self._idle.append(me)
        try:
            given: Arrival = self._hub.switch()
        except BaseException:
            if me in self._idle:
                self._idle.remove(me)
            raise
        return given

    def done(self, arrival: Arrival, pause: bool) -> None:
        """The calling lane is through with ``arrival``; a user of a closed loop thinks before its next."""
        self.sent += 1
        self.bytes_sent += self.endpoint.length[arrival.item]
        if self._users_at[arrival.phase] is None:
            return
        try:
            if pause and not self.closing and (think := self._think_s[arrival.phase]):
                gevent.sleep(think)
        finally:
            self._closed_active -= 1

    # --- sessions -------------------------------------------------------------------------------

    def ended(self, sessions: Conversations, arrival: Arrival, end_ns: int, error: str) -> None:
        """A turn has ended: the next of its session comes due, or none of them does."""
        turn = sessions.later(arrival, end_ns)
        if turn is None:
            return
        if self._no_more is None and (not error or self._go_on):
            sessions.add(turn)
            if turn.due_ns + self.t0_ns < self._armed_ns:
                self._rearm(time.monotonic_ns())
            return
        kind, detail = self._no_more or _turn_before(error)
        for left in sessions.rest(arrival._replace(due_ns=end_ns)):
            self._not_sent(left, kind, detail)

    # --- closed loop ----------------------------------------------------------------------------

    def _allowed(self, phase: PhasePlan, now_ns: int) -> int:
        """This worker's share of the lanes that the shape allows at this instant."""
        users_at = self._users_at[phase.number]
        assert users_at is not None
        users = users_at((now_ns - phase.start_ns) / NS_PER_S)
        return users // self._sharing + (self._rank < users % self._sharing)

    def _closed_arrival(self, phase: PhasePlan, now: int) -> Arrival | None:
        if now >= phase.end_ns or self._closed_active >= self._closed_lanes:
            return None
        self._closed_active += 1
        if not self._closed_ready:
            self._prepare_closed(phase)
        seq, item, pi, sampled = self._closed_ready.pop()
        return _arrival((seq, now, phase.number, item, pi, sampled, None))

    def _prepare_closed(self, phase: PhasePlan) -> None:
        done = self._closed_sent.get(phase.number, 0)
        self._closed_sent[phase.number] = done + _CLOSED_CHUNK
        first = done * self.count + self.index
        self._closed_ready = self.schedule.closed_requests(phase.number, first, self.count, _CLOSED_CHUNK)
        self._closed_ready.reverse()

    def _tend_closed(self, now: int) -> int:
        """Open and close closed-loop phases, wake lanes that the shape allows; when to look again."""
        look = NEVER
        before, self._closed = self._closed, None
        for phase in self._closed_phases:
            if now < phase.start_ns:
                look = min(look, phase.start_ns)
            elif now < phase.end_ns:
                self._closed = phase
                if phase is not before:
                    self._closed_ready = []
                self._closed_lanes = self._allowed(phase, now)
                look = min(look, now + _TICK_NS, phase.end_ns)
        while self._closed and self._idle:
            arrival = self._closed_arrival(self._closed, time.monotonic_ns() - self.t0_ns)
            if arrival is None:
                break
            self._idle.pop().switch(arrival)
        return look

    # --- in the hub -----------------------------------------------------------------------------

    def _rearm(self, now_ns: int, look_ns: int = 0) -> None:
        due_ns = self.t0_ns + self._arrivals.due_ns
        self._dozing = due_ns - now_ns > _DOZE_NS
        if self._dozing:
            due_ns -= self._early_ns
        at = min(due_ns, self.t0_ns + (look_ns or NEVER), now_ns + _HEARTBEAT_NS)
        self._armed_ns = at
        self._timer.arm(at)

    def _on_timer(self) -> None:
        now_ns = time.monotonic_ns()
        if now_ns - self._armed_ns > self.worst_lag_ns:
            self.worst_lag_ns = now_ns - self._armed_ns
        arrivals, idle, t0 = self._arrivals, self._idle, self.t0_ns
        if self._dozing and now_ns + self._early_ns >= t0 + arrivals.due_ns:
            now_ns = self._await(t0 + arrivals.due_ns, now_ns)
        now = now_ns - t0
        if self.sessions is not None and now >= self.end_ns + self._drain_ns:
            self._settle(now)  # before what came due meanwhile is sent
        self._pass_over(now)
        for _ in range(_BURST):
            if arrivals.due_ns > now:
                now = time.monotonic_ns() - t0
                self._pass_over(now)  # it may have stood still in a lane that it switched to
                if arrivals.due_ns > now:
                    break
            arrival = arrivals.pop()
            if idle:
                idle.pop().switch(arrival)
            else:
                self._backlog.append(arrival)
        look = self._tend_closed(now) if self._closed_phases and not self.closing else 0
        now_ns = time.monotonic_ns()
        self._rearm(now_ns, look)
        if now_ns - t0 >= self.end_ns:
            self._settle(now_ns - t0)

    def _await(self, due_ns: int, now_ns: int) -> int:
        """The instant at which an arrival is due, or later; learns how early to be called for the next."""
        late_ns = min(now_ns - due_ns, _EARLY_NS)
        self._early_ns = min(self._early_ns + late_ns // (8 if late_ns > 0 else 32), _EARLY_NS)
        while now_ns < due_ns:
            now_ns = time.monotonic_ns()
        return now_ns

    def _pass_over(self, now: int) -> None:
        """Send nothing of what fell due while this generator stood still, but for the last of it."""
        arrivals = self._arrivals
        while arrivals.due_ns < now - _CATCH_UP_NS:
            arrival = arrivals.pop()
            late_s = (now - arrival.due_ns) / NS_PER_S
            self._not_sent(
                arrival,
                ErrorKind.SCHEDULE_DROP,
                f"the generator stood still: {late_s:.1f} s after it was due",
            )
            for turn in self.sessions.rest(arrival) if self.sessions is not None else ():
                self._not_sent(turn, *_turn_before(ErrorKind.SCHEDULE_DROP))

    def _settle(self, now: int) -> None:
        """After the last phase: finished once nothing is in flight, or the drain time is over."""
        if self.finished.is_set():
            return
        out_of_time = now >= self.end_ns + self._drain_ns
        if out_of_time:
            if self.sessions is not None and self._no_more is None:
                # No turn begins any more; what is in flight of sessions has the drain time anew.
                self._no_more, self.end_ns, out_of_time = _CUT, now, False
            self._give_up(ErrorKind.SCHEDULE_DROP, "no lane came free before the drain ended")
        if out_of_time:
            for lane in tuple(self.in_flight):
                lane.greenlet.throw(TimedOut(ErrorKind.LOCAL_CANCELLED))
        if not self.in_flight and not self._backlog and self._arrivals.due_ns == NEVER:
            self.finished.set()

    def _sweep(self) -> None:
        """Throw the timeout into each lane whose deadline has passed."""
        now = time.monotonic_ns()
        stood_still = self._swept_ns and now - self._swept_ns > _STOOD_STILL_NS
        self._swept_ns = 0 if stood_still else now
        if stood_still:
            return  # timers come before sockets: what has arrived meanwhile is read first
        for lane in tuple(self.in_flight):
            connection = lane.connection
            if connection is not None and connection.deadline_ns and now >= connection.deadline_ns:
                connection.deadline_ns = 0
                lane.greenlet.throw(TimedOut(connection.deadline_kind))

    def _give_up(self, kind: ErrorKind, detail: str) -> None:
        """Send nothing of what waits for a lane, for this reason; nor what is left or would come due."""
        later = self._no_more or (kind, detail)
        waiting = [(arrival, (kind, detail)) for arrival in self._backlog]
        self._backlog.clear()
        for arrival, reason in [*waiting, *((left, later) for left in self._arrivals.remaining())]:
            self._not_sent(arrival, *reason)
            for turn in self.sessions.rest(arrival) if self.sessions is not None else ():
                self._not_sent(turn, *later)

    def _not_sent(self, arrival: Arrival, kind: ErrorKind, detail: str) -> None:
        self.outbox.add(not_sent(arrival, self.index, self.endpoint.length[arrival.item], kind, detail), None)


def _turn_before(error: str) -> tuple[ErrorKind, str]:
    """Why a turn will not be sent after one that ended as ``error``."""
    return ErrorKind.SESSION_ENDED, f"a turn before it ended as {error}"
