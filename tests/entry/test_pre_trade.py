"""The rules put together: settings reach the rule they are for, and each asker hears the same."""

from collections.abc import Callable

import pytest
from freqtrade.enums import RunMode

from qt_protections.errors import EntryRefused
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.exposure import Exposure
from tests.entry.desk import BTC, ETH, Desk

Make = Callable[..., Desk]
LIVE_AND_TEST = pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.BACKTEST])


@LIVE_AND_TEST
@pytest.mark.parametrize(
    ("qt", "amount"),
    [
        ({}, 3.75),
        ({"risk_per_trade": 0.5}, 2.5),
        ({"risk_per_trade": None}, 15.0),
        ({"max_open_risk": 0.6}, 3.0),
        ({"max_group_risk": 0.4}, 2.0),
        ({"risk_per_trade": 1.0, "max_open_risk": None}, 5.0),
        ({"stop_slippage": 1.0}, 7.5 / 2.98),
    ],
)
def test_each_limit_of_risk_counts_as_it_is_set(
    desk: Make, runmode: RunMode, qt: dict[str, object], amount: float
) -> None:
    """In per cent of 1000, lost at 2 % of price: the smallest is the size."""
    assert desk(runmode, **qt).allowance().amount == pytest.approx(amount, abs=1e-5)


@LIVE_AND_TEST
def test_entries_that_share_the_risk_of_a_trade_get_a_part_each(
    desk: Make, runmode: RunMode
) -> None:
    """The first and two that may follow; those take what is left, either way."""
    made = desk(runmode, entries=3)
    assert made.allowance().amount == pytest.approx(1.25)
    made.hold(3.0)
    assert made.allowance(rate=100.5).amount == pytest.approx(1.5 / 2.5, abs=1e-5)


@LIVE_AND_TEST
def test_the_callback_and_the_door_say_the_same(desk: Make, runmode: RunMode) -> None:
    """Of sizes, and of refusals."""
    made = desk(runmode)
    assert made.approve(100.0).stake == pytest.approx(made.stake(1000.0))
    made.stops.beside.append(Exposure(ETH, False, 15.0, 100.0, 98.0, is_foreign=True))
    assert made.stake(1000.0) == 0.0
    with pytest.raises(EntryRefused) as told:
        made.approve(100.0)
    at_the_door, before = told.value.denial, made.log.refused[BTC, "open_risk_full"].denial
    assert at_the_door.code is before.code is DenyCode.OPEN_RISK_FULL
    facts = dict(at_the_door.facts), dict(before.facts)
    assert [(each["open_risk"], each["limit"], each["stake"]) for each in facts] == [
        (30, 30, 0)
    ] * 2


def test_a_refusal_is_remembered_by_what_it_depends_on(desk: Make) -> None:
    """By candle, holdings and balance of the account."""
    made = desk(max_positions_per_symbol=1)
    trade = made.hold()
    assert not made.passes()
    policy = made.rules.policy

    def stands() -> bool:
        policy.loop_begins()
        return policy.refuses_at_sight(BTC, is_short=False)

    assert stands()
    made.stops.beside.append(Exposure(ETH, False, 1.0, 100.0, 98.0, is_foreign=True))
    assert not stands()
    made.stops.beside.clear()
    assert stands()
    made.strategy.config["tradable_balance_ratio"] = 0.5
    assert not stands()
    made.strategy.config["tradable_balance_ratio"] = 1.0
    trade.stop_loss = 99.0
    assert not stands()
