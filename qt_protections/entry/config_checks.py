"""Settings, strategy and candles that do not fit each other, said when the bot starts.

Each sentence names the setting, its value and what mends it. Nothing here changes what the guard
does: it tells at the start what a trader would else find out trade by trade.
"""

import logging
from collections.abc import Sequence
from math import floor, isfinite

import pandas as pd
from freqtrade.configuration import TimeRange
from freqtrade.enums import RunMode
from freqtrade.strategy.interface import IStrategy

from qt_protections.errors import GuardNotInstalled, withhold_secrets
from qt_protections.market.confidence import confidences
from qt_protections.market.trends import REGIME, length_of
from qt_protections.rules.regime import Regime, TrendRule
from qt_protections.rules.trailing import TrailingRule
from qt_protections.settings import Settings

logger = withhold_secrets(logging.getLogger(__name__))

#: So many pairs are named in a line; the others are counted.
_NAMED = 5
_BACKTESTS = (RunMode.BACKTEST, RunMode.HYPEROPT)


def refuse_position_stacking(strategy: IStrategy) -> None:
    """Refuse a backtest that gives a pair several trades at once.

    Raises:
        GuardNotInstalled: If `position_stacking` is on.
    """
    if strategy.config.get("position_stacking"):
        raise GuardNotInstalled(
            "position_stacking (--eps) is on: it gives a pair several trades, and a live bot "
            "has one. Leave it out; the guard's stack_entries adds entries to that trade."
        )


def entries_sharing(strategy: IStrategy, settings: Settings) -> int | None:
    """Return how many entries of a trade share its risk; None if each has its own.

    Args:
        strategy: The guarded strategy, as it adjusts positions by itself.
        settings: The guard's.

    Raises:
        GuardNotInstalled: If they are to share, and nobody knows how many they are.
    """
    if settings.averaging_down != "share" or settings.risk_per_trade is None:
        return None
    further = strategy.max_entry_position_adjustment
    if strategy.position_adjustment_enable:
        if further < 0:
            raise GuardNotInstalled(
                "averaging_down is share, which divides the risk of a trade over the entries that "
                f"the strategy may make, and max_entry_position_adjustment is {further}: no limit. "
                "Set max_entry_position_adjustment of the strategy or the configuration to the "
                "number of further entries, or averaging_down to refuse."
            )
        return further + 1
    if not settings.stack_entries:
        return 1
    if further >= 0:
        return further + 1
    if settings.max_positions_per_symbol is None:
        raise GuardNotInstalled(
            "averaging_down is share, which divides the risk of a trade over its entries, and "
            "neither max_entry_position_adjustment nor max_positions_per_symbol limits those that "
            "stack_entries adds. Set one of them, or averaging_down to refuse."
        )
    return settings.max_positions_per_symbol


def say_what_does_not_fit(strategy: IStrategy, settings: Settings, pairs: int) -> None:
    """Say which settings cannot all count as they stand.

    Args:
        strategy: The guarded strategy, as it adjusts positions by itself.
        settings: The guard's.
        pairs: How many pairs are traded.
    """
    found = (
        _open_risk(settings, min(strategy.config.get("max_open_trades", pairs), pairs)),
        _averaging(strategy, settings),
        _entries(strategy, settings),
        _trailing(strategy, settings),
    )
    for sentence in found:
        if sentence is not None:
            logger.warning("[SAFETY] %s", sentence)


def _open_risk(settings: Settings, positions: float) -> str | None:
    each, together = settings.risk_per_trade, settings.max_open_risk
    if each is None or together is None or positions * each <= together * (1 + 1e-9):
        return None
    full = floor(together / each + 1e-9)
    return (
        f"{positions:g} positions (max_open_trades and pairs) at risk_per_trade {each:g} % may "
        f"lose {positions * each:g} % of equity, and max_open_risk is {together:g} %: {full} at "
        "full size use that up, and further entries are made smaller or refused (open_risk_full). "
        f"Set max_open_risk to {positions * each:g}, or risk_per_trade to "
        f"{floor(together / positions * 100) / 100:g}, or max_open_trades to {max(full, 1)}."
    )


