"""The best prices of an order book, and where an order of a limit fills in it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quote:
    """The best prices of a pair's order book, quote currency; NaN where they are not known.

    Attributes:
        bid: The best price somebody buys at.
        ask: The best price somebody sells at.
        is_old: Whether the prices have moved since, and only their spread still tells something.
    """

    bid: float
    ask: float
    is_old: bool = False

    @property
    def spread(self) -> float:
        """The ask over the bid, minus one."""
        return self.ask / self.bid - 1

    def fill_price(self, rate: float, *, is_short: bool, slack: float = 0.0) -> float:
        """Return the price at which an entry with a limit fills: its own, or a better one at once.

        Args:
            rate: The order's limit, quote currency.
            is_short: Whether the entry sells.
            slack: How far through the best price it fills at its own all the same, as a ratio.
        """
        best = self.bid if is_short else self.ask
        sign = -1 if is_short else 1
        goes_through = sign * rate * (1 - sign * slack) > sign * best  # not if it is NaN
        return best if goes_through and not self.is_old else rate
