"""Work on many pairs at once, and on each pair in order."""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from time import monotonic

from qt_protections.errors import withhold_secrets
from qt_protections.stops.threads.supervised import Supervised

logger = withhold_secrets(logging.getLogger(__name__))

Act = Callable[[], object]

#: Seconds an act may take. Requests give up after 1.5 s, but what is refused is tried again, and
#: Freqtrade holds a pair's lock while it asks the exchange.
HANGS_S = 30.0
#: Acts that may wait. A thousand events are far more than an account's orders have in a second.
MOST = 1000
#: Seconds after which a failure that comes back in its lane is said again.
_SAID_AGAIN_S = 60.0
#: Seconds that what is under way may take in the end, all together.
_END_S = 30.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    since: float
    act: Act


class Lanes:
    """A few threads, and a lane for each pair: one that waits holds up no other."""

    def __init__(
        self, threads: int, most: int = MOST, clock: Callable[[], float] = monotonic
    ) -> None:
        """Open; a thread starts when there is more work at once than threads.

        Args:
            threads: How many lanes are worked in at once, at most.
            most: How many acts may wait in all lanes together.
            clock: Monotonic, seconds.
        """
        self._threads = tuple(
            Supervised(f"qt-watch-{number}", self._work, hangs_s=HANGS_S, clock=clock)
            for number in range(1, threads + 1)
        )
        self._most = most
        self._clock = clock
        self._turns: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        #: What is under way comes first in its lane, until it is done.
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._count = 0
        self._lock = threading.Lock()
        self._started = 0
        self._is_closed = False
        self._said: dict[str, tuple[str, float]] = {}

    @property
    def threads(self) -> tuple[Supervised, ...]:
        """Who does the work, of those that were needed so far."""
        return self._threads[: self._started]

    def put(self, lane: str, act: Act) -> bool:
        """Do this after all that waits in the lane; return False if too much waits already."""
        with self._lock:
            if self._count >= self._most:
                return False
            self._add(lane, _Waiting(self._clock(), act))
        return True

    def put_if_idle(self, lane: str, act: Act) -> None:
        """Do this unless something is under way in the lane: what can wait must not pile up."""
        with self._lock:
            if lane not in self._waiting:
                self._add(lane, _Waiting(inf, act))

    def lag_s(self) -> float:
        """Return how long the oldest act of `put` has waited for its end, seconds."""
        with self._lock:
            waiting = [act.since for lane in self._waiting.values() for act in lane]
            oldest = min(waiting, default=inf)
        return max(0.0, self._clock() - oldest)

    def close(self) -> None:
        """Finish what is under way, drop what waits, and end the threads."""
        with self._lock:
            self._is_closed = True
        for thread in self.threads:  # all of them first: any may take the word to end
            thread.end()
        for _ in self.threads:
            self._turns.put(None)
        until = monotonic() + _END_S
        for thread in self.threads:
            thread.join(max(0.0, until - monotonic()))

    def _add(self, lane: str, item: _Waiting) -> None:
        if self._is_closed:
            return
        self._count += 1
        if lane in self._waiting:
            self._waiting[lane].append(item)
            return
        self._waiting[lane] = deque([item])
        if self._started < min(len(self._waiting), len(self._threads)):
            self._threads[self._started].start()
            self._started += 1
        self._turns.put(lane)

    def _work(self, thread: Supervised) -> None:
        while True:
            thread.rest()
            lane = self._turns.get()
            thread.beat()
            if lane is None or thread.is_ending:
                return
            try:
                self._do_first_of(lane)
            finally:
                self._pass_on(lane)

    def _do_first_of(self, lane: str) -> None:
        try:
            self._waiting[lane][0].act()
        except BaseException as error:  # an end of this thread would end the lane
            self._say(lane, error)

    def _pass_on(self, lane: str) -> None:
        """Come back for the next one when it is this lane's turn again."""
        with self._lock:
            self._count -= 1
            self._waiting[lane].popleft()
            if self._waiting[lane]:
                self._turns.put(lane)
            else:
                del self._waiting[lane]

    def _say(self, lane: str, error: BaseException) -> None:
        """Log a failure, but not each second the same."""
        text, now = repr(error), self._clock()
        said, at = self._said.get(lane, ("", -inf))
        if text != said or now - at >= _SAID_AGAIN_S:
            self._said[lane] = text, now
            logger.error(
                "[ALERT] The watch of %s failed; it looks again.", lane or "all", exc_info=error
            )
