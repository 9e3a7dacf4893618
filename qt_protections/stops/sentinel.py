"""The threads that act between the bot's loops, for as long as the bot runs."""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from freqtrade.exchange import Exchange

from qt_protections.stops.book import Held
from qt_protections.stops.line import LineError
from qt_protections.stops.order_events import OrderEvent
from qt_protections.stops.user_stream import UserStream
from qt_protections.stops.watch import Watch

logger = logging.getLogger(__name__)

#: Seconds between two looks while nothing happens.
TICK_S = 1.0
#: A pair whose exchange answer is late must not keep another waiting.
_WORKERS = 4


class Sentinel:
    """Hands each event of the user data stream to the watch, and ticks in between."""

    def __init__(self, exchange: Exchange, watch: Watch) -> None:
        """Prepare; nothing runs before `start`."""
        self._watch = watch
        self._events: queue.SimpleQueue[OrderEvent | bool | None] = queue.SimpleQueue()
        self._stream = UserStream(exchange, self._events.put, self._events.put)
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="qt-watch")
        self._thread = threading.Thread(target=self._run, name="qt-sentinel", daemon=True)

    def start(self) -> None:
        """Listen and tick; once the book knows what has to be covered."""
        if not self._thread.is_alive():
            self._thread.start()
            self._stream.start()

    def stop(self) -> None:
        """End, after what is being done."""
        if self._thread.is_alive():
            self._stream.stop()
            self._events.put(None)
            self._thread.join()
        self._pool.shutdown()

    def _run(self) -> None:
        while True:
            try:
                item = self._events.get(timeout=TICK_S)
            except queue.Empty:
                self._tick()
                continue
            if item is None:
                return
            if item is True:
                self._do(self._watch.catch_up)  # what happened before it was up
            elif isinstance(item, OrderEvent):
                self._do(partial(self._watch.heard, item))

    def _tick(self) -> None:
        for held in self._watch.book:
            if held.need is not None or held.stops or held.trails or held.intents:
                self._do(partial(self._tick_for, held))

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

    def _do(self, act: Callable[[], None]) -> None:
        self._pool.submit(self._safely, act)

    @staticmethod
    def _safely(act: Callable[[], None]) -> None:
        """Carry on whatever happens: the next tick and the next loop look again."""
        try:
            act()
        except LineError as error:
            logger.warning("The watch could not reach the exchange: %s", error)
        except Exception:
            logger.exception("[ALERT] The watch failed; the bot's loop looks again.")
