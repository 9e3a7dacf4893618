"""Further entries of an open trade: what of a strategy's answer Freqtrade may do, and repeats."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from freqtrade.enums import RunMode
from freqtrade.persistence import PairLocks

from qt_protections.rules.denial import DenyCode
from tests.entry.desk import BTC, Desk

Make = Callable[..., Desk]
LIVE_AND_TEST = pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.BACKTEST])


def judged(made: Desk, answer: object, trade: Any, rate: float = 101.0) -> Any:
    """Return what Freqtrade may do of a strategy's answer."""
    return made.rules.adjustment.judged(answer, trade, rate, made.time)


@LIVE_AND_TEST
@pytest.mark.parametrize("answer", [None, 0, 0.0, -50.0, (-50.0, "out"), (None, "x"), (0, "x")])
def test_exits_and_nothing_pass_as_they_are(desk: Make, runmode: RunMode, answer: object) -> None:
    """No rule stands in the way of less risk; not even where entries are refused."""
    made = desk(runmode, adjusts=True, max_positions_per_symbol=1)
    assert judged(made, answer, made.hold()) == answer
    assert made.log.refused == {}


@LIVE_AND_TEST
@pytest.mark.parametrize(
    ("answer", "stake", "tag"),
    [
        (5.0, 5.0, None),
        ((5.0, "more"), 5.0, "more"),
        ((5.0,), 5.0, None),
        ((5.0, "more", "of it"), 5.0, "more"),
        (1000.0, 25.25, None),
    ],
)
def test_an_entry_is_at_most_what_the_risk_allows(
    desk: Make, runmode: RunMode, answer: object, stake: float, tag: str | None
) -> None:
    """With its tag, in whatever form a strategy answers."""
    made = desk(runmode, adjusts=True)
    given, named = judged(made, answer, made.hold())
    assert (given, named) == (pytest.approx(stake), tag)


@LIVE_AND_TEST
def test_an_entry_that_a_rule_objects_to_is_none(desk: Make, runmode: RunMode) -> None:
    """The symbol is full, or the trade has no risk left; each is said."""
    made = desk(runmode, adjusts=True, max_positions_per_symbol=1)
    assert judged(made, 5.0, made.hold()) is None
    assert list(made.log.refused) == [(BTC, DenyCode.SYMBOL_FULL)]
    made = desk(runmode, adjusts=True)
    assert judged(made, 5.0, made.hold(3.75), rate=99.0) is None
    assert list(made.log.refused) == [(BTC, DenyCode.AVERAGING_DOWN)]


@pytest.mark.parametrize(("stacks", "adjusts"), [(True, True), (False, False)])
def test_freqtrade_asks_for_adjustments_if_signals_are_to_add(
    desk: Make, stacks: bool, adjusts: bool
) -> None:
    """Whether the strategy itself does is known before."""
    made = desk(stack_entries=stacks)
    assert made.strategy.position_adjustment_enable is adjusts
    assert not made.rules.adjustment.strategy_adjusts
    assert desk(adjusts=True, stack_entries=stacks).rules.adjustment.strategy_adjusts


@LIVE_AND_TEST
@pytest.mark.parametrize(
    ("tag", "named"), [("mine", "mine stacked"), ("", "stacked"), (None, "stacked")]
)
def test_a_signal_that_repeats_adds_the_stake_of_the_first(
    desk: Make, runmode: RunMode, tag: str | None, named: str
) -> None:
    """Half an R away at the least: the first entry bought one at 100 with 10."""
    made = desk(runmode, stack_entries=True)
    made.candle(enter_long=1, enter_tag=tag)
    stake, told = judged(made, None, made.hold())
    assert (stake, told) == (pytest.approx(10.0), named)


SIGNAL: dict[str, object] = {"enter_long": 1, "enter_tag": "mine"}


@LIVE_AND_TEST
@pytest.mark.parametrize(
    ("qt", "columns", "held", "rate"),
    [
        ({"stack_entries": False}, SIGNAL, {}, 101.0),
        ({}, {}, {}, 101.0),
        ({}, {"enter_long": 0}, {}, 101.0),
        ({}, {**SIGNAL, "enter_short": 1}, {}, 101.0),
        ({}, SIGNAL, {"waiting": 1.0}, 101.0),
        ({}, SIGNAL, {}, 100.9),
        ({}, SIGNAL, {}, 99.1),
        ({"stack_distance": 2.0}, SIGNAL, {}, 103.9),
    ],
    ids=["off", "no column", "no signal", "both ways", "waits", "near", "near below", "far wanted"],
)
def test_a_signal_adds_nothing_while_it_should_not(
    desk: Make,
    runmode: RunMode,
    qt: dict[str, Any],
    columns: dict[str, object],
    held: dict[str, float],
    rate: float,
) -> None:
    """Nor is anything said of it: nobody asked for an entry."""
    made = desk(runmode, **{"stack_entries": True, "max_positions_per_symbol": 5, **qt})
    made.candle(**columns)
    assert judged(made, None, made.hold(**held), rate) is None
    assert made.log.refused == {}


def test_an_entry_that_has_not_filled_is_not_repeated(desk: Make) -> None:
    """There is no first stake to repeat."""
    made = desk(stack_entries=True)
    made.candle(**SIGNAL)
    trade = made.hold()
    trade.orders[0].filled = 0.0
    assert judged(made, None, trade) is None


@LIVE_AND_TEST
@pytest.mark.parametrize("side", ["*", "long", "short"])
def test_a_locked_pair_takes_no_repeated_signal(desk: Make, runmode: RunMode, side: str) -> None:
    """As Freqtrade holds back a first one; the strategy's own entries it leaves to the strategy."""
    made = desk(runmode, stack_entries=True)
    made.candle(**SIGNAL)
    trade = made.hold()
    PairLocks.lock_pair(BTC, made.time + timedelta(hours=9), "cooling down", side=side)
    if side == "short":
        assert judged(made, None, trade) is not None
        return
    assert judged(made, None, trade) is None
    (refused,) = made.log.refused.values()
    assert refused.denial.code is DenyCode.PAIR_LOCKED
    assert "cooling down" in refused.denial.text
    assert judged(made, 5.0, trade) == (5.0, None)
