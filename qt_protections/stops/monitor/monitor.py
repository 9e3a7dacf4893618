"""The guard's threads: they act between the bot's loops, and each is heard of when it ends."""

import logging
import sys
from dataclasses import dataclass
from functools import partial
from time import monotonic

from qt_protections.errors import withhold_secrets
from qt_protections.rules.stop_plan import covered
from qt_protections.stops.monitor.bot_loop import BotLoop
from qt_protections.stops.monitor.event_stream import MakeStream
from qt_protections.stops.monitor.hearing import Hearing, Stream
from qt_protections.stops.monitor.keep_alive import CONNECTIONS, KeepAlive
from qt_protections.stops.monitor.look_schedule import TICK_S, LookSchedule
from qt_protections.stops.monitor.stream_proof import StreamProof
from qt_protections.stops.monitor.watch import StopWatch
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.threads.lanes import Act, Lanes
from qt_protections.stops.threads.memory import give_back_memory
from qt_protections.stops.threads.supervised import Supervised, ThreadState, Trouble
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.protocol import RequestError

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds a busy thread may keep the interpreter while another waits for it. An event passes two
#: threads on its way to a stop; at Python's own 5 ms each, that is round trips while candles are
#: analysed.
_SWITCH_S = 0.0005
#: Seconds without a loop of the bot's from which the watch asks for prices: else the loop does.
_PRICELESS_S = 10.0
#: Pairs that may wait for the exchange's answers before another has to.
_THREADS = 8
_ALL_PAIRS = ""
#: Seconds from one look at the whole account to the next at the least, however often the stream
#: comes back: meanwhile each pair is asked for.
_WHOLE_LOOK_S = 30.0
#: Seconds between two lines in the log about an exchange that cannot be reached.
_COMPLAIN_EVERY_S = 10.0
_END_S = 5.0
#: The last words on a conditional order.
_ENDED = frozenset({"CANCELED", "EXPIRED", "REJECTED", "TRIGGERED", "FINISHED"})
#: Seconds from one time memory is given back to the next.
_TRIM_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Health:
    """How the guard's threads and the user data stream do.

    Attributes:
        threads: Every thread of the guard.
        stream: The state of the user data stream.
        stream_s: Seconds the stream has been in that state.
        looked_s: Seconds since the last comparison, of the protected pair that waits longest; None
            if nothing has to be protected.
    """

    threads: tuple[ThreadState, ...]
    stream: Stream
    stream_s: float
    looked_s: float | None


