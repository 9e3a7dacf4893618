"""Funding: when it falls due, at which rate, and the mark prices it was charged at."""

import random
from decimal import Decimal

FUNDING_INTERVAL_MS = 8 * 3_600_000
USUAL_RATE = Decimal("0.0001")
LOWEST_RATE, HIGHEST_RATE = -0.0001, 0.0003
RATE_STEP = Decimal("1E-8")


class Funding:
    """The funding of every symbol, at 00:00, 08:00 and 16:00 UTC.

    A positive rate is paid by longs to shorts.
    """

    def __init__(self, now_ms: int, seed: int | None = None) -> None:
        """Start at `now_ms` (epoch milliseconds).

        Args:
            now_ms: Nothing before it is charged.
            seed: Of rates between -0.01 % and 0.03 %; with None each is 0.01 %, as it mostly is on
                the real exchange.
        """
        self.next_ms = (now_ms // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS
        self._seed = seed
        self._marks: dict[tuple[str, int], Decimal] = {}

    def rate(self, symbol: str, ms: int) -> Decimal:
        """Return the rate that `symbol` pays at `ms`, a time at which funding falls due."""
        if self._seed is None:
            return USUAL_RATE
        chance = random.Random(f"{self._seed} {symbol} {ms}")  # noqa: S311 - prices, not secrets
        return Decimal(chance.uniform(LOWEST_RATE, HIGHEST_RATE)).quantize(RATE_STEP)

    def next_rate(self, symbol: str) -> Decimal:
        """Return the rate of the payment that comes next."""
        return self.rate(symbol, self.next_ms)

    def settle(self, marks: dict[str, Decimal]) -> None:
        """Close the payment that was next, made at these mark prices (USDT, by symbol)."""
        for symbol, mark in marks.items():
            self._marks[symbol, self.next_ms] = mark
        self.next_ms += FUNDING_INTERVAL_MS

    def charged_mark(self, symbol: str, ms: int) -> Decimal | None:
        """Return the mark price in USDT that funding was charged at, None if before the start."""
        return self._marks.get((symbol, ms))


def due_times(first_ms: int, last_ms: int) -> range:
    """Return the times from `first_ms` to `last_ms` at which funding falls due, both included."""
    start_ms = -(-first_ms // FUNDING_INTERVAL_MS) * FUNDING_INTERVAL_MS
    return range(start_ms, last_ms + 1, FUNDING_INTERVAL_MS)
