"""The guard starts on the Freqtrade it knows, and on no other."""

import inspect

import pytest
from freqtrade.exchange.common import retrier
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

from qt_protections.errors import GuardNotInstalled
from qt_protections.hooks import verify_hooks


def test_the_installed_freqtrade_is_known() -> None:
    """Every hook exists with the parameters the guard was written for."""
    verify_hooks()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("freqtrade.strategy.interface:IStrategy.analyze", r"analyze takes \(self pairs\)"),
        ("freqtrade.strategy.interface:IStrategy.gone", "IStrategy.gone is gone"),
        ("freqtrade.gone:IStrategy.analyze", "analyze is gone"),
    ],
    ids=["changed", "attribute-gone", "module-gone"],
)
def test_a_changed_hook_is_named(path: str, said: str) -> None:
    """The start stops with the name of what changed."""
    with pytest.raises(GuardNotInstalled, match=said):
        verify_hooks({path: "self something else"})


def order_of(function: object, *texts: str) -> list[int]:
    """Return where the texts first stand in a function's source."""
    source = inspect.getsource(function)  # type: ignore[arg-type]
    return [source.index(text) for text in texts]


def test_after_a_fill_stops_are_cancelled_before_the_adoption() -> None:
    """The trade may take its stop over only after Freqtrade cancelled the stops it knew."""
    places = order_of(
        FreqtradeBot._update_trade_after_fill,
        "cancel_stoploss_on_exchange(trade)",
        "if self.strategy.use_custom_stoploss and trade.is_open",
        "after_fill=True",
    )
    assert places == sorted(places)


def test_bot_start_comes_before_the_protections() -> None:
    """So the guard is at its post when its protections are loaded."""
    places = order_of(FreqtradeBot.__init__, "ft_bot_start()", "ProtectionManager(")
    assert places == sorted(places)


def test_the_analysis_comes_between_the_sweep_and_the_entries() -> None:
    """The protections are asked after it, on the newest candle."""
    places = order_of(FreqtradeBot.process, "bot_loop_start", "strategy.analyze", "enter_positions")
    assert places == sorted(places)


def test_a_query_can_be_asked_once() -> None:
    """Freqtrade's retrier takes the number of repeats along with the call."""
    assert 'kwargs.pop("count"' in inspect.getsource(retrier)


def test_freqtrade_takes_an_error_in_the_confirmation_for_a_yes() -> None:
    """Why the gate catches its own errors."""

    def failing() -> bool:
        raise RuntimeError

    assert strategy_safe_wrapper(failing, default_retval=True)() is True
    assert "default_retval=True" in inspect.getsource(FreqtradeBot.execute_entry)


def test_backtests_scan_every_lock_at_every_entry() -> None:
    """Why the protections add none there."""
    assert "PairLocks.is_pair_locked" in inspect.getsource(Backtesting.backtest_loop)
