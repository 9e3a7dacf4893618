"""The words for the first difference between two backtests."""

from typing import Any

import pytest

from qt_protections.conformance.backtests import NotRun
from qt_protections.conformance.runs import Verdict, compared
from qt_protections.conformance.trades import FIELDS, Backtested, Trade, difference

BEGAN = "2024-08-01 00:00:00"


def trade(hour: int, pair: str = "BTC/USDT:USDT", **changes: Any) -> Trade:
    """Return a trade as Freqtrade exports it."""
    return {
        "pair": pair,
        "is_short": False,
        "open_date": f"2024-08-01 {hour:02}:00:00+00:00",
        "enter_tag": None,
        "leverage": 1.0,
        "open_rate": 60_000.0,
        "close_date": "2024-08-02 00:00:00+00:00",
        "close_rate": 61_000.5,
        "exit_reason": "roi",
        "amount": 0.05,
        "stake_amount": 3_000.0,
        "initial_stop_loss_abs": 57_000.0,
        "stop_loss_abs": 57_000.0,
        "orders": [{}, {}],
    } | changes


def words(plain: list[Trade], guarded: list[Trade]) -> str | None:
    """Return the difference of two lists of trades."""
    return difference(Backtested(plain, BEGAN), Backtested(guarded, BEGAN))


def test_the_same_trades_are_equal_in_any_order() -> None:
    """Freqtrade lists them by their end, and two that end at once as chance has it."""
    first, second = trade(1), trade(2, "ETH/USDT:USDT")
    assert words([first, second], [second, first]) is None


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_counts(name: str) -> None:
    """None is left out to make a difference go away."""
    others = {"orders": [{}], "pair": "XRP/USDT:USDT"}
    other = others.get(name, "2024-08-09 05:00" if "date" in name else 7)
    assert words([trade(1)], [trade(1, **{name: other})]) is not None


def test_what_differs_is_named() -> None:
    """With both values, as a person would say it."""
    assert words(
        [trade(1), trade(2)], [trade(1), trade(2, exit_reason="stop_loss", orders=[])]
    ) == (
        "trade 2: BTC/USDT:USDT long of 2024-08-01 02:00: exit reason 'roi' plain, 'stop_loss' "
        "guarded; number of orders 2 plain, 0 guarded"
    )


def test_a_trade_of_one_side_alone_is_named() -> None:
    """Whichever side that is, and wherever it stands."""
    assert words([trade(1), trade(2)], [trade(2)]) == (
        "trade 1: the plain one alone opens BTC/USDT:USDT long of 2024-08-01 01:00"
    )
    assert words([trade(2)], [trade(1), trade(2)]) == (
        "trade 1: the guarded one alone opens BTC/USDT:USDT long of 2024-08-01 01:00"
    )
    assert words([trade(1)], []) is not None
    assert words([], [trade(1)]) is not None


def test_another_beginning_is_said_first() -> None:
    """A warm-up that is longer tests less of the timerange."""
    late = Backtested([], "2024-08-26 00:00:00")
    assert difference(Backtested([trade(1)], BEGAN), late) == (
        f"the plain backtest begins {BEGAN}, the guarded one 2024-08-26 00:00:00"
    )


def test_the_verdicts() -> None:
    """What fails plain says nothing of the guard; what fails guarded alone does."""
    ran, failed = Backtested([trade(1)], BEGAN), NotRun("no data")
    assert compared("A", ran, ran).verdict is Verdict.EQUAL
    assert compared("A", failed, failed).verdict is Verdict.NOT_RUN
    assert compared("A", ran, failed).verdict is Verdict.DIFFERENT
    assert "no data" in compared("A", ran, failed).words
    nothing = Backtested([], BEGAN)
    assert "proves nothing" in compared("A", nothing, nothing).words
