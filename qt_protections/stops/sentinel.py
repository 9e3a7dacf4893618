"""The threads that act between the bot's loops, for as long as the bot runs."""

import logging
import queue
import sys
import threading
from functools import partial
from time import monotonic

from freqtrade.exchange import Exchange

from qt_protections.errors import withhold_secrets
from qt_protections.stops.book import Held
from qt_protections.stops.lanes import Act, Lanes
from qt_protections.stops.line import LineError
from qt_protections.stops.order_events import OrderEvent
from qt_protections.stops.user_stream import UserStream
from qt_protections.stops.watch import Watch

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds a busy thread may keep the interpreter while another waits for it. An event passes four
#: threads on its way to a stop; at Python's own 5 ms each, that is round trips while candles are
#: analysed.
_SWITCH_S = 0.0005
#: Seconds between two looks.
TICK_S = 1.0
#: Pairs that may wait for the exchange's answers before another has to.
_THREADS = 8
_ALL_PAIRS = ""
#: Connections that are kept open, and seconds between two uses: to open one takes two round trips
#: more, and with several pairs at work at once it would be the stop that has to. Servers close what
#: is idle for 5 s and more.
_OPEN_LINES = ("open line 1", "open line 2", "open line 3")
_USED_EVERY_S = 4.0


class Sentinel:
    """Hands each event of the user data stream to the watch, and ticks in between."""

    def __init__(self, exchange: Exchange, watch: Watch) -> None:
        """Prepare; nothing runs before `start`."""
        self._watch = watch
        self._events: queue.SimpleQueue[OrderEvent | bool | None] = queue.SimpleQueue()
        self._stream = UserStream(exchange, self._events.put, self._events.put)
        self._lanes = Lanes(_THREADS)
        self._ping_at = 0.0
        self._thread = threading.Thread(target=self._run, name="qt-sentinel", daemon=True)

    def start(self) -> None:
        """Listen and tick; once the book knows what has to be covered."""
        if not self._thread.is_alive():
            sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_S))
            self._thread.start()
            self._stream.start()

    def stop(self) -> None:
        """End, after what is being done."""
        if self._thread.is_alive():
            self._stream.stop()
            self._events.put(None)
            self._thread.join()
        self._lanes.close()

    def _run(self) -> None:
        tick_at = monotonic() + TICK_S
        while True:
            if monotonic() >= tick_at:  # also while events come one upon the other
                tick_at = monotonic() + TICK_S
                self._tick()
            try:
                item = self._events.get(timeout=max(0.0, tick_at - monotonic()))
            except queue.Empty:
                continue
            if item is None:
                return
            if item is True:  # what happened before it was up was not heard
                self._lanes.put(_ALL_PAIRS, self._safely(self._watch.catch_up))
            elif isinstance(item, OrderEvent):
                self._lanes.put(item.pair, self._safely(partial(self._watch.heard, item)))

    def _tick(self) -> None:
        if self._watch.shut:
            return
        if monotonic() >= self._ping_at:
            self._ping_at = monotonic() + _USED_EVERY_S
            for lane in _OPEN_LINES:  # all at once, or one connection would do for them
                self._lanes.put_if_idle(lane, self._watch.ping)
        for held in self._watch.book:
            if held.need is not None or held.stops or held.trails or held.intents:
                self._lanes.put_if_idle(held.pair, self._safely(partial(self._tick_for, held)))

    def _tick_for(self, held: Held) -> None:
        if not held.lock.acquire(blocking=False):
            return  # somebody is at it
        try:
            self._watch.check_doubts(held)
            if not self._stream.up:
                self._watch.ask_for_entries(held)
                self._watch.look_at(held)
        finally:
            held.lock.release()

    @staticmethod
    def _safely(act: Act) -> Act:
        """Return the act, carrying on without an answer: the next tick and loop look again."""

        def carried_out() -> None:
            try:
                act()
            except LineError as error:
                logger.warning("The watch could not reach the exchange: %s", error)

        return carried_out
