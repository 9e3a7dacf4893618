"""The market as the rules see it: trends from Freqtrade's candles, one computation a candle."""

import logging
from datetime import datetime

import numpy as np
import pandas as pd
from freqtrade.constants import Config
from freqtrade.data.dataprovider import DataProvider
from freqtrade.data.history import load_pair_history
from freqtrade.enums import CandleType, RunMode, TradingMode
from freqtrade.exchange import timeframe_to_prev_date, timeframe_to_seconds

from qt_protections.rules.correlation import BetaRule, Group
from qt_protections.rules.regime import (
    UNKNOWN_TREND,
    Regime,
    Trend,
    TrendRule,
    as_of,
    resample,
)
from qt_protections.settings import Settings

logger = logging.getLogger(__name__)

#: Columns the guard adds to every frame.
REGIME = "qt_regime"
LOCAL_DISTANCE = "qt_local_distance"
#: ATR over close; where stops are taken from it only.
ATR = "qt_atr"

LIVE_MODES = (RunMode.LIVE, RunMode.DRY_RUN)


class Market:
    """Trends of the reference pair and of every symbol, from closed candles."""

    def __init__(self, dp: DataProvider, config: Config, settings: Settings) -> None:
        self._dp = dp
        self._config = config
        self._settings = settings
        self._rule = TrendRule()
        self._beta_rule = BetaRule(settings.group_beta)
        self._histories: dict[tuple[str, str], tuple[tuple[int, object], pd.DataFrame]] = {}
        self._betas: dict[str, tuple[object, float]] = {}
        self._stored: dict[tuple[str, str], pd.DataFrame] = {}
        self._misses = False
        self._is_unlisted = False
        self.regime_pair = settings.regime_pair_for(
            config["stake_currency"], is_spot=config.get("trading_mode") == TradingMode.SPOT
        )

    def informative_pairs(self) -> list[tuple[str, str]]:
        """Return the (pair, interval) candles the trends need, of what the exchange has."""
        local = self._settings.local_interval
        wanted = [(pair, local) for pair in whitelist(self._dp)]
        if not self._has_regime_pair():
            # Freqtrade would ask for its candles in each loop, and log each of ten tries.
            return wanted
        if self._settings.max_group_risk is not None:
            wanted.append((self.regime_pair, local))
        return [(self.regime_pair, self._settings.regime_timeframe), *wanted]

    def _has_regime_pair(self) -> bool:
        """Tell whether the exchange has the regime's pair; say once what follows if not."""
        if self._dp._exchange is None:
            return True
        # ccxt takes BTC/USDT for the contract of that name.
        settled = f"{self.regime_pair}:{self.regime_pair.rpartition('/')[2]}"
        if self._dp.market(self.regime_pair) or self._dp.market(settled):
            return True
        if not self._is_unlisted:
            self._is_unlisted = True
            logger.warning(
                "[SAFETY] The exchange has no market %s (regime_pair): its trend is UNKNOWN, and "
                "while uptrend_short_exception_conf is above 0 every short is refused. Set "
                "regime_pair to a pair that the exchange has.",
                self.regime_pair,
            )
        return False

    def add_columns(self, frame: pd.DataFrame, pair: str) -> pd.DataFrame:
        """Return the frame with what was known of both trends when each of its candles closed."""
        closes = frame["date"] + length_of(self._config["timeframe"])
        regime = self._known_at(closes, self.regime_pair, self._settings.regime_timeframe)
        local = self._known_at(closes, pair, self._settings.local_interval)
        columns: dict[str, np.ndarray | pd.Series] = {
            REGIME: regime["regime"].to_numpy(),
            LOCAL_DISTANCE: local["distance"].to_numpy(),
        }
        if (candles := self._settings.stop_atr) is not None:
            import talib.abstract as ta  # noqa: PLC0415  6 MB, which few have a use for

            columns[ATR] = ta.ATR(frame, timeperiod=candles) / frame["close"]
        return frame.assign(**columns)

    def beta(self, pair: str, now: datetime) -> float:
        """Return a symbol's beta to the regime's pair as known at `now` (UTC); NaN is unknown."""
        interval = self._settings.local_interval
        own, market = self._candles(pair, interval), self._candles(self.regime_pair, interval)
        stamp = (timeframe_to_prev_date(interval, now), _stamp(own), _stamp(market))
        cached = self._betas.get(pair)
        if cached is None or cached[0] != stamp:
            closes = self._closes(own, interval, now), self._closes(market, interval, now)
            cached = self._betas[pair] = (stamp, self._beta_rule.beta(*closes))
        return cached[1]

    def group(self, pair: str, now: datetime, *, is_short: bool) -> Group | None:
        """Return what the market has to do for a position to lose; None if neither matters."""
        return self._beta_rule.group(self.beta(pair, now), is_short=is_short)

    def _closes(self, candles: pd.DataFrame, interval: str, now: datetime) -> pd.Series:
        known = candles[candles["date"] + length_of(interval) <= now]
        known = known.iloc[-self._beta_rule.candles - 1 :]
        return known.set_index("date")["close"]

    def global_trend(self, now: datetime) -> Trend:
        """Return the reference pair's trend as known at `now` (UTC)."""
        interval = self._settings.regime_timeframe
        history = self._history(self.regime_pair, interval)
        moment = pd.Series([pd.Timestamp(now)])
        known = as_of(history, moment, length_of(interval)).iloc[0]
        if known["regime"] == Regime.UNKNOWN:
            return UNKNOWN_TREND
        closed = history["closed_at"]
        closed_at = closed[closed <= now].iloc[-1].to_pydatetime()
        return Trend(Regime(known["regime"]), float(known["distance"]), closed_at)

    def regime_shares(self, first: datetime, last: datetime) -> dict[str, float]:
        """Return the share (0 to 1) of each regime in the strategy's candles of a time, UTC."""
        closes = pd.Series(pd.date_range(first, last, freq=length_of(self._config["timeframe"])))
        known = self._known_at(closes, self.regime_pair, self._settings.regime_timeframe)
        shares = known["regime"].value_counts(normalize=True)
        return {str(regime): round(float(share), 4) for regime, share in shares.items()}

    def _known_at(self, moments: pd.Series, pair: str, interval: str) -> pd.DataFrame:
        history = self._history(pair, interval)
        # Stored candles reach beyond a frame that a bias analysis has cut short. With them gone, a
        # look ahead would change the frame, and the analysis would see it.
        known = history[history["closed_at"] <= moments.iloc[-1]] if len(moments) else history
        return as_of(known, moments, length_of(interval))

    def _history(self, pair: str, interval: str) -> pd.DataFrame:
        candles = self._candles(pair, interval)
        stamp = _stamp(candles)
        cached = self._histories.get((pair, interval))
        if cached is None or cached[0] != stamp:
            cached = (stamp, self._rule.history(candles, length_of(interval)))
            self._histories[(pair, interval)] = cached
        return cached[1]

    def _candles(self, pair: str, interval: str) -> pd.DataFrame:
        if self._dp.runmode in LIVE_MODES:
            return _dated(self._dp.ohlcv(pair, interval, copy=False))
        if (pair, interval) not in self._stored:
            loaded = self._stored[(pair, interval)] = self._load(pair, interval)
            if loaded.empty:
                self._say_missing(pair, interval)
        return self._stored[(pair, interval)]

    def _say_missing(self, pair: str, interval: str) -> None:
        """Say once what it means that a backtest has no candles to read a trend from."""
        if self._misses or self._settings.uptrend_short_exception_conf == 0:
            return
        self._misses = True
        logger.warning(
            "[SAFETY] There are no %s candles of %s, and the strategy's own cannot make them: its "
            "trend is UNKNOWN, and shorts that depend on that are refused in this backtest. "
            "`freqtrade download-data -t %s` brings them. More such pairs are not named.",
            interval,
            pair,
            interval,
        )

    def _load(self, pair: str, interval: str) -> pd.DataFrame:
        """Read stored candles, whole: a trimmed start would move the average.

        Where they were never downloaded, or end too early, the strategy's own shorter candles
        take their place.
        """
        stored, own = self._stored_file(pair, interval), self._config["timeframe"]
        if length_of(own) >= length_of(interval) or length_of(interval) % length_of(own):
            return stored
        built = resample(self._stored_file(pair, own), length_of(own), length_of(interval))
        later = built[built["date"] > stored["date"].max()] if len(stored) else built
        if later.empty:
            return stored
        logger.info("Building %s candles of %s from its %s candles.", interval, pair, own)
        joins = len(stored) > 0 and later["date"].iloc[0] - stored["date"].max() == length_of(
            interval
        )
        return pd.concat([stored[["date", "close"]], later]) if joins else built

    def _stored_file(self, pair: str, interval: str) -> pd.DataFrame:
        return _dated(
            load_pair_history(
                pair=pair,
                timeframe=interval,
                datadir=self._config["datadir"],
                data_format=self._config["dataformat_ohlcv"],
                candle_type=self._config.get("candle_type_def", CandleType.FUTURES),
            )
        )


def whitelist(dp: DataProvider) -> list[str]:
    """Return the pairs to trade; where Freqtrade runs no pairlist (plots), the configured ones."""
    if dp._pairlists is not None:
        return dp.current_whitelist()
    return list(dp._config.get("exchange", {}).get("pair_whitelist", []))


def _stamp(candles: pd.DataFrame) -> tuple[int, object]:
    """Return what changes when candles are added."""
    return len(candles), candles["date"].iloc[-1] if len(candles) else None


def length_of(timeframe: str) -> pd.Timedelta:
    """Return the length of one candle of Freqtrade's interval."""
    return pd.Timedelta(seconds=timeframe_to_seconds(timeframe))


def _dated(candles: pd.DataFrame) -> pd.DataFrame:
    """Give an empty answer of Freqtrade the columns of a full one."""
    if len(candles):
        return candles
    return pd.DataFrame(
        {"date": pd.Series(dtype="datetime64[ms, UTC]"), "close": pd.Series(dtype=float)}
    )
