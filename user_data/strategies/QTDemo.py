"""The demonstration's strategy: signals by the clock, so that every rule has something to do.

It is no way to make money. It trades under the very same guard as any other strategy.
"""

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy

from qt_protections import QTGuard

#: A position this old that gains asks for another entry, again and again.
STACK_AFTER = timedelta(seconds=5)


class QTDemoSignals(IStrategy):
    """Every minute a signal on every pair, at leverage 30 with the stop 0.5 % away.

    A symbol below its own EMA200 goes short with confidence 72 %. All others go long in even
    minutes and ask for a short with confidence 55 % in odd ones.
    """

    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True
    position_adjustment_enable = True

    minimal_roi = {"0": 0.30}
    stoploss = -0.15
    order_types = {
        "entry": "market",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": True,
    }

    def leverage(self, max_leverage: float, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 30, the leverage this project began at."""
        return min(30.0, max_leverage)

    def populate_indicators(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Add nothing: the clock and the guard's own columns are all the signals need."""
        return dataframe

    def populate_entry_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Signal on every candle."""
        weak = dataframe["qt_local_distance"] < 0
        even = dataframe["date"].dt.minute % 2 == 0
        dataframe["confidence"] = weak.map({True: 0.72, False: 0.55})
        dataframe["enter_long"] = (~weak & even).astype(int)
        dataframe["enter_short"] = (weak | ~even).astype(int)
        dataframe["enter_tag"] = "clock"
        return dataframe

    def populate_exit_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Leave the exits to the stop and to the profit target."""
        return dataframe

    def adjust_trade_position(  # type: ignore[override]
        self, trade: Trade, current_time: datetime, current_entry_rate: float, **kwargs: Any
    ) -> float | None:
        """Ask for one more entry of the same size where the price has moved the right way.

        Adding to a loss would bring the entry ever closer to its stop, which may then be hit while
        the entry is still on its way.
        """
        last = trade.date_last_filled_utc
        if trade.has_open_orders or last is None or current_time - last < STACK_AFTER:
            return None
        gained = (current_entry_rate - trade.open_rate) * (-1 if trade.is_short else 1)
        return trade.stake_amount if gained >= 0 else None


class QTDemo(QTGuard, QTDemoSignals):
    """QTDemoSignals, guarded."""