class Monitor:
    """Hands each event of the user data stream to the watch, and ticks in between.

    A tick reaches every pair that has something to protect. What the stream may not tell is asked
    for where nobody has compared lately, as `LookSchedule` says.
    """

    def __init__(
        self,
        make_stream: MakeStream,
        watch: StopWatch,
        hearing: Hearing | None = None,
        proof: StreamProof | None = None,
        loop: BotLoop | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            make_stream: Makes the exchange's user data stream.
            watch: Acts on what is heard, and asks.
            hearing: Takes in how the stream does; made from `proof` if None.
            proof: Says whether an event of the guard's own orders is missing.
            loop: What is known of the bot's loop.
        """
        self._watch = watch
        self._proof = StreamProof() if proof is None else proof
        self._hearing = Hearing(self._proof) if hearing is None else hearing
        self._loop = BotLoop() if loop is None else loop
        self._stream = make_stream(self._heard, self._turned)
        self._lanes = Lanes(_THREADS)
        self._thread = Supervised("qt-monitor", self._run)
        self._schedule = LookSchedule(watch.book, self._hearing, self._loop)
        self._keep_alive = KeepAlive()
        self._is_started = self._is_stopped = False
        self._complain_at = self._trim_at = 0.0
        self._began = monotonic()
        self._lag = Trouble("User data stream")

    def start(self) -> None:
        """Listen and tick from now on; the book has to know what is to be covered.

        A second call does nothing, and neither does a call after `stop`.
        """
        if self._is_started or self._is_stopped:
            return
        self._is_started = True
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_S))
        self._thread.start()
        self._stream.start()

    def stop(self) -> None:
        """End the threads, after what they are doing."""
        self._is_stopped = True
        self._hearing.ended()
        self._stream.stop()
        self._thread.end()
        self._thread.join(_END_S)
        self._lanes.close()

    def loop_came(self) -> None:
        """Note that the bot's loop has come round, and check the threads from there."""
        self._loop.came()
        self._check_threads()

    @property
    def health(self) -> Health:
        """How the threads and the stream do now."""
        return Health(
            threads=tuple(thread.state for thread in self._threads),
            stream=self._hearing.state,
            stream_s=self._hearing.state_s,
            looked_s=self._schedule.longest_unlooked(self._began),
        )

    @property
    def _threads(self) -> tuple[Supervised, ...]:
        return (self._thread, self._stream.thread, *self._lanes.threads)

    # What the stream's thread calls: nothing here may wait

    def _heard(self, event: OrderEvent) -> None:
        if event.conditional:
            self._proof.heard(event.order_id, ended=event.status in _ENDED)
        if not self._lanes.put(event.pair, partial(self._act_on, event)):
            self._hearing.missed()

    def _turned(self, is_up: bool) -> None:
        if is_up:
            self._hearing.opened()
            if monotonic() - self._watch.looked >= _WHOLE_LOOK_S:
                self._lanes.put_if_idle(_ALL_PAIRS, partial(self._reach, self._watch.catch_up))
        else:
            self._hearing.lost()

    # What the monitor's own thread does

    def _run(self, thread: Supervised) -> None:
        while not thread.wait(TICK_S):
            thread.beat()
            self._tick()

    def _tick(self) -> None:
        """Have each pair looked after in a lane of its own: no pair holds up another."""
        schedule = self._schedule
        self._check_threads()
        self._loop.check(is_needed=bool(schedule.protecting))
        self._check_stream()
        schedule.count_waiting()
        if self._watch.may_compare and schedule.is_whole_due(self._watch.looked):
            self._lanes.put_if_idle(_ALL_PAIRS, partial(self._reach, self._watch.look))
        turn = schedule.turn()
        for held in self._watch.book:
            if held.is_empty:
                schedule.protecting.discard(held.pair)
            else:
                look_after = partial(self._look_after, held, is_turn=held.pair == turn)
                self._lanes.put_if_idle(held.pair, look_after)
        self._keep_connections_open()
        if monotonic() >= self._trim_at:
            self._trim_at = monotonic() + _TRIM_EVERY_S
            give_back_memory()

    def _check_threads(self) -> None:
        for thread in self._threads:
            thread.check()

    def _check_stream(self) -> None:
        if (order_id := self._proof.overdue(monotonic())) is not None:
            self._stream.renew(f"it did not tell of stop {order_id} in time")
        lag_s = self._lanes.lag_s()
        self._hearing.review(is_open=self._stream.up, lag_s=lag_s)
        self._lag.note(
            f"is not kept up with: its oldest event has waited for {lag_s:.0f} s. Orders are "
            "polled meanwhile"
            if self._hearing.state is Stream.LATE
            else None
        )

    def _keep_connections_open(self) -> None:
        if not self._watch.shut:
            is_waiting, is_protecting = self._schedule.waiting > 0, bool(self._schedule.protecting)
            self._use(*self._keep_alive.due(is_waiting=is_waiting, is_protecting=is_protecting))

    def warm_up(self) -> None:
        """Open connections, for a stop that is about to be sent; nothing is waited for."""
        self._use(CONNECTIONS, idle_s=0.0)  # one alone may be busy when the stop goes out

    def _use(self, connections: tuple[str, ...], idle_s: float) -> None:
        for lane in connections:
            self._lanes.put_if_idle(lane, partial(self._watch.ping, idle_s))

    # What is done in the lanes

    def _act_on(self, event: OrderEvent) -> None:
        is_done = False
        try:
            is_done = self._reach(partial(self._watch.heard, event))
        finally:
            if not is_done:
                self._schedule.missed(event.pair)

    def _look_after(self, held: PairState, *, is_turn: bool) -> None:
        if not held.lock.acquire(blocking=False):
            return  # somebody is at it
        try:
            if not self._schedule.protects(held):
                return
            is_shut = self._watch.shut
            if not is_shut or _is_bare(held):
                self._reach(partial(self._watch.check_doubts, held))
            may_look = not is_shut and self._watch.may_compare
            if may_look and self._schedule.is_due(held, is_turn=is_turn):
                self._ask(held)
        finally:
            held.lock.release()

    def _ask(self, held: PairState) -> None:
        """Ask for what a pair's events would have told; each service is asked, whichever fails."""
        began = self._schedule.begin(held.pair)
        roads = [self._watch.ask_for_entries, self._watch.look_at]
        if self._loop.missing_s >= _PRICELESS_S:
            roads.append(self._watch.triggers.ask)
        if all([self._reach(partial(road, held)) for road in roads]):
            self._schedule.answered(held.pair, began)

    def _reach(self, act: Act) -> bool:
        """Do something with the exchange; return whether the exchange answered.

        Without an answer the next tick asks again.
        """
        try:
            act()
        except RequestError as error:
            if monotonic() >= self._complain_at:
                self._complain_at = monotonic() + _COMPLAIN_EVERY_S
                logger.warning("The watch could not reach the exchange: %s", error)
            return False
        return True


def _is_bare(held: PairState) -> bool:
    """Whether a pair lacks cover, or may lack cover; whoever asks holds the pair's lock."""
    if held.is_in_doubt:
        return True
    return held.required_stop is not None and not covered(held.required_stop, held.standing)
