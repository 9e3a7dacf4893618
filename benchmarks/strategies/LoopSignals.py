"""The strategies of `loop_cost` and `trail_move`: some positions are held, some signals refused."""

import os
from datetime import datetime
from typing import Any

import pandas as pd
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy, stoploss_from_absolute

from qt_protections.guard import QTGuard

#: Names in the environment: pairs to hold, pairs whose signals the guard has to refuse, and the
#: candles, of Freqtrade's own length if not given.
HELD, REFUSED, TIMEFRAME = "BENCH_HELD", "BENCH_REFUSED", "BENCH_TIMEFRAME"
#: In the folder of user data: a byte for each loop, and from when on stops move.
LOOPS, MOVING = "loops", "moving"
#: Of the entry's price, for each loop's time.
STEP = 0.0002


class PlainLoop(IStrategy):
    """Hold some pairs, ask in vain for others, and count the loops.

    What is held has leverage 10 and its stop 3 % away, too far for a calm market. Refused signals
    have leverage 1, so their stop is so far away that the risk allows less than the exchange takes.
    """

    INTERFACE_VERSION = 3
    timeframe = os.environ.get(TIMEFRAME, "5m")

    minimal_roi = {"0": 10.0}
    stoploss = -0.30
    order_types = {
        "entry": "market",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": True,
    }

    def bot_start(self, **kwargs: Any) -> None:
        """Read which pairs are which."""
        self._held = frozenset(os.environ.get(HELD, "").split(","))
        self._refused = frozenset(os.environ.get(REFUSED, "").split(","))

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Count the loop."""
        with (self.config["user_data_dir"] / LOOPS).open("ab") as file:
            file.write(b".")

    def leverage(self, pair: str, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 10, and 1 for what is to be refused."""
        return 10.0 if pair in self._held else 1.0

    def confirm_trade_entry(self, pair: str, *args: Any, **kwargs: Any) -> bool:  # type: ignore[override]
        """Refuse what is to be refused, should nobody have before: plain Freqtrade has no guard."""
        return pair in self._held

    def populate_indicators(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Add the confidence the guard asks for."""
        dataframe["confidence"] = 0.9
        return dataframe

    def populate_entry_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Go long on each candle of the pairs that are held or to be refused."""
        wants = metadata["pair"] in self._held | self._refused
        dataframe["enter_long"] = int(wants)
        return dataframe

    def populate_exit_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Leave the exits to the stop."""
        return dataframe


class GuardedLoop(QTGuard, PlainLoop):
    """PlainLoop, guarded."""


class PlainTrail(PlainLoop):
    """PlainLoop, whose stops move a step in each loop from a moment on."""

    use_custom_stoploss = True
    order_types = PlainLoop.order_types | {"stoploss_on_exchange_interval": 1}

    def custom_stoploss(  # type: ignore[override]
        self, trade: Trade, current_time: datetime, current_rate: float, **kwargs: Any
    ) -> float | None:
        """Return the distance to where the stop should be by now."""
        flag = self.config["user_data_dir"] / MOVING
        if not flag.exists():
            return None
        passed_s = max(0.0, current_time.timestamp() - flag.stat().st_mtime)
        throttle_s = self.config["internals"]["process_throttle_secs"]
        steps = 1 + passed_s // throttle_s
        stop = trade.open_rate * (1 + self.stoploss / trade.leverage + steps * STEP)
        distance: float = stoploss_from_absolute(
            stop, current_rate, is_short=trade.is_short, leverage=trade.leverage
        )
        return distance


class GuardedTrail(QTGuard, PlainTrail):
    """PlainTrail, guarded."""
