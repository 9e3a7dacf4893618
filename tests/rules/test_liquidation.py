"""Liquidation stays beyond the stop, by the books of the local exchange as well."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_protections.rules.denial import Denial, DenyCode
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.liquidation import (
    Bracket,
    LiquidationRule,
    isolated_distance,
    maintenance,
)
from qt_protections.rules.stop_price import stop_at
from tests.patience import MANY_EXAMPLES

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


@st.composite
def brackets(draw: st.DrawFn) -> list[Bracket]:
    """Return steps that join without a jump, as an exchange's do."""
    rates = sorted(draw(st.lists(st.floats(0.002, 0.3), min_size=1, max_size=6, unique=True)))
    floors = sorted(draw(st.lists(st.floats(1e3, 1e7), min_size=len(rates), max_size=len(rates))))
    made = [Bracket(rates[0], 0.0)]
    for rate, floor in zip(rates[1:], floors[1:], strict=True):
        made.append(Bracket(rate, made[-1].amount + floor * (rate - made[-1].rate)))
    return made


def test_a_worked_example() -> None:
    """30x at 0.4 %: a long of 10,000 with 333.33 behind it goes 2.945 % below its entry."""
    distance = isolated_distance(30, 10_000, [Bracket(0.004, 0.0)], is_short=False)
    assert distance == pytest.approx((1 / 30 - 0.004) / 0.996)
    left = 10_000 / 30 - 10_000 * distance
    assert left == pytest.approx(maintenance(10_000 * (1 - distance), [Bracket(0.004, 0.0)]))


@settings(max_examples=MANY_EXAMPLES, deadline=None)
@given(
    leverage=st.floats(1, 125),
    notional=st.floats(10, 1e8),
    steps=brackets(),
    is_short=st.booleans(),
)
def test_the_margin_is_gone_at_the_distance_and_not_before(
    leverage: float, notional: float, steps: list[Bracket], is_short: bool
) -> None:
    """By the margin's own balance at that price, and at one a little nearer."""
    distance = isolated_distance(leverage, notional, steps, is_short=is_short)

    def left(ratio: float) -> float:
        there = notional * (1 + ratio if is_short else 1 - ratio)
        return notional / leverage - notional * ratio - maintenance(there, steps)

    assert left(distance) == pytest.approx(0, abs=1e-6 * notional)
    if distance > 1e-6:
        assert left(distance * 0.999) > 0


@settings(max_examples=MANY_EXAMPLES, deadline=None)
@given(
    wish=st.floats(1, 125),
    stoploss=st.floats(0.02, 0.99),
    in_price=st.booleans(),
    risk=st.floats(10, 1e5),
    buffer=st.floats(0, 2),
    steps=brackets(),
    is_short=st.booleans(),
)
def test_no_leverage_lets_liquidation_come_before_the_stop(
    wish: float,
    stoploss: float,
    in_price: bool,
    risk: float,
    buffer: float,
    steps: list[Bracket],
    is_short: bool,
) -> None:
    """Whatever is let through survives its stop and the buffer; else the entry is refused."""
    rule = LiquidationRule(buffer)

    def distance_at(leverage: float) -> float:
        return stoploss / 10 if in_price else stoploss / leverage

    def entry_at(leverage: float) -> tuple[float, float]:
        return distance_at(leverage), risk / distance_at(leverage)

    leverage = rule.highest_leverage(wish, entry_at, steps, is_short=is_short)
    assert 1 <= leverage <= wish
    stop = stop_at(100.0, distance_at(leverage), is_short=is_short)
    position = Exposure(BTC, is_short, entry_at(leverage)[1] / 100.0, 100.0, stop)
    denial = rule.check_isolated(position, leverage, steps)
    if denial is None:
        survives = isolated_distance(leverage, position.amount * 100.0, steps, is_short=is_short)
        assert survives >= distance_at(leverage) * (1 + buffer) * (1 - 1e-9)
    else:
        assert leverage == 1.0
        assert denial.code is DenyCode.STOP_BEYOND_LIQUIDATION


@pytest.mark.parametrize(
    ("wish", "stoploss", "expected"),
    [(30.0, 0.15, 30.0), (30.0, 0.6, 13.0), (12.5, 0.6, 12.5), (5.0, 0.99, 1.0)],
    ids=["keeps", "lowers", "a fraction", "never fits"],
)
def test_leverage(wish: float, stoploss: float, expected: float) -> None:
    """The wish, or the highest whole leverage that is safe at 2 % maintenance."""
    rule = LiquidationRule(0.25)
    steps = [Bracket(0.02, 0.0)]
    leverage = rule.highest_leverage(
        wish, lambda at: (stoploss / at, 1000.0), steps, is_short=False
    )
    assert leverage == expected


