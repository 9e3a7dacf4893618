"""What acts between the bot's loops, for as long as the bot runs, and watches over its threads."""

import logging
import sys
from dataclasses import dataclass
from functools import partial
from math import inf
from time import monotonic

from freqtrade.exchange import Exchange

from qt_protections.errors import withhold_secrets
from qt_protections.rules.look_interval import FRESH_S, LONGEST_S, look_every_s, looks_at_all
from qt_protections.rules.stop_plan import covered
from qt_protections.stops.monitor.hearing import Hearing, Stream
from qt_protections.stops.monitor.stream_proof import StreamProof
from qt_protections.stops.monitor.watch import StopWatch
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.threads.lanes import Act, Lanes
from qt_protections.stops.threads.memory import give_back_memory
from qt_protections.stops.threads.supervised import Supervised, ThreadState, Trouble
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.binance.user_stream import UserStream
from qt_protections.stops.venue.protocol import RequestError

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds a busy thread may keep the interpreter while another waits for it. An event passes two
#: threads on its way to a stop; at Python's own 5 ms each, that is round trips while candles are
#: analysed.
_SWITCH_S = 0.0005
#: Seconds between two ticks.
TICK_S = 1.0
#: Seconds without a loop of the bot's after which that is said. Candles of many pairs take a while.
LOOP_S = 60.0
#: Seconds without a loop of the bot's from which the watch asks for prices: else the loop does.
_PRICELESS_S = 10.0
#: Pairs that may wait for the exchange's answers before another has to.
_THREADS = 8
_ALL_PAIRS = ""
#: Connections that are kept open, and seconds between two uses, while a stop has to follow the fill
#: of an entry: to open one takes two round trips more, and with several pairs at work at once it
#: would be the stop that has to. Servers close what is idle for 5 s and more.
_OPEN_LINES = ("open line 1", "open line 2", "open line 3")
_USED_EVERY_S = 4.0
#: The same where nothing is held and nothing waits: the clock is read that way now and then.
_IDLE_S = 300.0
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
    """How the watch does.

    Attributes:
        threads: Each of them.
        stream: How the user data stream does.
        stream_s: Seconds it has been so.
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
    for where nobody has compared lately. A single event may be lost though the stream speaks, and
    the desk answers Freqtrade's own questions: so looks are as frequent as these would be.
    """

    def __init__(
        self,
        exchange: Exchange,
        watch: StopWatch,
        hearing: Hearing | None = None,
        proof: StreamProof | None = None,
        loop_s: float = LOOP_S,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            exchange: The bot's.
            watch: Acts on what is heard, and asks.
            hearing: Takes in how the stream does; made from `proof` if None.
            proof: Says whether an event of the guard's own orders is missing.
            loop_s: Seconds without a loop of the bot's after which that is said.
        """
        self._watch = watch
        self._proof = StreamProof() if proof is None else proof
        self._hearing = Hearing(self._proof) if hearing is None else hearing
        self._stream = UserStream(exchange, self._heard, self._turned)
        self._lanes = Lanes(_THREADS)
        self._thread = Supervised("qt-monitor", self._run)
        self._is_started = self._is_stopped = False
        self._loop_s = loop_s
        self._ping_at = self._complain_at = self._trim_at = 0.0
        self._looked = -inf
        self._began = self._loop_at = monotonic()
        self._loop_every_s = LONGEST_S
        self._lag, self._loop = Trouble("User data stream"), Trouble("The bot's loop")
        #: Pairs with something to protect, as of their last tick.
        self._protecting: set[str] = set()
        #: Entries whose stop has to follow their fill, likewise: each is asked for with its pair.
        self._waiting = 0
        #: By pair, when everything that may not have been heard was last asked for: in vain, too.
        self._tried: dict[str, float] = {}
        self._asked: dict[str, float] = {}

    def start(self) -> None:
        """Listen and tick, once the book knows what has to be covered; more than once is no error.

        What was stopped stays so.
        """
        if self._is_started or self._is_stopped:
            return
        self._is_started = True
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_S))
        self._thread.start()
        self._stream.start()

    def stop(self) -> None:
        """End, after what is being done."""
        self._is_stopped = True
        self._hearing.ended()
        self._stream.stop()
        self._thread.end()
        self._thread.join(_END_S)
        self._lanes.close()

    def loop_came(self) -> None:
        """Note that the bot's loop has come round, and check the threads from there."""
        now = monotonic()
        self._loop_every_s, self._loop_at = now - self._loop_at, now
        self._check_threads()

    @property
    def health(self) -> Health:
        """How the watch does now."""
        now = monotonic()
        looked = [self._watch.book.of(pair).looked for pair in self._protecting.copy()]
        return Health(
            threads=tuple(thread.state for thread in self._threads),
            stream=self._hearing.state,
            stream_s=self._hearing.state_s,
            looked_s=now - max(min(looked), self._began) if looked else None,
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
        """Have each pair looked after, in its lane: one that waits or fails holds up no other."""
        self._check_threads()
        self._check_loop()
        self._check_stream()
        waiting = [pending for held in self._watch.book for pending in held.pending_entries]
        self._waiting = sum(not pending.stop_first for pending in waiting)
        self._look_at_all()
        turn = self._whose_turn()
        for held in self._watch.book:
            if held.is_empty:
                self._protecting.discard(held.pair)
            else:
                look_after = partial(self._look_after, held, is_turn=held.pair == turn)
                self._lanes.put_if_idle(held.pair, look_after)
        self._keep_lines_open()
        if monotonic() >= self._trim_at:
            self._trim_at = monotonic() + _TRIM_EVERY_S
            give_back_memory()

    def _check_threads(self) -> None:
        for thread in self._threads:
            thread.check()

    def _check_loop(self) -> None:
        missing_s = monotonic() - self._loop_at
        self._loop.note(
            f"has not come round for {missing_s:.0f} s: the bot is stopped, or it hangs. Stops are "
            "looked after meanwhile, exits are not"
            if missing_s > self._loop_s and self._protecting
            else None
        )

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

    def _look_at_all(self) -> None:
        """Look at the whole account where that costs less than to look at each pair."""
        pays = looks_at_all(len(self._protecting)) and self._watch.may_compare
        if pays and self._since(self._watch.looked) >= self._every_s() - TICK_S / 2:
            self._lanes.put_if_idle(_ALL_PAIRS, partial(self._reach, self._watch.look))

    def _whose_turn(self) -> str | None:
        """Return the pair that waits longest for a look, if it is time for one more.

        Pairs take turns, so that none of them has to wait until all are due at once: single looks
        keep the connection open as well.
        """
        pairs = self._protecting.copy()
        if not pairs or looks_at_all(len(pairs)):
            return None
        if self._since(self._looked) < self._every_s() / len(pairs) - TICK_S / 2:
            return None
        return min(pairs, key=lambda pair: self._last_look(self._watch.book.of(pair)))

    def _keep_lines_open(self) -> None:
        """Keep several connections for what follows a fill, one for what is held, none for nothing.

        What is asked for the pairs that are held keeps one open as well.
        """
        if self._watch.shut:
            return
        if self._waiting:
            if monotonic() >= self._ping_at:
                self._ping_at = monotonic() + _USED_EVERY_S
                for lane in _OPEN_LINES:  # all at once, or one connection would do for them
                    self._open_line(lane, idle_s=0.0)
        else:
            self._open_line(_OPEN_LINES[0], _USED_EVERY_S if self._protecting else _IDLE_S)

    def warm_up(self) -> None:
        """Open connections, for a stop that is about to be sent; nothing is waited for."""
        for lane in _OPEN_LINES:  # one alone may be busy when the stop goes out
            self._open_line(lane, idle_s=0.0)

    def _open_line(self, lane: str, idle_s: float) -> None:
        self._lanes.put_if_idle(lane, partial(self._watch.ping, idle_s))

    # What is done in the lanes

    def _act_on(self, event: OrderEvent) -> None:
        is_done = False
        try:
            is_done = self._reach(partial(self._watch.heard, event))
        finally:
            if not is_done:
                self._asked.pop(event.pair, None)  # the next tick asks what this event told

    def _look_after(self, held: PairState, *, is_turn: bool) -> None:
        if not held.lock.acquire(blocking=False):
            return  # somebody is at it
        try:
            if not self._protects(held):
                return
            is_shut = self._watch.shut
            if not is_shut or _is_bare(held):
                self._reach(partial(self._watch.check_doubts, held))
            if not is_shut and self._is_to_ask(held, is_turn=is_turn):
                self._ask(held)
        finally:
            held.lock.release()

    def _protects(self, held: PairState) -> bool:
        """Whether there is something to look after; whoever asks holds the pair's lock."""
        # A position without a trade may be covered by somebody's own stop, and that can end.
        some = (held.stops, held.trailing_stops, held.pending_entries, held.external_position)
        if held.required_stop is not None or any(some):
            self._protecting.add(held.pair)
            return True
        self._protecting.discard(held.pair)
        return False

    def _is_to_ask(self, held: PairState, *, is_turn: bool) -> bool:
        """Whether something of a pair may have happened unheard, or nobody has compared lately."""
        if not self._watch.may_compare:
            return False
        is_heard = self._hearing.state is Stream.UP
        if is_heard and self._asked.get(held.pair, -inf) < self._hearing.whole_since:
            return True
        pause_s = self._every_s(is_fresh=self._since(held.changed) < FRESH_S)
        if looks_at_all(len(self._protecting)):
            pause_s *= 2.0  # should the look at all of them have failed
        # A tick that comes early counts as due.
        return is_turn or self._since(self._last_look(held)) >= pause_s - TICK_S / 2

    def _every_s(self, *, is_fresh: bool = False) -> float:
        """Return the seconds from one look at a pair to the next."""
        return look_every_s(
            len(self._protecting) + self._waiting,
            is_heard=self._hearing.state is Stream.UP,
            loop_s=max(self._loop_every_s, self._since(self._loop_at)),
            is_fresh=is_fresh,
        )

    def _last_look(self, held: PairState) -> float:
        """Return when a pair was last looked at, in vain perhaps; monotonic seconds."""
        return max(held.looked, self._tried.get(held.pair, -inf))

    @staticmethod
    def _since(moment: float) -> float:
        return monotonic() - moment

    def _ask(self, held: PairState) -> None:
        """Ask for what a pair's events would have told; one road's failure stops not the other."""
        began = self._looked = self._tried[held.pair] = monotonic()
        roads = [self._watch.ask_for_entries, self._watch.look_at]
        if began - self._loop_at >= _PRICELESS_S:
            roads.append(self._watch.triggers.ask)
        if all([self._reach(partial(road, held)) for road in roads]):
            self._asked[held.pair] = began

    def _reach(self, act: Act) -> bool:
        """Do something with the exchange; if that does not answer, the next tick asks again."""
        try:
            act()
        except RequestError as error:
            if monotonic() >= self._complain_at:
                self._complain_at = monotonic() + _COMPLAIN_EVERY_S
                logger.warning("The watch could not reach the exchange: %s", error)
            return False
        return True


def _is_bare(held: PairState) -> bool:
    """Whether a pair lacks cover, or that is not certain; whoever asks holds the pair's lock."""
    if held.is_in_doubt:
        return True
    return held.required_stop is not None and not covered(held.required_stop, held.standing)
