"""The markets one can rehearse in."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from qt_protections.rehearsal.market.candles import Floats


class Trend(StrEnum):
    """How a symbol's history ends, against its own EMA200 on 1h and 4h candles."""

    SIDEWAYS = "sideways"
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Shock:
    """One fall of every symbol soon after the exchange opens, with or without a recovery.

    Attributes:
        fall: How far the price falls, as a ratio of it.
        fall_s: Seconds the fall takes; 0 is one tick.
        recovered: Share of the fall that is won back.
        recovery_s: Seconds the recovery takes.
        onset_s: Seconds from the opening of the exchange to the fall.
    """

    fall: float
    fall_s: float = 0.0
    recovered: float = 0.0
    recovery_s: float = 0.0
    onset_s: float = 40.0

    def knots(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Return one symbol's corner points: seconds since the opening, log-price offsets.

        Every duration is stretched or shortened by up to 5 %, so symbols do not fall in step.
        """
        onset, fall, recovery = rng.uniform(0.95, 1.05, 3) * (
            self.onset_s,
            self.fall_s,
            self.recovery_s,
        )
        bottom, end = np.log(1 - self.fall), np.log(1 - self.fall * (1 - self.recovered))
        seconds = np.array([onset, onset + fall + 1e-6, onset + fall + recovery + 2e-6])
        return seconds, np.array([0.0, bottom, end])


@dataclass(frozen=True, slots=True)
class Scenario:
    """One market.

    Attributes:
        name: What the command line calls it.
        summary: The market in a few words, for the command line's help.
        number: Part of the random seed, so that scenarios differ under one seed.
        trend: How most histories end.
        laggards: Symbols whose history ends below its EMA200 whatever `trend` says.
        volatility: Standard deviation of the live return of one second, as a ratio.
        drift_per_s: Mean live return of one second, as a ratio.
        jumps_per_minute: Mean number of jumps a minute and symbol.
        jump: Size of a jump, as a ratio of price.
        depth_ratio: Order book depth as a ratio of the instrument's usual depth.
        shock: A fall soon after the opening, None for none.
    """

    name: str
    summary: str
    number: int
    trend: Trend
    laggards: frozenset[str]
    volatility: float
    drift_per_s: float = 0.0
    jumps_per_minute: float = 0.0
    jump: float = 0.0
    depth_ratio: float = 1.0
    shock: Shock | None = None

    def trend_of(self, symbol: str) -> Trend:
        """Return how the history of `symbol` ends."""
        return Trend.BELOW if symbol in self.laggards else self.trend


LAGGARDS = frozenset({"ZENUSDT", "DOGEUSDT"})
VIOLENT = Scenario(
    "violent",
    "uptrend with large moves and jumps",
    3,
    Trend.ABOVE,
    LAGGARDS,
    volatility=8e-4,
    jumps_per_minute=1.0,
    jump=4e-3,
    depth_ratio=0.5,
)
CRASH = Shock(fall=0.08, fall_s=20.0, recovered=0.8, recovery_s=90.0)
UPTREND = Scenario(
    "uptrend",
    "BTC above its EMA200, ZEN and DOGE below",
    2,
    Trend.ABOVE,
    LAGGARDS,
    volatility=2e-4,
    drift_per_s=1e-6,
)
SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("calm", "sideways", 1, Trend.SIDEWAYS, frozenset(), volatility=1e-4),
        UPTREND,
        VIOLENT,
        Scenario(
            "downtrend",
            "everything below its EMA200",
            4,
            Trend.BELOW,
            frozenset(),
            volatility=2e-4,
            drift_per_s=-1e-6,
        ),
        replace(
            UPTREND,
            name="flash-crash",
            summary="uptrend that falls 8 % and recovers",
            number=5,
            drift_per_s=0.0,
            shock=CRASH,
        ),
        replace(
            UPTREND,
            name="gap",
            summary="uptrend that drops 3 % in one tick",
            number=6,
            drift_per_s=0.0,
            shock=Shock(fall=0.03),
        ),
        replace(
            VIOLENT,
            name="thin-book",
            summary="violent with a tenth of the depth",
            number=7,
            depth_ratio=0.1,
        ),
    )
}