def _averaging(strategy: IStrategy, settings: Settings) -> str | None:
    each = settings.risk_per_trade
    if each is None:
        if settings.averaging_down == "refuse":
            return None
        return (
            "averaging_down is share, and there is nothing to share: risk_per_trade is null, so no "
            "entry is limited by the risk of its trade. Set risk_per_trade."
        )
    if not strategy.position_adjustment_enable or settings.averaging_down == "share":
        return None
    return (
        "The strategy adjusts positions (position_adjustment_enable), and averaging_down is "
        f"refuse: an entry that averages down gets what its trade has left of risk_per_trade "
        f"{each:g} %, and is refused when that is too little. averaging_down share divides the "
        "risk of a trade over all entries it may make (max_entry_position_adjustment)."
    )


def _entries(strategy: IStrategy, settings: Settings) -> str | None:
    most = settings.max_positions_per_symbol
    if most is None or not strategy.position_adjustment_enable:
        return None
    further = strategy.max_entry_position_adjustment
    if 0 <= further < most:
        return None
    wanted = "any number of" if further < 0 else f"{further}"
    return (
        f"The strategy may add {wanted} entries to a trade (max_entry_position_adjustment), and "
        f"max_positions_per_symbol {most} lets a symbol hold {most} in all: those beyond are "
        "refused (symbol_full). Set max_positions_per_symbol to as many as it needs, 5 at most, or "
        "to null for no limit."
    )


def _trailing(strategy: IStrategy, settings: Settings) -> str | None:
    rule = TrailingRule.of(settings.trail_callback, settings.trail_activation)
    mode = strategy.dp.runmode
    if rule is None or mode not in _BACKTESTS or strategy.config.get("timeframe_detail"):
        return None
    return (
        f"The trailing stop ({rule.callback_pct:g} %) is simulated on {strategy.timeframe} "
        "candles, which do not tell whether their high or their low came first: a candle wider "
        "than the callback may close a trade that an exchange would leave open, or at a better "
        "price. "
        "--timeframe-detail 1m (with candles of 1m) tells what the exchange would see."
    )