def test_a_position_beyond_its_liquidation_is_refused_with_numbers() -> None:
    """Leverage given by hand goes around the callback, and meets the check at the door."""
    position = Exposure(BTC, False, 1.0, 100.0, 98.0)
    denial = LiquidationRule(0.25).check_isolated(position, 125, [Bracket(0.004, 0.0)])
    assert denial is not None
    assert denial.code is DenyCode.STOP_BEYOND_LIQUIDATION
    assert "at leverage 125 the position is liquidated 0.402% from its entry" in denial.text


@pytest.mark.parametrize(
    ("balance", "others", "denied"),
    [
        (1_000.0, [], False),
        (300.0, [], True),
        (1_000.0, [Exposure("ETH/USDT:USDT", True, 10.0, 100.0, 190.0)], True),
        (1_000.0, [Exposure("ETH/USDT:USDT", True, 10.0, 100.0, 110.0)], False),
    ],
    ids=["carried", "too little", "another's loss takes it", "another's small loss"],
)
def test_cross(balance: float, others: list[Exposure], denied: bool) -> None:
    """The balance carries all positions, each at its own stop."""
    position = Exposure(BTC, False, 100.0, 100.0, 98.0)
    denial = LiquidationRule(0.25).check_cross(
        position, others, balance, lambda _: [Bracket(0.02, 0.0)], 30
    )
    assert (denial is not None) is denied


def test_a_stop_in_the_gain_needs_no_margin() -> None:
    """Nothing to survive."""
    position = Exposure(BTC, False, 100.0, 100.0, 101.0)
    assert LiquidationRule(0.25).check_isolated(position, 125, [Bracket(0.004, 0.0)]) is None


@given(
    leverage=st.floats(1, 125),
    stop=st.floats(1, 200),
    amount=st.floats(0.1, 1e6),
    cross=st.booleans(),
)
def test_without_brackets_there_is_no_entry(
    leverage: float, stop: float, amount: float, cross: bool
) -> None:
    """Not even one whose stop locks a gain in: nobody knows where it is liquidated."""
    rule, position = LiquidationRule(0.25), Exposure(BTC, False, amount, 100.0, stop)
    if cross:
        denial = rule.check_cross(position, [], 1e12, lambda _: [], leverage)
    else:
        denial = rule.check_isolated(position, leverage, [])
    assert denial is not None
    assert denial.code is DenyCode.BRACKETS_UNKNOWN
    assert BTC in denial.text


def test_in_cross_the_brackets_of_every_position_are_needed() -> None:
    """Nobody knows what another takes of the balance; a trade that holds nothing takes none."""
    known = {BTC: [Bracket(0.02, 0.0)]}
    position, other = Exposure(BTC, False, 1.0, 100.0, 98.0), Exposure(ETH, True, 1.0, 10.0, 11.0)

    def check(*others: Exposure) -> Denial | None:
        rule = LiquidationRule(0.25)
        return rule.check_cross(position, others, 1e6, lambda pair: known.get(pair, []), 30)

    denial = check(other)
    assert denial is not None
    assert denial.code is DenyCode.BRACKETS_UNKNOWN
    assert f"no leverage tiers of {ETH}" in denial.text
    assert check(other._replace(amount=0.0)) is None


def test_without_brackets_the_wish_stays() -> None:
    """The entry is refused in any case, and for the right reason."""
    rule = LiquidationRule(0.25)
    assert rule.highest_leverage(30, lambda _: (0.9, 1.0), [], is_short=False) == 30


@pytest.mark.parametrize("entry", [100.0, math.nan])
def test_a_stop_or_entry_that_is_not_known_is_never_far_enough(entry: float) -> None:
    """In cross, one of another position: what that one loses cannot be left out."""
    steps, stop = [Bracket(0.02, 0.0)], 98.0 if math.isnan(entry) else math.nan
    unknown, known = Exposure(ETH, False, 1.0, entry, stop), Exposure(BTC, False, 1.0, 100.0, 98.0)
    rule = LiquidationRule(0.25)
    assert rule.check_isolated(unknown, 1, steps) is not None
    assert rule.check_cross(unknown, [], 1e6, lambda _: steps, 1) is not None
    assert rule.check_cross(known, [unknown], 1e6, lambda _: steps, 1) is not None
