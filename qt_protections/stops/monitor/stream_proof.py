"""The proof that the user data stream speaks: what the guard itself sent has to be heard of.

A connection may answer each ping and tell nothing. An idle account looks the same, so only an order
that must show up tells the two apart.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from freqtrade.exchange import Exchange

from qt_protections.stops.venue.binance.connection import TIMEOUT_MS
from qt_protections.stops.venue.binance.orders import BinanceVenue
from qt_protections.stops.venue.protocol import CcxtOrder, StopOrder, TrailingOrder

#: Seconds between the answer to a request and the event of what it did. Binance sends both at once;
#: the rest is for a busy machine.
BOUND_S = 1.5
#: Events that are remembered, for those that come before their answer does.
_REMEMBERED = 500

#: An order's id, and whether its end is meant: else any word of it will do.
_Sign = tuple[str, bool]


class StreamProof:
    """Says whether an event is missing. It has no clock of its own: moments are monotonic seconds.

    Any thread may use it.
    """

    def __init__(self, bound_s: float = BOUND_S) -> None:
        """Begin with a stream that is down; `bound_s` is what an event may take, seconds."""
        self._bound_s = bound_s
        self._due: dict[_Sign, float] = {}
        self._heard: dict[_Sign, None] = {}
        self._is_open = False
        self._is_mute = False
        self._lock = threading.Lock()

    @property
    def is_mute(self) -> bool:
        """Whether an event was missing, and no later one has come in time since."""
        return self._is_mute

    def opened(self) -> None:
        """Begin anew: a connection has opened."""
        self._begin(is_open=True)

    def lost(self) -> None:
        """Expect nothing: the connection is lost."""
        self._begin(is_open=False)

    def expect(
        self, order_id: str, now: float, *, ended: bool = False, took_s: float = 0.0
    ) -> None:
        """Note that the exchange accepted an order, or cancelled it.

        Args:
            order_id: Of the conditional order.
            now: When its answer came.
            ended: Whether it was cancelled.
            took_s: Seconds the answer took; the event may take as long.
        """
        with self._lock:
            if (order_id, ended) in self._heard:
                self._is_mute = False
            elif self._is_open:
                self._due[order_id, ended] = now + self._bound_s + took_s

    def heard(self, order_id: str, *, ended: bool = False) -> None:
        """Note that the stream told of an order, or of its end."""
        with self._lock:
            for sign in [(order_id, False), *([(order_id, True)] if ended else [])]:
                self._heard.pop(sign, None)
                self._heard[sign] = None
                if self._due.pop(sign, None) is not None:
                    self._is_mute = False
            while len(self._heard) > _REMEMBERED:
                del self._heard[next(iter(self._heard))]

    def overdue(self, now: float) -> str | None:
        """Return the id of an order whose event is missing, each once; None if none is."""
        with self._lock:
            missing = [sign for sign, due in self._due.items() if due <= now]
            for sign in missing:
                del self._due[sign]
            if not missing:
                return None
            self._is_mute = True
            return missing[0][0]

    def _begin(self, *, is_open: bool) -> None:
        with self._lock:
            self._is_open = is_open
            self._is_mute = False
            self._due.clear()


class ProvenVenue(BinanceVenue):
    """A venue that tells a `StreamProof` of each conditional order the exchange took or ended."""

    def __init__(
        self,
        exchange: Exchange,
        order_types: dict[str, Any],
        proof: StreamProof,
        timeout_ms: int = TIMEOUT_MS,
    ) -> None:
        super().__init__(exchange, order_types, timeout_ms)
        self._proof = proof

    def place_stop(self, order: StopOrder, client_id: str) -> CcxtOrder:
        """Send a stop, and expect to hear of it."""
        return self._placed(lambda: super(ProvenVenue, self).place_stop(order, client_id))

    def place_trailing(self, order: TrailingOrder, client_id: str) -> CcxtOrder:
        """Send a trailing stop, and expect to hear of it."""
        return self._placed(lambda: super(ProvenVenue, self).place_trailing(order, client_id))

    def cancel(self, pair: str, order_id: str) -> bool:
        """Cancel a conditional order, and expect to hear of its end."""
        began = monotonic()
        is_cancelled = super().cancel(pair, order_id)
        if is_cancelled:
            now = monotonic()
            self._proof.expect(order_id, now, ended=True, took_s=now - began)
        return is_cancelled

    def _placed(self, place: Callable[[], CcxtOrder]) -> CcxtOrder:
        began = monotonic()
        answer = place()
        now = monotonic()
        self._proof.expect(str(answer["id"]), now, took_s=now - began)
        return answer
