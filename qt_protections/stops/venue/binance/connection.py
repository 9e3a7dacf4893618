"""A connection of the guard's own to the exchange Freqtrade trades on.

An urgent stop must not queue behind Freqtrade's requests: ccxt's rate limiter charges `GET /income`
30 units and lets the next request sleep for them, and a request that hangs holds its thread.
"""

import copy
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TypeVar

import ccxt
import requests

from qt_protections.rules.retry_policy import Outcome, Refusal
from qt_protections.stops.venue.binance.server_clock import NOTABLE_S, ServerClock
from qt_protections.stops.venue.budget import Budget
from qt_protections.stops.venue.failures import classify, silence_s
from qt_protections.stops.venue.protocol import Rank, RequestError, Road

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Milliseconds until a request counts as unanswered. ccxt's usual 10 s are too long to look away
#: from a position; an answer takes tenths of a second even on a bad day, and one given up too early
#: is found by its client id.
TIMEOUT_MS = 1500

_OPTIONS = {
    # ccxt would send an order again by itself if the user's options told it to.
    "maxRetriesOnFailure": 0,
    # Without it ccxt refuses to ask for the open orders of all pairs; one request a loop is meant.
    "warnOnFetchOpenOrdersWithoutSymbol": False,
}
#: Binance's own window, milliseconds, where the user has ccxt send none; ccxt sends 10 s.
_DEFAULT_WINDOW_MS = 5000
#: Seconds a request may arrive after its window by this machine's clock: Binance takes what is up
#: to a second ahead of its own.
_WINDOW_MARGIN_S = 1.0
#: Seconds of silence after an answer that wants fewer requests and names no time: the first, and
#: the most. Binance documents none for its firewall (HTTP 403), and an address that goes on
#: after 429 is banned for minutes. So each such answer in a row doubles the silence. It begins
#: short, because the firewall may have disliked a single request.
_HUSH_S, _LONGEST_HUSH_S = 1.0, 30.0
_SESSION_SETTINGS = ("headers", "auth", "proxies", "cert", "verify", "trust_env")
# With -vvv Freqtrade has ccxt log every request with its headers, and with them the API key.
_wire_log = logging.getLogger(f"{__name__}.wire")
_wire_log.setLevel(logging.INFO)


@dataclass(slots=True)
class _Silence:
    """What a service asked for.

    Attributes:
        until: When it ends, on this process's monotonic clock.
        hush_s: Seconds of the next one if the service names none.
    """

    until: float = -inf
    hush_s: float = _HUSH_S

    def keep(self, now: float, seconds: float | None) -> None:
        """Begin, or go on, for so long; None if the service did not say."""
        if seconds is None:
            # Answers to what was under way at the same time are one answer.
            if now < self.until:
                return
            seconds, self.hush_s = self.hush_s, min(self.hush_s * 2, _LONGEST_HUSH_S)
        self.until = max(self.until, now + seconds)


