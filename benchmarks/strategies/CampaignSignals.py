"""The strategies of `benchmarks.never_naked`: the same busy signals, plain and guarded."""

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy

from qt_protections.guard import QTGuard

#: In the folder of user data: no further entry and no exit but the stop, until it is gone.
QUIET = "quiet"
#: Pairs with limit entries, and how far from the market, as ratios of the price. Without any
#: distance the best level fills a part, and the rest waits for the price to come back.
LIMIT_DISTANCE = {
    "ETH/USDT:USDT": 0.0005,
    "XRP/USDT:USDT": 0.0010,
    "DOGE/USDT:USDT": 0.0015,
    "ZEN/USDT:USDT": 0.0,
}
MOST_ENTRIES = 2
STACK_AFTER = timedelta(seconds=6)
HALVE_AFTER = timedelta(seconds=14)
LEAVE_AFTER = timedelta(seconds=30)


class PlainCampaign(IStrategy):
    """In the market on every pair, at leverage 30, with the stop 0.5 % behind the price.

    Market entries, and limit entries on some pairs, which time out or are replaced with the
    candle; a second entry into a gain; half of a gain taken; out after half a minute. Symbols
    below their own EMA200 go short. The custom stop moves with every better price.
    """

    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True
    position_adjustment_enable = True
    use_custom_stoploss = True
    startup_candle_count = 600

    minimal_roi = {"0": 10.0}
    stoploss = -0.15
    unfilledtimeout = {"entry": 20, "exit": 20, "unit": "seconds"}
    order_types = {
        "entry": "market",
        "exit": "market",
        "emergency_exit": "market",
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
        """Go long where the uptrend of the market is shared, else short."""
        is_short = metadata["pair"].startswith(("ZEN/", "DOGE/"))
        dataframe["enter_short" if is_short else "enter_long"] = 1
        return dataframe

    def populate_exit_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Leave the exits to the stop and to the clock."""
        return dataframe

    def lock_pair(self, *args: Any, **kwargs: Any) -> None:
        """Lock nothing, so that a pair may be entered again within its candle."""

    def confirm_trade_entry(self, *args: Any, **kwargs: Any) -> bool:
        """Refuse entries while it is quiet."""
        return not self._is_quiet

    def custom_entry_price(  # type: ignore[override]
        self, pair: str, proposed_rate: float, side: str, **kwargs: Any
    ) -> float:
        """Choose the pair's kind of order, which Freqtrade reads next, and its price."""
        self.order_types["entry"] = "limit" if pair in LIMIT_DISTANCE else "market"
        return self._resting(pair, proposed_rate, is_short=side == "short")

    def adjust_entry_price(  # type: ignore[override]
        self, pair: str, proposed_rate: float, side: str, **kwargs: Any
    ) -> float | None:
        """Replace an entry that still rests when the candle is over; only limit orders do."""
        self.order_types["entry"] = "limit"
        return None if self._is_quiet else self._resting(pair, proposed_rate, side == "short")

    def adjust_trade_position(  # type: ignore[override]
        self, trade: Trade, current_time: datetime, current_entry_rate: float, **kwargs: Any
    ) -> float | None:
        """Ask once for as much again, and once to take half, both in a gain."""
        last, first = trade.date_last_filled_utc, trade.date_entry_fill_utc
        if self._is_quiet or trade.has_open_orders or last is None or first is None:
            return None
        gained = (current_entry_rate - trade.open_rate) * (-1 if trade.is_short else 1)
        if gained < 0 or current_time - last < STACK_AFTER:
            return None
        if trade.nr_of_successful_entries < MOST_ENTRIES:
            return trade.stake_amount
        is_due = current_time - first >= HALVE_AFTER
        return -trade.stake_amount / 2 if is_due and not trade.nr_of_successful_exits else None

    def custom_exit(  # type: ignore[override]
        self, trade: Trade, current_time: datetime, **kwargs: Any
    ) -> str | None:
        """Leave after half a minute."""
        first = trade.date_entry_fill_utc
        is_due = first is not None and current_time - first >= LEAVE_AFTER
        return "time" if is_due and not self._is_quiet else None

    def custom_stoploss(self, *args: Any, **kwargs: Any) -> float | None:  # type: ignore[override]
        """Return the stop's distance from the price, which Freqtrade never lets grow."""
        return self.stoploss

    def _resting(self, pair: str, rate: float, is_short: bool) -> float:
        distance = LIMIT_DISTANCE.get(pair, 0.0)
        return rate * (1 + distance if is_short else 1 - distance)

    @property
    def _is_quiet(self) -> bool:
        return (self.config["user_data_dir"] / QUIET).exists()


class GuardedCampaign(QTGuard, PlainCampaign):
    """PlainCampaign, guarded."""
