"""The markets one can rehearse in."""

from dataclasses import dataclass
from enum import StrEnum


class Trend(StrEnum):
    """How a symbol's history ends, against its own EMA200 on 1h and 4h candles."""

    SIDEWAYS = "sideways"
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One market.

    Attributes:
        name: What the command line calls it.
        number: Part of the random seed, so that scenarios differ under one seed.
        trend: How most histories end.
        laggards: Symbols whose history ends below its EMA200 whatever `trend` says.
        volatility: Standard deviation of the live return of one second, as a ratio.
        drift_per_s: Mean live return of one second, as a ratio.
        jumps_per_minute: Mean number of jumps a minute and symbol.
        jump: Size of a jump, as a ratio of price.
        depth_ratio: Order book depth as a ratio of the instrument's usual depth.
    """

    name: str
    number: int
    trend: Trend
    laggards: frozenset[str]
    volatility: float
    drift_per_s: float = 0.0
    jumps_per_minute: float = 0.0
    jump: float = 0.0
    depth_ratio: float = 1.0

    def trend_of(self, symbol: str) -> Trend:
        """Return how the history of `symbol` ends."""
        return Trend.BELOW if symbol in self.laggards else self.trend


LAGGARDS = frozenset({"ZENUSDT", "DOGEUSDT"})
SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("calm", 1, Trend.SIDEWAYS, frozenset(), volatility=1e-4),
        Scenario("uptrend", 2, Trend.ABOVE, LAGGARDS, volatility=2e-4, drift_per_s=1e-6),
        Scenario(
            "violent",
            3,
            Trend.ABOVE,
            LAGGARDS,
            volatility=8e-4,
            jumps_per_minute=1.0,
            jump=4e-3,
            depth_ratio=0.5,
        ),
    )
}