class FirstFrames:
    """What the first analysed frame of each pair tells, said once when all are there."""

    def __init__(self, strategy: IStrategy, settings: Settings, regime_pair: str) -> None:
        """Take what is compared with the frames.

        Args:
            strategy: The guarded strategy.
            settings: The guard's.
            regime_pair: Where the global regime is read.
        """
        self._strategy = strategy
        self._settings = settings
        self._regime_pair = regime_pair
        self._trailing = TrailingRule.of(settings.trail_callback, settings.trail_activation)
        self._gates_shorts = strategy.can_short and settings.uptrend_short_exception_conf > 0
        self._ranges: dict[str, float] = {}
        self._unknown: str | None = None
        self._has_confidence = not self._gates_shorts
        self._shorts_for_nothing = False
        # Hyperopt's workers each have a copy of this, for each epoch: a backtest says the same.
        self._is_done = strategy.dp.runmode is RunMode.HYPEROPT

    def look(self, pair: str, frame: pd.DataFrame) -> None:
        """Read a frame with its indicators and entry signals; costs nothing once all is said."""
        if self._is_done or frame.empty:
            return
        try:
            self._read(pair, frame)
        except Exception:
            logger.exception("The first candles of %s could not be compared with settings.", pair)

    def all_seen(self) -> None:
        """Say what the frames told, once each pair has been analysed."""
        if self._is_done or not self._ranges:
            return
        self._is_done = True
        self._say_trailing()
        if self._unknown is not None:
            logger.warning("[SAFETY] %s", self._unknown)
        if not self._has_confidence:
            logger.warning(
                "[SAFETY] The strategy writes no number to column %r (confidence_column), so no "
                "short has the confidence of uptrend_short_exception_conf %g: in an uptrend every "
                "short is refused. Write that column, 0 to 1, or name another; 0 switches the "
                "short gate off.",
                self._settings.confidence_column,
                self._settings.uptrend_short_exception_conf,
            )
        if self._shorts_for_nothing:
            logger.warning(
                "[SAFETY] The strategy writes enter_short, and its can_short is False: Freqtrade "
                "takes no short. Backtests take the long of a candle that signals both ways, a "
                "live bot leaves such a candle out. Set can_short = True, or write no enter_short."
            )

    def _read(self, pair: str, frame: pd.DataFrame) -> None:
        self._ranges[pair] = float(((frame["high"] - frame["low"]) / frame["close"]).median())
        signals_short = "enter_short" in frame.columns and bool((frame["enter_short"] == 1).any())
        self._shorts_for_nothing |= signals_short and not self._strategy.can_short
        if not self._gates_shorts:
            return
        known = confidences(frame, self._settings.confidence_column).notna()
        self._has_confidence |= bool(known.any())
        if self._unknown is None and self._strategy.dp.runmode is RunMode.BACKTEST:
            self._unknown = self._unknown_regime(frame)

    def _unknown_regime(self, frame: pd.DataFrame) -> str | None:
        tested = _tested(frame, self._strategy)
        unknown = tested[tested[REGIME] == Regime.UNKNOWN.value]
        if unknown.empty:
            return None
        interval = self._settings.regime_timeframe
        first, last = unknown["date"].iloc[0], unknown["date"].iloc[-1]
        begin = tested["date"].iloc[0] - TrendRule().settle_candles * length_of(interval)
        return (
            f"The regime of {self._regime_pair} is UNKNOWN in {len(unknown) / len(tested):.0%} of "
            f"this backtest, between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M} UTC, and "
            f"every short is refused there: {TrendRule().settle_candles} closed candles of "
            f"{interval} (regime_timeframe) come before a regime, without a gap. `freqtrade "
            f"download-data --prepend -p {self._regime_pair} -t {interval} "
            f"--timerange {begin:%Y%m%d}-` brings them; uptrend_short_exception_conf 0 needs none."
        )

    def _say_trailing(self) -> None:
        if self._trailing is None:
            return
        callback = self._trailing.callback_ratio
        ranges = sorted(self._ranges.items(), key=lambda each: -each[1])
        logger.info(
            "[OK] The trailing stop's callback is %g %% of price; the median %s candle is %s wide",
            self._trailing.callback_pct,
            self._strategy.timeframe,
            _listed(ranges),
        )
        noisy = [each for each in ranges if isfinite(each[1]) and each[1] >= callback]
        if noisy:
            logger.warning(
                "[SAFETY] The trailing stop's callback lies inside the noise of %d of %d pairs: "
                "every other %s candle is wider than %g %% (%s), and closes a trade that has done "
                "nothing wrong. Set trail_callback above that, or to null for none.",
                len(noisy),
                len(ranges),
                self._strategy.timeframe,
                self._trailing.callback_pct,
                _listed(noisy),
            )


def _listed(ranges: Sequence[tuple[str, float]]) -> str:
    named = [f"{pair} {ratio * 100:.2g} %" for pair, ratio in ranges[:_NAMED]]
    more = len(ranges) - _NAMED
    return ", ".join(named) + (f" and {more} narrower" if more > 0 else "")


def _tested(frame: pd.DataFrame, strategy: IStrategy) -> pd.DataFrame:
    """Return the rows that a backtest tests, without those before its timerange and the warm-up."""
    given = TimeRange.parse_timerange(strategy.config.get("timerange"))
    dates = frame["date"]
    if given.starttype == "date":
        frame = frame[dates >= pd.Timestamp(given.startts, unit="s", tz="UTC")]
    else:
        frame = frame.iloc[strategy.startup_candle_count :]
    if given.stoptype == "date":
        frame = frame[frame["date"] < pd.Timestamp(given.stopts, unit="s", tz="UTC")]
    return frame
