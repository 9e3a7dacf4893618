"""What became of the entries, counted in one place.

Backtests ask for an entry some hundred thousand times: to count is to add to a number, and nothing
is added up or put in words before somebody asks.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd


@dataclass(slots=True)
class Tally:
    """Counts since the start; in backtests and in hyperopt's epochs since the first candle.

    Attributes:
        allowed: Entries the guard let through, by side.
        rare_shorts: Shorts of these that passed in an uptrend.
        further: Entries of these that added to a position.
        cut: Entries of these that were made smaller, by the setting that did so.
        clamped: Entries of these whose stop a setting moved, by the setting.
        lowered: How often leverage was lowered, by pair; of refused entries, too.
        removed: Per pair, the closes (UTC) of the candles whose short signal the gate took away,
            by rule. Backtests alone gate whole frames; live, refusals say the same.
    """

    allowed: Counter[str] = field(default_factory=Counter)
    rare_shorts: int = 0
    further: int = 0
    cut: Counter[str] = field(default_factory=Counter)
    clamped: Counter[str] = field(default_factory=Counter)
    lowered: Counter[str] = field(default_factory=Counter)
    removed: dict[str, dict[str, pd.Series]] = field(default_factory=dict)

    def begin(self) -> None:
        """Count from here on; frames are gated before the first candle, so those stay."""
        self.rare_shorts = self.further = 0
        for counter in (self.allowed, self.cut, self.clamped, self.lowered):
            counter.clear()

    def removed_within(self, first: datetime, last: datetime) -> Counter[str]:
        """Return how many candles the gate removed, by rule.

        Args:
            first: The first candle's open (UTC) at which an entry could go out.
            last: The last one's; nothing enters there any more.
        """
        found: Counter[str] = Counter()
        for rules in self.removed.values():
            for rule, closes in rules.items():
                within = (closes >= first) & (closes < last)
                found[rule] += int(np.count_nonzero(within))
        return +found


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the entries.

    Attributes:
        allowed: Entries the guard let through, by side.
        rare_shorts: Shorts of these that passed in an uptrend.
        further: Entries of these that added to a position.
        cut: Entries of these that were made smaller, by setting.
        clamped: Entries of these whose stop was moved, by setting.
        lowered: How often leverage was lowered, by pair; of refused entries, too.
        refused: Candles with a refused entry, by rule, summed over pairs.
        removed: Candles whose short signal the gate took away before anybody asked, by rule,
            summed over pairs; of backtests alone, live these are among the refused.
        regimes: Share of the candles, 0 to 1, by regime; of backtests alone.
    """

    allowed: dict[str, int]
    rare_shorts: int
    further: int
    cut: dict[str, int]
    clamped: dict[str, int]
    lowered: dict[str, int]
    refused: dict[str, int]
    removed: dict[str, int]
    regimes: dict[str, float]
