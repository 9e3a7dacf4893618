"""Which positions move together: a symbol's beta to the market, and the side it is held on."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd


class Group(StrEnum):
    """What the market has to do for a position to lose."""

    LOSES_WHEN_IT_FALLS = "loses_when_the_market_falls"
    LOSES_WHEN_IT_RISES = "loses_when_the_market_rises"


@dataclass(frozen=True, slots=True)
class BetaRule:
    """Groups positions by their beta, the slope of their returns over the market's.

    Attributes:
        least_beta: From which on, either way, a symbol is said to move with the market.
        candles: Closed candles the beta is taken from.
    """

    least_beta: float
    candles: int = 180

    def beta(self, closes: pd.Series, market: pd.Series) -> float:
        """Return the beta of a symbol; NaN with fewer candles, or a market that stood still.

        Args:
            closes: Closes of closed candles, indexed by their open time, oldest first.
            market: The same of the market. Only candles that both have count.
        """
        both = pd.concat([closes, market], axis=1, join="inner").iloc[-self.candles - 1 :]
        if len(both) <= self.candles:
            return float("nan")
        returns = np.diff(np.log(both.to_numpy(dtype=float)), axis=0)
        spread = float(np.var(returns[:, 1]))
        if not spread > 0:
            return float("nan")
        return float(np.cov(returns[:, 0], returns[:, 1], ddof=0)[0, 1]) / spread

    def group(self, beta: float, *, is_short: bool) -> Group | None:
        """Return the group of a position; None if it goes its own way.

        An unknown beta is taken for 1: what may move with the market is counted with it.
        """
        if np.isnan(beta):
            beta = 1.0
        if abs(beta) < self.least_beta:
            return None
        rises_with_it = (beta > 0) is not is_short
        return Group.LOSES_WHEN_IT_FALLS if rises_with_it else Group.LOSES_WHEN_IT_RISES
