"""A trailing stop starts on the gaining side, follows the best price and never goes back."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.trailing import TrailingRule

PRICES = st.floats(1e-6, 1e6)
CALLBACKS = st.integers(1, 50).map(lambda steps: steps / 10)
ACTIVATIONS = st.floats(0, 20)
RISKS = st.floats(1e-4, 0.04)


@pytest.mark.parametrize(
    ("is_short", "stop", "activation", "best", "trigger"),
    [(False, 98, 103, 110, 108.35), (True, 102, 97, 90, 91.35)],
    ids=["long", "short"],
)
def test_by_hand(
    is_short: bool, stop: float, activation: float, best: float, trigger: float
) -> None:
    """1.5 is 1.5 %, and 1.5 R of a risk of 2 are 3."""
    rule = TrailingRule(1.5, 1.5)
    assert rule.callback_ratio == pytest.approx(0.015)
    assert rule.activation_price(100, stop, is_short=is_short) == pytest.approx(activation)
    assert rule.is_active(activation, 100, stop, is_short=is_short)
    just_short_of_it = activation + (0.01 if is_short else -0.01)
    assert not rule.is_active(just_short_of_it, 100, stop, is_short=is_short)
    assert rule.trail_stop(best, is_short=is_short) == pytest.approx(trigger)


@pytest.mark.parametrize("is_short", [False, True])
def test_zero_trails_from_the_fill(is_short: bool) -> None:
    """Without a gain to wait for, a fill at a worse price than the entry's changes nothing."""
    rule = TrailingRule(1.5, 0)
    assert rule.trails_from_fill
    assert rule.is_active(101 if is_short else 99, 100, 100, is_short=is_short)


@pytest.mark.parametrize(
    ("callback", "activation"),
    [(0, 1), (-1, 1), (100, 1), (float("nan"), 1), (1, -1), (1, float("nan")), (1, float("inf"))],
)
def test_no_rule_without_sense(callback: float, activation: float) -> None:
    """A stop at the price, beyond it, or nowhere follows nothing."""
    with pytest.raises(ValueError, match="no trailing stop"):
        TrailingRule(callback, activation)


@pytest.mark.parametrize(("callback", "activation"), [(None, 1.0), (1.5, None), (None, None)])
def test_either_setting_switches_it_off(callback: float | None, activation: float | None) -> None:
    """Without one of its numbers there is no rule."""
    assert TrailingRule.of(callback, activation) is None
    assert TrailingRule.of(1.5, 1.0) == TrailingRule(1.5, 1.0)


@given(CALLBACKS, st.lists(PRICES, min_size=2), st.booleans())
def test_never_looser(callback: float, path: list[float], is_short: bool) -> None:
    """As the best price moves on, whatever the price does, the stop moves towards it or stays."""
    rule = TrailingRule(callback, 1)
    best_prices = accumulate(path, min if is_short else max)
    stops = [rule.trail_stop(best, is_short=is_short) for best in best_prices]
    assert all(b <= a if is_short else b >= a for a, b in pairwise(stops))


@given(CALLBACKS, PRICES, st.booleans())
def test_the_stop_is_on_the_losing_side_of_the_best_price(
    callback: float, best: float, is_short: bool
) -> None:
    """It stands exactly the callback away from the best price."""
    stop = TrailingRule(callback, 1).trail_stop(best, is_short=is_short)
    assert abs(stop / best - 1) == pytest.approx(callback / 100)
    assert stop > best if is_short else stop < best


@given(ACTIVATIONS, PRICES, RISKS, st.booleans())
def test_it_starts_on_the_gaining_side(
    activation: float, entry: float, risk: float, is_short: bool
) -> None:
    """The activation price lies the given multiples of the initial risk beyond the entry."""
    rule = TrailingRule(1.5, activation)
    stop = entry * (1 + risk if is_short else 1 - risk)
    start = rule.activation_price(entry, stop, is_short=is_short)
    gain = entry - start if is_short else start - entry
    assert gain >= 0
    assert gain / entry == pytest.approx(activation * risk, abs=1e-9)
    assert rule.is_active(start, entry, stop, is_short=is_short)


@given(CALLBACKS, ACTIVATIONS, PRICES, RISKS, st.floats(0, 1))
def test_shorts_are_the_mirror_image(
    callback: float, activation: float, entry: float, risk: float, gain: float
) -> None:
    """Reflected at the entry, a short's prices are a long's."""
    rule = TrailingRule(callback, activation)
    starts = [
        rule.activation_price(entry, entry * (1 + side * risk), is_short=side == 1)
        for side in (-1, 1)
    ]
    assert starts[0] - entry == pytest.approx(entry - starts[1], abs=1e-9 * entry)
    distances = [abs(rule.trail_stop(entry, is_short=short) - entry) for short in (False, True)]
    assert distances[0] == pytest.approx(distances[1], abs=1e-9 * entry)
