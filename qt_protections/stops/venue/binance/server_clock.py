"""How far this machine's clock is from the exchange's.

Binance refuses a signed request (-1021) whose time stamp is older than its `recvWindow`, or more
than a second ahead. Clocks go wrong, and are set while a bot runs.
"""

import logging
import threading
import time
from collections.abc import Callable
from math import inf

from qt_protections.stops.venue.protocol import RequestError

logger = logging.getLogger(__name__)

#: From this many seconds on a difference matters, and the wall clock was set.
NOTABLE_S = 0.5
#: From this many seconds on it is an alert: something is wrong with the machine.
SERIOUS_S = 5.0
#: Readings of which the quickest counts; no further one begins after so many seconds.
_READINGS, _PATIENCE_S = 3, 0.5
#: Seconds between two measurements: a clock of quartz runs off by 0.1 s in half an hour.
_EVERY_S = 600.0
#: Seconds within which the exchange's clock is not read again, however many requests are refused.
_AGAIN_S = 1.0
#: The exchange tells its time in whole milliseconds.
_GRAIN_S = 0.001


class ServerClock:
    """Measures the difference by `GET /fapi/v1/time`, for any thread.

    Attributes:
        ahead_s: Seconds this machine's clock is ahead; negative if it is behind, 0 while unknown.
        is_known: Whether it was ever measured.
    """

    def __init__(
        self,
        read: Callable[[], float],
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is read.

        Args:
            read: Asks the exchange for its time, epoch seconds; may raise `RequestError`.
            wall: This machine's time, epoch seconds.
            monotonic: Seconds of a clock that nobody sets.
        """
        self._read, self._wall, self._monotonic = read, wall, monotonic
        self.ahead_s = 0.0
        self.is_known = False
        self._lock = threading.Lock()
        self._tried = self._measured = -inf
        self._failing = False
        # What the wall clock is above the other one; a step changes that.
        self._base = wall() - monotonic()

    def now_s(self) -> float:
        """Return the exchange's time, epoch seconds."""
        return self._wall() - self.ahead_s

    @property
    def has_stepped(self) -> bool:
        """Whether this machine's clock was set, or the machine slept, since the last reading."""
        return abs(self._wall() - self._monotonic() - self._base) >= NOTABLE_S

    @property
    def is_due(self) -> bool:
        """Whether it is time to measure again."""
        return self._monotonic() - self._measured >= _EVERY_S

    def measure(self) -> bool:
        """Measure unless that was tried just now; return whether there is a new difference.

        It takes a round trip or two, or one time-out.
        """
        asked = self._monotonic()
        # Who comes while another thread measures waits for what that finds.
        if not self._lock.acquire(timeout=_PATIENCE_S):
            return False
        try:
            tried_just_now = asked - self._tried < _AGAIN_S and not self.has_stepped
            return not tried_just_now and self._measure()
        finally:
            self._lock.release()

    def _measure(self) -> bool:
        self._tried = begun = self._monotonic()
        self._base = self._wall() - begun
        readings: list[tuple[float, float]] = []
        try:
            while len(readings) < _READINGS and self._monotonic() - begun < _PATIENCE_S:
                readings.append(self._reading())
        except RequestError as error:
            if not readings:
                self._failed(error)
                return False
        took_s, ahead_s = min(readings)
        self._measured = self._monotonic()
        self._failing = False
        # The exchange read its clock at any moment of the round trip. On a busy machine half of
        # that is more than the second a stamp may be ahead, so only what is proven counts.
        agrees = abs(ahead_s - self.ahead_s) <= took_s / 2 + _GRAIN_S
        self._learn(self.ahead_s if agrees else ahead_s)
        return True

    def _reading(self) -> tuple[float, float]:
        """Return how long the answer took, and by how much this machine was ahead half-way."""
        sent, sent_wall = self._monotonic(), self._wall()
        theirs = self._read()
        took_s = self._monotonic() - sent
        return took_s, sent_wall + took_s / 2 - theirs

    def _learn(self, ahead_s: float) -> None:
        changed = abs(ahead_s - self.ahead_s) >= NOTABLE_S
        self.ahead_s, self.is_known = ahead_s, True
        if not changed:
            return
        side = "ahead of" if ahead_s > 0 else "behind"
        text = "This machine's clock is %.1f s %s the exchange's. Requests are signed by the latter"
        if abs(ahead_s) >= SERIOUS_S:
            logger.error(f"[ALERT] {text}; set the machine's clock.", abs(ahead_s), side)
        else:
            logger.warning(f"{text}.", abs(ahead_s), side)

    def _failed(self, error: RequestError) -> None:
        self._measured = -inf
        if not self._failing:
            self._failing = True
            logger.warning(
                "Could not read the exchange's clock: %s. The last difference (%.1f s) counts.",
                error,
                self.ahead_s,
            )
