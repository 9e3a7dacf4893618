"""Where the stop stands, and when it cannot stand there."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.denial import Denial, DenyCode
from qt_protections.rules.stop_price import (
    FARTHEST,
    Distance,
    StopBound,
    StopRule,
    check_spread,
    check_stop,
    stop_at,
    stop_distance,
)

BOUNDS = {"min_ratio": 0.002, "max_ratio": 0.1}


OPEN = {"min_ratio": 0.0, "max_ratio": math.inf}
MIN, MAX = StopBound.MIN_STOP, StopBound.MAX_STOP


@pytest.mark.parametrize(
    ("rule", "leverage", "atr_ratio", "distance"),
    [
        (StopRule(**BOUNDS), 30, math.nan, Distance(0.005, 0.005)),
        (StopRule(**BOUNDS), 125, math.nan, Distance(0.002, 0.0012, MIN)),
        (StopRule(**BOUNDS), 1, math.nan, Distance(0.1, 0.15, MAX)),
        (StopRule(**OPEN), 1, math.nan, Distance(0.15, 0.15)),
        (StopRule(**BOUNDS, fixed_ratio=0.03), 30, math.nan, Distance(0.03, 0.03)),
        (StopRule(**BOUNDS, fixed_ratio=0.001), 30, math.nan, Distance(0.002, 0.001, MIN)),
        (StopRule(**BOUNDS, atr_multiple=2.0), 30, 0.004, Distance(0.008, 0.008)),
        (StopRule(**BOUNDS, atr_multiple=2.0), 30, 0.0, Distance(0.002, 0.0, MIN)),
        (StopRule(**BOUNDS, atr_multiple=2.0), 30, 0.4, Distance(0.1, 0.8, MAX)),
    ],
    ids=[
        "strategy", "too-close", "too-far", "unbounded",
        "fixed", "fixed-close", "atr", "no-range", "atr-far",
    ],
)  # fmt: skip
def test_distance(rule: StopRule, leverage: float, atr_ratio: float, distance: Distance) -> None:
    """From whichever source, within the bounds; the strategy's is -15 % of margin."""
    assert rule.distance(stoploss=-0.15, leverage=leverage, atr_ratio=atr_ratio) == distance


@pytest.mark.parametrize(
    ("stoploss", "leverage", "margin_ratio", "distance"),
    [
        (-1.0, 1, math.inf, Distance(FARTHEST, 1.0, StopBound.FARTHEST)),
        (-0.99, 1, math.inf, Distance(FARTHEST, 0.99, StopBound.FARTHEST)),
        (-1.0, 4, math.inf, Distance(0.25, 0.25)),
        (-1.0, 4, 0.7, Distance(0.175, 0.25, StopBound.LIQUIDATION)),
        (-0.7, 4, 0.7, Distance(0.175, 0.175)),
        (-0.3, 4, 0.7, Distance(0.075, 0.075)),
    ],
)
def test_a_stoploss_of_the_whole_margin_is_a_stop(
    stoploss: float, leverage: float, margin_ratio: float, distance: Distance
) -> None:
    """Freqtrade's word for none becomes the farthest that can stand, before the liquidation."""
    rule = StopRule(**OPEN, margin_ratio=margin_ratio)
    found = rule.distance(stoploss=stoploss, leverage=leverage, atr_ratio=math.nan)
    assert isinstance(found, Distance)
    assert (found.ratio, found.wanted) == pytest.approx((distance.ratio, distance.wanted))
    assert found.bound is distance.bound


@given(
    stoploss=st.floats(-1, -1e-4),
    leverage=st.integers(1, 125),
    least=st.floats(0, 0.1),
    most=st.floats(0.1, 0.5) | st.just(math.inf),
    margin_ratio=st.floats(0.1, 1) | st.just(math.inf),
)
def test_what_moved_a_stop_is_named(
    stoploss: float, leverage: int, least: float, most: float, margin_ratio: float
) -> None:
    """None is named exactly where the stop stands where the strategy has it; both are prices."""
    rule = StopRule(least, most, margin_ratio=margin_ratio)
    found = rule.distance(stoploss=stoploss, leverage=leverage, atr_ratio=math.nan)
    assert isinstance(found, Distance)
    assert found.wanted == abs(stoploss) / leverage
    assert (found.bound is None) is (found.ratio == found.wanted)
    assert least <= found.ratio <= max(FARTHEST, least)
    assert found.ratio <= most


