"""What accounts, sizes and entries ask of the stops; the answers where no exchange keeps any."""

from collections.abc import Sequence
from math import inf
from typing import Protocol

from freqtrade.persistence import LocalTrade

from qt_protections.rules.exposure import Exposure
from qt_protections.rules.quote import Quote


class StopView(Protocol):
    """The stops, for whoever only looks at them."""

    def unaccounted(self) -> Sequence[Exposure]:
        """Return what the exchange holds, or may, beside Freqtrade's trades."""

    def planned(self, trade: LocalTrade) -> float | None:
        """Return where the stop of a trade stands whose entry waits, quote currency, if known."""

    def quote(self, pair: str) -> Quote | None:
        """Return a pair's best prices, NaN while unknown; None where there is no order book."""

    def unsettled(self, pair: str) -> bool:
        """Whether the exchange may hold more of a pair than any trade accounts for."""

    def clock_skew_s(self) -> float:
        """Return how many seconds this machine's clock is ahead of the exchange's."""

    def free_stops(self) -> float:
        """Return how many more stops the account takes; infinity where nobody counts them."""

    def largest(self, pair: str) -> float:
        """Return what one order at market of a pair may be, base currency; infinity if any."""


class NoStops:
    """The view where no exchange keeps stops: nothing stands beside the trades, nothing limits."""

    def unaccounted(self) -> Sequence[Exposure]:
        """Return nothing."""
        return ()

    def planned(self, trade: LocalTrade) -> float | None:
        """Return None."""
        return None

    def quote(self, pair: str) -> Quote | None:
        """Return None: candles have no book."""
        return None

    def unsettled(self, pair: str) -> bool:
        """Return False."""
        return False

    def clock_skew_s(self) -> float:
        """Return 0."""
        return 0.0

    def free_stops(self) -> float:
        """Return infinity."""
        return inf

    def largest(self, pair: str) -> float:
        """Return infinity."""
        return inf
