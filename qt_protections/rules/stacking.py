"""How many entries one symbol may hold at once, and when a signal that repeats adds another."""

from dataclasses import dataclass

from qt_protections.rules.denial import Denial, DenyCode, deny


@dataclass(frozen=True, slots=True)
class StackingLimit:
    """Refuses the entry that would exceed the limit of its symbol.

    Attributes:
        max_positions: Entries a symbol may hold, filled and pending together, at least 1; None
            where nothing limits them.
    """

    max_positions: int | None

    def check(self, held: int) -> Denial | None:
        """Judge one more entry on a symbol that already holds `held` of them."""
        if self.max_positions is None or held < self.max_positions:
            return None
        text = f"Already at max {self.max_positions} positions for this symbol"
        return deny(DenyCode.SYMBOL_FULL, text, limit=self.max_positions)


@dataclass(frozen=True, slots=True)
class StackingRule:
    """Tells where an entry stands to the position it is added to.

    One R is the distance from the position's entry to its initial stop.

    Attributes:
        min_distance_r: How far from the last entry a signal that repeats may add another, in R.
        slack_r: How far beyond the average an entry is not yet averaging down, in R: spread and
            fills of a few levels are no move of the market.
    """

    min_distance_r: float
    slack_r: float = 0.1

    def is_far_enough(self, rate: float, last_entry: float, one_r: float) -> bool:
        """Whether a price is far enough from the last entry; all in quote currency, R > 0."""
        return abs(rate - last_entry) >= self.min_distance_r * one_r

    def averages_down(self, rate: float, average: float, one_r: float, *, is_short: bool) -> bool:
        """Whether an entry lies on the losing side of its average, or nobody knows (NaN)."""
        gained = average - rate if is_short else rate - average
        return not gained >= -self.slack_r * one_r