class Connection:
    """A copy of Freqtrade's ccxt object that shares its markets and settings, and no socket.

    Threads may use it at once: with the rate limiter off, ccxt keeps nothing between two requests
    that a request reads, and the pool below `requests.Session` is made for threads.

    Attributes:
        budget: What the exchange allows this address, and what was used.
    """

    def __init__(
        self,
        source: ccxt.Exchange,
        timeout_ms: int = TIMEOUT_MS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Copy `source`, and read the exchange's clock.

        Args:
            source: Freqtrade's object.
            timeout_ms: Milliseconds until a request counts as unanswered.
            monotonic: The clock that silences are waited out by, seconds.
        """
        # The copy comes with every setting, whichever way it was made: keys, addresses, proxies.
        own = copy.copy(source)
        own.session = _session_like(source.session)
        own.enableRateLimit = False
        own.timeout = timeout_ms
        own.verbose = False
        own.logger = _wire_log
        own.options = source.options | _OPTIONS
        self._own = own
        self._source = source
        self._lock = threading.Lock()
        self._monotonic = monotonic
        self._silences = {road: _Silence() for road in Road}
        self._clock = ServerClock(self._read_clock)
        self.budget = Budget(self._clock.now_s)
        self._used = -inf
        self.tend_clock()

    def ask(
        self, road: Road, request: Callable[[ccxt.Exchange], T], rank: Rank = Rank.PROTECT
    ) -> T:
        """Have a service of the exchange answer.

        Args:
            road: Which of them.
            request: What is sent.
            rank: What that is for.

        Raises:
            RequestError: If it did not, or wants nothing sent at present, or what is left of the
                limits is for requests of a higher rank.
        """
        if not self.budget.has_room(rank):
            text = f"{road.value}: what the exchange allows is left to what protects"
            raise RequestError(text, Outcome.NOT_EXECUTED)
        if self._clock.has_stepped:
            self.tend_clock()
        try:
            return self._ask(road, request)
        except RequestError as failure:
            if failure.refusal is Refusal.UNTIMELY:
                self.tend_clock()
            raise

    def api(self) -> ccxt.Exchange:
        """Return the copy, with the markets Freqtrade has loaded last."""
        source = self._source
        if self._own.markets is not source.markets:
            with self._lock:
                self._own.set_markets_from_exchange(source)
                # What ccxt learns with the markets is an option.
                self._own.options = source.options | _OPTIONS
                self._correct()
        return self._own

    def shut_s(self, road: Road) -> float:
        """Return for how many seconds a service takes nothing from this address."""
        return max(0.0, self._silences[road].until - self._monotonic())

    @property
    def arrives_within_s(self) -> float:
        """Seconds after which a request that was sent can be executed no more."""
        # Freqtrade's requests have the same window: an entry of its own may come as late.
        own = self._own
        window_ms = own.safe_integer(own.options, "recvWindow", _DEFAULT_WINDOW_MS)
        # One beside the options ccxt 4.5 does not send. Another version may: the longer one counts.
        beside_ms = own.safe_integer(vars(own), "recvWindow", 0)
        return float(max(window_ms, beside_ms) / 1000 + _WINDOW_MARGIN_S)

    @property
    def skew_s(self) -> float:
        """Seconds this machine's clock is ahead of the exchange's; 0 while that is unknown."""
        return self._clock.ahead_s

    @property
    def idle_s(self) -> float:
        """Seconds since a request was last answered."""
        return self._monotonic() - self._used

    @property
    def is_clock_due(self) -> bool:
        """Whether it is time to read the exchange's clock again."""
        return self._clock.is_due

    def tend_clock(self) -> None:
        """Read the exchange's clock, and have requests signed by it from now on."""
        if self._clock.measure():
            self._correct()

    def _ask(self, road: Road, request: Callable[[ccxt.Exchange], T]) -> T:
        silence = self._silences[road]
        if (shut_s := self.shut_s(road)) > 0:
            text = f"{road.value}: too many requests, nothing is sent for {shut_s:.1f} s"
            raise RequestError(text, Outcome.NOT_EXECUTED)
        try:
            answer = request(self.api())
        except Exception as error:
            failure = classify(error)
            if failure.wants_silence:
                silence.keep(self._monotonic(), silence_s(failure, self._clock.now_s()))
            try:
                raise failure from error
            finally:
                # The error knows this frame. If the frame knew the error, only the collector of
                # cycles could free both, and Freqtrade has that run about once an hour.
                del failure
        silence.hush_s = _HUSH_S
        self._used = self._monotonic()
        self.budget.note(self._own.last_response_headers)
        return answer

    def _read_clock(self) -> float:
        answer = self._ask(Road.ACCOUNT, lambda api: api.fapiPublicGetTime())
        return int(answer["serverTime"]) / 1000

    def _correct(self) -> None:
        """Sign by the exchange's clock; have Freqtrade do so too, where its own would not pass."""
        if not self._clock.is_known:
            return
        ahead_ms = round(self._clock.ahead_s * 1000)
        self._own.options["timeDifference"] = ahead_ms
        theirs = self._source.options
        off_ms = ahead_ms - (self._own.safe_integer(theirs, "timeDifference") or 0)
        # Half of the second that Binance allows is left to the drift until the next measurement.
        if abs(off_ms) < NOTABLE_S * 1000 or theirs.get("adjustForTimeDifference"):
            return
        theirs["timeDifference"] = ahead_ms
        logger.warning(
            "Freqtrade's requests are signed by the exchange's clock as well from now on "
            "(ccxt's timeDifference is %d ms): its exits could be refused otherwise.",
            ahead_ms,
        )


def _session_like(session: requests.Session) -> requests.Session:
    own = requests.Session()
    for name in _SESSION_SETTINGS:
        setattr(own, name, copy.copy(getattr(session, name)))
    return own
