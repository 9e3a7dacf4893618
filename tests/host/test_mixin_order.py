"""A class that hides the guard is refused as it is written."""

from typing import Any

import pytest
from freqtrade.strategy import IStrategy

from qt_protections.errors import GuardNotInstalled
from qt_protections.guard import QTGuard


class Plain(IStrategy):
    """A strategy with callbacks of its own."""

    timeframe = "5m"
    stoploss = -0.1
    startup_candle_count = 30

    def confirm_trade_entry(self, *args: Any, **kwargs: Any) -> bool:
        """Agree."""
        return True


def test_the_guard_in_front_is_accepted_and_changes_nothing_of_the_class() -> None:
    """The usual line works; how many candles a strategy needs to warm up, the strategy says."""

    class Mine(QTGuard, Plain):
        pass

    assert Mine.startup_candle_count == Plain.startup_candle_count == 30


def test_the_wrong_order_is_refused() -> None:
    """Named second, the guard would never be asked."""
    with pytest.raises(GuardNotInstalled, match=r"hides the guard's .*confirm_trade_entry"):

        class Mine(Plain, QTGuard):
            pass


@pytest.mark.parametrize("name", ["confirm_trade_entry", "custom_stake_amount", "protections"])
def test_hiding_a_callback_is_refused(name: str) -> None:
    """The error names the callback and the line to write instead."""
    with pytest.raises(GuardNotInstalled, match=rf"{name}.*class Mine\(QTGuard, MyStrategy\)"):
        type("Mine", (QTGuard, Plain), {name: lambda self: None})


def test_the_loader_can_report_it() -> None:
    """Freqtrade's strategy loader prints import errors only; this is one."""
    assert issubclass(GuardNotInstalled, ImportError)
