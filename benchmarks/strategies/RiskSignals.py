"""The strategy of `benchmarks.risk_adds_up`: it wants far more than the guard lets it have."""

from typing import Any

import pandas as pd
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy

from qt_protections.guard import QTGuard

#: Pairs with limit entries, replaced when the candle is over, and how far from the market.
LIMIT_DISTANCE = {"ETH/USDT:USDT": 0.0015, "XRP/USDT:USDT": 0.001}


class PlainRisk(IStrategy):
    """In the market on every pair at leverage 30, out at the stop 0.5 % away or with 0.6 % gained.

    It asks for as much again in each loop, whether it gains or loses. Symbols below their own
    EMA200 go short.
    """

    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True
    position_adjustment_enable = True
    startup_candle_count = 600

    minimal_roi = {"0": 0.18}
    stoploss = -0.15
    order_types = {
        "entry": "market",
        "exit": "market",
        "force_entry": "market",
        "stoploss": "market",
        "stoploss_on_exchange": True,
    }

    def leverage(self, max_leverage: float, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 30."""
        return min(30.0, max_leverage)

    def populate_indicators(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Add the confidence the guard asks for."""
        dataframe["confidence"] = 0.9
        return dataframe

    def populate_entry_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Signal on every candle."""
        weak = dataframe["qt_local_distance"] < 0
        dataframe["enter_short"] = weak.astype(int)
        dataframe["enter_long"] = (~weak).astype(int)
        dataframe["enter_tag"] = "always"
        return dataframe

    def populate_exit_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Leave the exits to the stop and to the profit target."""
        return dataframe

    def lock_pair(self, *args: Any, **kwargs: Any) -> None:
        """Lock nothing, so that a pair may be entered again within its candle."""

    def custom_entry_price(  # type: ignore[override]
        self, pair: str, proposed_rate: float, side: str, entry_tag: str | None, **kwargs: Any
    ) -> float:
        """Choose the pair's kind of order, which Freqtrade reads next, and its price."""
        rests = pair in LIMIT_DISTANCE and entry_tag != "force_entry"
        self.order_types["entry"] = "limit" if rests else "market"
        return _resting(pair, proposed_rate, side) if rests else proposed_rate

    def adjust_entry_price(  # type: ignore[override]
        self, pair: str, proposed_rate: float, side: str, **kwargs: Any
    ) -> float | None:
        """Replace an entry that still rests when the candle is over."""
        self.order_types["entry"] = "limit"
        return _resting(pair, proposed_rate, side)

    def adjust_trade_position(  # type: ignore[override]
        self, trade: Trade, **kwargs: Any
    ) -> float | None:
        """Ask for as much again on every other pair; the others leave it to signals that repeat."""
        asks = not trade.has_open_orders and trade.pair < "D"
        return trade.stake_amount if asks else None


class GuardedRisk(QTGuard, PlainRisk):
    """PlainRisk, guarded."""


def _resting(pair: str, rate: float, side: str) -> float:
    distance = LIMIT_DISTANCE.get(pair, 0.0)
    return rate * (1 + distance if side == "short" else 1 - distance)
