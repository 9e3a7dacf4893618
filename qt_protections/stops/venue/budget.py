"""What an address may ask of the exchange in a minute: one purse for bot and guard.

Binance USD-M futures count request weight by address and minute, and orders by account, 10 s and
minute, by the exchange's own clock. Each answer says what was used. Beyond the limit an address is
refused (429), and banned if it goes on: then nothing can be protected.
Source: developers.binance.com/docs/derivatives/usds-margined-futures/general-info, "LIMITS".
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from time import monotonic

from qt_protections.rules.retry_policy import Refusal
from qt_protections.stops.venue.failures import silence_s
from qt_protections.stops.venue.protocol import Rank, RequestError

logger = logging.getLogger(__name__)

#: Request weight of an address in a minute, and orders of an account.
WEIGHT_PER_MINUTE, ORDERS_PER_10_S, ORDERS_PER_MINUTE = 2400, 300, 1200
_MINUTE_S = 60.0
#: Of the limit, from where to where the requests of the bot that protect nothing are slowed down,
#: the more the nearer the end. What is left above is for orders, and for what the guard asks.
_SLOW_FROM, _SLOW_TO = 0.6, 0.85
#: Seconds of silence after a firewall's page that names no time.
_FIREWALL_S = 1.0
#: Seconds between two lines in the log about a limit that is near.
_SAY_EVERY_S = 600.0


#: The share of a limit up to which each rank is served. A third is never spent on looking.
_UP_TO = {
    Rank.PROTECT: inf,
    Rank.MOVE: 0.95,
    Rank.ASK: 0.9,
    Rank.COMPARE: 2 / 3,
    Rank.COURTESY: 0.5,
}


@dataclass(slots=True)
class _Window:
    """One limit, in the window that the exchange's clock is in.

    Attributes:
        header: In which the exchange says what was used.
        limit: The most it takes in a window.
        width_s: Length of a window, which begins at a multiple of this, seconds.
        number: Number of the window since the epoch that `used` is of.
        used: What the last answer said.
    """

    header: str
    limit: int
    width_s: float
    number: int = -1
    used: int = 0

    def note(self, told: str, now_s: float) -> None:
        self.number, self.used = int(now_s // self.width_s), int(told)

    def used_at(self, now_s: float) -> int:
        return self.used if self.number == int(now_s // self.width_s) else 0

    def left_s(self, now_s: float) -> float:
        return self.width_s - now_s % self.width_s


class Budget:
    """Knows what was used, and who may still send. Any thread may use it."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        """Begin with nothing used.

        Args:
            now_s: The exchange's time, epoch seconds.
        """
        self._now_s = now_s
        self._weight = _Window("x-mbx-used-weight-1m", WEIGHT_PER_MINUTE, _MINUTE_S)
        self._orders = (
            _Window("x-mbx-order-count-10s", ORDERS_PER_10_S, 10.0),
            _Window("x-mbx-order-count-1m", ORDERS_PER_MINUTE, _MINUTE_S),
        )
        self._under_way = 0.0
        self._silent_until = -inf
        self._say_at = -inf
        self._lock = threading.Lock()

    def note(self, headers: Mapping[str, str] | None) -> None:
        """Take in what an answer says, whoever asked; None and answers that say nothing count not.

        The last answer counts, not the highest figure: one from the end of a minute may be read in
        the next.
        """
        told = {name.lower(): value for name, value in (headers or {}).items()}
        now_s = self._now_s()
        with self._lock:
            for window in (self._weight, *self._orders):
                if (value := told.get(window.header, "")).isdecimal():
                    window.note(value, now_s)

    def refused(self, failure: RequestError) -> None:
        """Note that the exchange refused a request of the bot's because there were too many."""
        seconds = silence_s(failure, self._now_s())
        if seconds is None:
            # A limit holds until the window ends; a firewall may have disliked a single request.
            is_limit = failure.refusal is Refusal.TOO_MANY_REQUESTS
            seconds = self._weight.left_s(self._now_s()) if is_limit else _FIREWALL_S
        self._silent_until = max(self._silent_until, monotonic() + seconds)

    @property
    def silent_s(self) -> float:
        """Seconds for which the exchange wants nothing from this address; 0 as a rule."""
        return max(0.0, self._silent_until - monotonic())

    def has_room(self, rank: Rank) -> bool:
        """Whether a request of this rank may be sent; what protects always may."""
        if rank is Rank.PROTECT:
            return True
        if rank is not Rank.MOVE and self.silent_s:
            return False
        now_s = self._now_s()
        windows = (self._weight, *self._orders) if rank is Rank.MOVE else (self._weight,)
        with self._lock:
            near = [w for w in windows if w.used_at(now_s) >= _UP_TO[rank] * w.limit]
        if near and rank < Rank.COURTESY:
            self._say(near[0].used_at(now_s), near[0])
        return not near

    def begin(self, weight: float) -> float:
        """Count a request of the bot's that is about to go out, and return its pause in seconds.

        From `_SLOW_FROM` on what is left of the minute's weight is spread over what is left of the
        minute; none is left from `_SLOW_TO` on.
        """
        now_s, slow_to = self._now_s(), _SLOW_TO * self._weight.limit
        with self._lock:
            used = self._weight.used_at(now_s) + self._under_way
            self._under_way += weight
        if used < _SLOW_FROM * self._weight.limit:
            return 0.0
        left_s = self._weight.left_s(now_s)
        self._say(round(used), self._weight)
        return left_s if used + weight >= slow_to else left_s * weight / (slow_to - used)

    def end(self, weight: float, headers: Mapping[str, str] | None) -> None:
        """The same request has been answered, or was not."""
        with self._lock:
            self._under_way -= weight
        self.note(headers)

    def _say(self, used: int, window: _Window) -> None:
        if monotonic() < self._say_at:
            return
        self._say_at = monotonic() + _SAY_EVERY_S
        logger.warning(
            "[SAFETY] %d of %d of the exchange's limit (%s) are used in this minute: the guard "
            "compares less, and the bot's own questions wait, until the next begins. Orders and "
            "stops go out as ever. internals.process_throttle_secs, or fewer pairs, use less.",
            used,
            window.limit,
            window.header,
        )
