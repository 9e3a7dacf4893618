"""The candles the guard needs, beside those the strategy asks for."""

import logging

from freqtrade.constants import Config
from freqtrade.exceptions import ConfigurationError
from freqtrade.exchange import Exchange

from qt_protections.errors import withhold_secrets
from qt_protections.rules.regime import TrendRule
from qt_protections.settings import Settings

logger = withhold_secrets(logging.getLogger(__name__))


def ask_for_candles(exchange: Exchange, config: Config, settings: Settings) -> None:
    """Have a bot's exchange fetch and keep the candles that the trends need.

    Freqtrade fetches every informative pair as deep as `startup_candle_count` says. That number
    stays the strategy's: backtests, charts and analyses begin by it. Backtests need nothing of
    this, since the guard reads the stored candles whole.

    Args:
        exchange: The bot's, before the first candle is fetched.
        config: The bot's.
        settings: The guard's; with every rule off that reads a trend, nothing is asked for.
    """
    needed, interval = TrendRule().settle_candles, settings.regime_timeframe
    if settings.uptrend_short_exception_conf == 0 and settings.max_group_risk is None:
        return
    if config.get("startup_candle_count", 0) >= needed:
        return
    calls = exchange.required_candle_call_count
    try:
        exchange._set_startup_candle_count(
            {**config, "startup_candle_count": needed, "timeframe": interval}
        )
    except ConfigurationError as error:
        logger.warning(
            "[SAFETY] The regime needs %d candles of %s, and %s does not give as many (%s): it may "
            "stay UNKNOWN, and then every short is refused.",
            needed,
            interval,
            exchange.name,
            error,
        )
    exchange.required_candle_call_count = max(calls, exchange.required_candle_call_count)
