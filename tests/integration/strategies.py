"""Strategies of the integration tests; Freqtrade loads them from this folder."""

from datetime import datetime
from typing import Any

import pandas as pd
from freqtrade.strategy import IStrategy

from qt_protections.guard import QTGuard

#: When `OnceTenfold` enters, at the candle's open.
TENFOLD_AT = "2025-01-04T00:00:00Z"


class Quiet(IStrategy):
    """No signals of its own: entries come by remote control."""

    timeframe = "1m"
    can_short = True
    position_adjustment_enable = True
    minimal_roi = {"0": 10}
    stoploss = -0.6
    order_types = {
        "entry": "market",
        "exit": "market",
        "stoploss": "limit",
        "stoploss_on_exchange": False,
    }
    protections = [{"method": "CooldownPeriod", "stop_duration_candles": 1}]

    def leverage(self, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 30: the stop stands 2 % away."""
        return 30.0

    def populate_indicators(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Give every signal a good confidence."""
        dataframe["confidence"] = 0.9
        return dataframe

    def populate_entry_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Never enter."""
        return dataframe

    def populate_exit_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Never leave."""
        return dataframe


class GuardedQuiet(QTGuard, Quiet):
    """Quiet, guarded."""


class FarStop(Quiet):
    """Has its stop where no exchange takes one, as many have that manage their exits themselves."""

    stoploss = -0.998

    def leverage(self, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 1."""
        return 1.0


class GuardedFarStop(QTGuard, FarStop):
    """FarStop, guarded."""


class NoStop(Quiet):
    """Asks for no stop, in Freqtrade's words, under leverage."""

    stoploss = -1.0

    def leverage(self, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 3."""
        return 3.0


class GuardedNoStop(QTGuard, NoStop):
    """NoStop, guarded."""


class HalfStop(FarStop):
    """Has its stop half of price away."""

    stoploss = -0.5


class GuardedHalfStop(QTGuard, HalfStop):
    """HalfStop, guarded."""


class BothSides(Quiet):
    """Writes short columns although it may not go short."""

    can_short = False

    def populate_entry_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Signal both ways on every candle, without confidence."""
        dataframe["confidence"] = 0.0
        return dataframe.assign(enter_long=1, enter_short=1)


class GuardedBothSides(QTGuard, BothSides):
    """BothSides, guarded."""


class Confirming(Quiet):
    """A strategy with opinions: every callback it has must still be heard."""

    def confirm_trade_entry(self, pair: str, **kwargs: Any) -> bool:  # type: ignore[override]
        """Refuse SOL."""
        return not pair.startswith("SOL")

    def custom_stake_amount(self, **kwargs: Any) -> float:  # type: ignore[override]
        """Stake 20."""
        return 20.0


class GuardedConfirming(QTGuard, Confirming):
    """Confirming, guarded."""


class StakesNothing(Quiet):
    """Its stake is no number."""

    def custom_stake_amount(self, **kwargs: Any) -> Any:  # type: ignore[override]
        """Forget to return one."""
        return None


class GuardedStakesNothing(QTGuard, StakesNothing):
    """StakesNothing, guarded."""


class Raising(Quiet):
    """Its callbacks fail, one or the other."""

    def confirm_trade_entry(self, pair: str, **kwargs: Any) -> bool:  # type: ignore[override]
        """Fail for BTC."""
        if pair.startswith("BTC"):
            raise RuntimeError("forced by a test")
        return True

    def custom_stake_amount(self, pair: str, proposed_stake: float, **kwargs: Any) -> float:  # type: ignore[override]
        """Fail for ETH."""
        if pair.startswith("ETH"):
            raise RuntimeError("forced by a test")
        return proposed_stake


class GuardedRaising(QTGuard, Raising):
    """Raising, guarded."""


class Adjusting(Quiet):
    """Asks for a second entry far too large, in each loop."""

    def adjust_trade_position(self, **kwargs: Any) -> Any:  # type: ignore[override]
        """Ask for 2,000."""
        return 2000.0, "more"


class GuardedAdjusting(QTGuard, Adjusting):
    """Adjusting, guarded."""


class Reducing(Quiet):
    """Gives a part of its position back, in whatever form `answer` has."""

    answer: Any = None

    def adjust_trade_position(self, **kwargs: Any) -> Any:  # type: ignore[override]
        """Give back what the test says."""
        return self.answer


class GuardedReducing(QTGuard, Reducing):
    """Reducing, guarded."""


class SetsItself(Quiet):
    """Sets in __init__ what others set in the class."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.protections = [{"method": "CooldownPeriod"}]
        if config["max_open_trades"] == 1:
            self.startup_candle_count = 30


class GuardedSetsItself(QTGuard, SetsItself):
    """SetsItself, guarded."""


class FailsAtStart(Quiet):
    """Its own bot_start fails."""

    def bot_start(self, **kwargs: Any) -> None:
        """Fail."""
        raise RuntimeError("forced by a test")


class GuardedFailsAtStart(QTGuard, FailsAtStart):
    """FailsAtStart, guarded."""


class Always(Quiet):
    """Both sides on every candle, by turns."""

    def populate_entry_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Enter short where the symbol is weak, else long."""
        weak = dataframe["qt_local_distance"] < 0
        dataframe["enter_short"] = weak.astype(int)
        dataframe["enter_long"] = (~weak).astype(int)
        return dataframe


class GuardedAlways(QTGuard, Always):
    """Always, guarded."""


class NeverFills(Always):
    """Limit entries far from the market, which time out unfilled."""

    order_types = {**Quiet.order_types, "entry": "limit"}

    def custom_entry_price(  # type: ignore[override]
        self, proposed_rate: float, side: str, current_time: datetime, **kwargs: Any
    ) -> float:
        """Ask for a price 1.5 % better than the market's."""
        return proposed_rate * (1.015 if side == "short" else 0.985)

    def check_entry_timeout(self, **kwargs: Any) -> bool:  # type: ignore[override]
        """Give up at the first look."""
        return True


class GuardedNeverFills(QTGuard, NeverFills):
    """NeverFills, guarded."""


class Following(Quiet):
    """Its stop stands where a test wants it, as a ratio of the margin behind the price."""

    use_custom_stoploss = True
    wanted: float | None = None

    def custom_stoploss(self, **kwargs: Any) -> float | None:  # type: ignore[override]
        """Return what the test wants."""
        return self.wanted


class GuardedFollowing(QTGuard, Following):
    """Following, guarded."""


class FollowingFills(Following):
    """Asked right after a fill as well, where Freqtrade lets its stop move away from the price."""

    def custom_stoploss(self, after_fill: bool, **kwargs: Any) -> float | None:  # type: ignore[override]
        """Return what the test wants."""
        return self.wanted


class GuardedFollowingFills(QTGuard, FollowingFills):
    """FollowingFills, guarded."""


class Trailing(Quiet):
    """Freqtrade's own trailing stop: from a gain of 0.67 % on, 0.5 % behind the best price."""

    trailing_stop = True
    trailing_stop_positive = 0.15
    trailing_stop_positive_offset = 0.2
    trailing_only_offset_is_reached = True


class GuardedTrailing(QTGuard, Trailing):
    """Trailing, guarded."""


class OnceTenfold(Quiet):
    """One entry at a known candle, ten times leverage: the stop, 1 R, is 2 % away."""

    timeframe = "5m"
    stoploss = -0.2
    position_adjustment_enable = False
    minimal_roi = {"0": 100}

    def leverage(self, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 10."""
        return 10.0

    def populate_entry_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Signal on the candle before `TENFOLD_AT`: short on ETH and XRP, else long."""
        side = "enter_short" if metadata["pair"][:3] in ("ETH", "XRP") else "enter_long"
        signal = pd.Timestamp(TENFOLD_AT) - pd.Timedelta(self.timeframe)
        dataframe[side] = (dataframe["date"] == signal).astype(int)
        return dataframe


class GuardedOnceTenfold(QTGuard, OnceTenfold):
    """OnceTenfold, guarded."""


class Close(Quiet):
    """Its stop follows the price, at 15 % of margin: half a per cent of price."""

    use_custom_stoploss = True

    def custom_stoploss(self, **kwargs: Any) -> float:  # type: ignore[override]
        """Return -0.15."""
        return -0.15


class GuardedClose(QTGuard, Close):
    """Close, guarded."""


class Spot(Quiet):
    """Long only, unleveraged: the stop stands 5 % away."""

    can_short = False
    stoploss = -0.05

    def leverage(self, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 1."""
        return 1.0


class GuardedSpot(QTGuard, Spot):
    """Spot, guarded."""


class Tight(Quiet):
    """Enters by limit, with its stop 0.5 % away."""

    stoploss = -0.15
    order_types = {**Quiet.order_types, "entry": "limit"}


class GuardedTight(QTGuard, Tight):
    """Tight, guarded."""


class OnExchange(Quiet):
    """Quiet, with its stops on the exchange also without a guard."""

    order_types = {**Quiet.order_types, "stoploss": "market", "stoploss_on_exchange": True}


class GuardedOnExchange(QTGuard, OnExchange):
    """OnExchange, guarded."""