def test_an_unknown_atr_is_no_distance() -> None:
    """And never the closest one that may be."""
    rule = StopRule(**BOUNDS, atr_multiple=2.0)
    denial = rule.distance(stoploss=-0.15, leverage=30, atr_ratio=math.nan)
    assert isinstance(denial, Denial)
    assert denial.code is DenyCode.STOP_UNKNOWN
    assert "14 closed candles" in denial.text


@given(entry=st.floats(1e-6, 1e6), distance=st.floats(1e-4, 0.9), is_short=st.booleans())
def test_the_stop_lies_at_its_distance_on_the_losing_side(
    entry: float, distance: float, is_short: bool
) -> None:
    """For both sides, and whatever the price."""
    stop = stop_at(entry, distance, is_short=is_short)
    assert stop_distance(entry, stop, is_short=is_short) == pytest.approx(distance)


@pytest.mark.parametrize(
    ("stop", "is_short", "code"),
    [
        (99.0, False, None),
        (101.0, True, None),
        (101.0, False, DenyCode.STOP_INVALID),
        (100.0, False, DenyCode.STOP_INVALID),
        (99.0, True, DenyCode.STOP_INVALID),
        (0.0, False, DenyCode.STOP_INVALID),
        (-1.0, False, DenyCode.STOP_INVALID),
        (math.nan, False, DenyCode.STOP_INVALID),
        (99.9, False, DenyCode.STOP_TOO_CLOSE),
        (99.89, False, None),
        (100.1, True, DenyCode.STOP_TOO_CLOSE),
    ],
)
def test_check(stop: float, is_short: bool, code: DenyCode | None) -> None:
    """On the losing side, and beyond the fees of both fills (0.1 %)."""
    denial = check_stop(100.0, stop, is_short=is_short, fee_ratio=0.0005)
    assert (denial and denial.code) == code


@pytest.mark.parametrize(
    ("stop", "is_short", "spread", "passes"),
    [
        (99.0, False, 0.0, True),
        (99.0, False, 0.0099, True),
        (99.0, False, 0.01, False),
        (101.0, True, 0.0099, True),
        (101.0, True, 0.01, False),
        (101.0, False, 0.0, False),
    ],
)
def test_check_spread(stop: float, is_short: bool, spread: float, passes: bool) -> None:
    """Beyond the spread."""
    denial = check_spread(100.0, stop, is_short=is_short, spread_ratio=spread)
    assert (denial is None) is passes
    assert denial is None or f"no farther than the spread ({spread:.3%})" in denial.text


def test_what_is_not_known_keeps_no_stop_away() -> None:
    """Neither fee nor spread."""
    for denial in (
        check_stop(100.0, 90.0, is_short=False, fee_ratio=math.nan),
        check_spread(100.0, 90.0, is_short=False, spread_ratio=math.nan),
    ):
        assert denial is not None
        assert denial.code is DenyCode.STOP_TOO_CLOSE


@given(
    price=st.floats(1.0, 1e5),
    ratio=st.floats(0.002, 0.5),
    moved=st.floats(0.5, 2.0),
    is_short=st.booleans(),
)
def test_an_entry_that_is_replaced_keeps_a_nearer_stop(
    price: float, ratio: float, moved: float, is_short: bool
) -> None:
    """As Freqtrade does, but never one within `min_stop`, nor beyond the entry."""
    rule = StopRule(min_ratio=0.002, max_ratio=math.inf)
    first = stop_at(price, ratio, is_short=is_short)
    entry = price * moved
    own = stop_at(entry, ratio, is_short=is_short)
    found = rule.replaced(entry, own, first, is_short=is_short)
    room = stop_distance(entry, first, is_short=is_short)
    assert found == (first if 0.002 <= room < ratio else own) or math.isclose(room, ratio)
    assert stop_distance(entry, found, is_short=is_short) >= 0.002 * (1 - 1e-9)
    assert rule.replaced(entry, own, 0.0, is_short=is_short) == own
