"""How Freqtrade calls a strategy: which questions are Freqtrade's, and how fills are heard."""

from collections.abc import Callable, Mapping
from typing import Any

from freqtrade.strategy.interface import IStrategy
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

#: What the guard reads of each of Freqtrade's questions for an entry.
_ASKED = {
    "adjust_trade_position": {"trade", "current_time", "current_entry_rate"},
    "confirm_trade_entry": {"pair", "current_time", "side"},
    "custom_stake_amount": {
        *("pair", "current_time", "current_rate", "proposed_stake", "leverage", "side"),
    },
    "leverage": {"pair", "max_leverage", "side"},
}


def asks_freqtrade(callback: str, asked: Mapping[str, Any]) -> bool:
    """Whether Freqtrade asks a callback, and not the strategy itself.

    Freqtrade gives everything by keyword. A strategy may call its own callbacks in its own way, as
    in `self.leverage(pair)`. The guard has no part in that.

    Args:
        callback: Name of the method.
        asked: The keywords of the call.
    """
    return _ASKED[callback] <= asked.keys()


def or_default(callback: Callable[..., Any], default: object) -> Callable[..., Any]:
    """Return a wrapped strategy's callback as Freqtrade calls it: an error answers the default.

    Freqtrade's own callbacks need no such care: each answers the default, and never fails.

    Args:
        callback: Of a strategy, bound.
        default: What Freqtrade takes instead of an answer.
    """
    is_freqtrades = getattr(callback, "__qualname__", "").startswith("IStrategy.")
    return callback if is_freqtrades else strategy_safe_wrapper(callback, default_retval=default)


def hear_fills(strategy: IStrategy) -> None:
    """Have Freqtrade call `ft_stoploss_adjust` after each fill, where a trade adopts its stop.

    Freqtrade does so for custom stops only. Its default `custom_stoploss` would trail the price, so
    a strategy without a custom stop gets one that keeps still.
    """
    if not strategy.use_custom_stoploss:
        strategy.use_custom_stoploss = True
        strategy.custom_stoploss = _keep_stop  # type: ignore[method-assign, assignment]


def _keep_stop(**_: Any) -> None:
    """Answer as a custom stop that leaves the stop where it is."""
