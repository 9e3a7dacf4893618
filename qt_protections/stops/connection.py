"""A connection of the guard's own to the exchange Freqtrade trades on.

An urgent stop must not queue behind Freqtrade's requests: ccxt's rate limiter charges `GET /income`
30 units and lets the next request sleep for them, and a request that hangs holds its thread.
"""

import copy
import logging
import re
import threading
import time

import ccxt
import requests

from qt_protections.stops.line import LineError

#: Milliseconds until a request counts as unanswered. ccxt's usual 10 s are too long to look away
#: from a position; an answer takes tenths of a second even on a bad day, and one given up too early
#: is found by its client id.
TIMEOUT_MS = 1500
#: Milliseconds after which the exchange refuses what it had not executed by then; Binance's own
#: default, where ccxt allows 10 s. An order that cannot be found when they are over, counted from
#: its sending, never comes.
RECV_WINDOW_MS = 5000

_OPTIONS = {
    "recvWindow": RECV_WINDOW_MS,
    # ccxt would send an order again by itself if the user's options told it to.
    "maxRetriesOnFailure": 0,
    # Without it ccxt refuses to ask for the open orders of all pairs; one request a loop is meant.
    "warnOnFetchOpenOrdersWithoutSymbol": False,
}
#: Seconds of silence after "too many requests" that names none; an address that goes on is banned
#: for minutes.
_HUSH_S = 1.0
#: Of the request weight an address has in a minute on Binance USD-M futures, the share from which
#: on the rest is left to what protects.
_USED_WEIGHT, _WEIGHT_PER_MINUTE, _RESERVED_FROM = "X-MBX-USED-WEIGHT-1M", 2400, 0.8
_TOO_MANY_REQUESTS = -1003
_BANNED_UNTIL = re.compile(r"banned until (\d{13})")
_SESSION_SETTINGS = ("headers", "auth", "proxies", "cert", "verify", "trust_env")
# With -vvv Freqtrade has ccxt log every request with its headers, and with them the API key.
_wire_log = logging.getLogger(f"{__name__}.wire")
_wire_log.setLevel(logging.INFO)


class Connection:
    """A copy of Freqtrade's ccxt object that shares its markets and settings, and no socket.

    Threads may use it at once: with the rate limiter off, ccxt keeps nothing between two requests
    that a request reads, and the pool below `requests.Session` is made for threads.
    """

    def __init__(self, source: ccxt.Exchange, timeout_ms: int = TIMEOUT_MS) -> None:
        """Copy `source`; nothing is sent."""
        # The copy comes with every setting, whichever way it was made: keys, addresses, proxies.
        own = copy.copy(source)
        own.session = _session_like(source.session)
        own.enableRateLimit = False
        own.timeout = timeout_ms
        own.verbose = False
        own.logger = _wire_log
        own.options = source.options | _OPTIONS
        self._own = own
        self._lock = threading.Lock()
        self._shut_until = 0.0

    def api(self, source: ccxt.Exchange) -> ccxt.Exchange:
        """Return the copy, with the markets `source` has loaded last."""
        if self._own.markets is not source.markets:
            with self._lock:
                self._own.set_markets_from_exchange(source)
                # What ccxt learns with the markets, as the clock's difference, is an option.
                self._own.options = source.options | _OPTIONS
        return self._own

    def shut_s(self) -> float:
        """Return for how many seconds the exchange takes nothing from this address."""
        return max(0.0, self._shut_until - time.time())

    def heed(self, failure: LineError) -> None:
        """Keep quiet for as long as the exchange demands."""
        if failure.code != _TOO_MANY_REQUESTS:
            return
        banned = _BANNED_UNTIL.search(str(failure))
        wait_s = failure.retry_after_s or _HUSH_S
        until = int(banned[1]) / 1000 if banned is not None else time.time() + wait_s
        self._shut_until = max(self._shut_until, until)

    def is_nearly_shut(self) -> bool:
        """Whether most of the minute's request weight was used, by the last answer that told."""
        used = (self._own.last_response_headers or {}).get(_USED_WEIGHT, "0")
        return int(used) > _WEIGHT_PER_MINUTE * _RESERVED_FROM


def _session_like(session: requests.Session) -> requests.Session:
    own = requests.Session()
    for name in _SESSION_SETTINGS:
        setattr(own, name, copy.copy(getattr(session, name)))
    return own
