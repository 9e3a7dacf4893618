"""The stop stands on the losing side, at Freqtrade's ratio of margin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.stop_price import check_stop, stop_distance, stop_price
from qt_protections.rules.verdict import DenyCode


@pytest.mark.parametrize(
    ("is_short", "expected"), [(False, 99.5), (True, 100.5)], ids=["long", "short"]
)
def test_ratio_of_margin(is_short: bool, expected: float) -> None:
    """At leverage 30, -0.15 is half a per cent of price."""
    assert stop_price(100, -0.15, 30, is_short=is_short) == pytest.approx(expected)


@given(
    entry=st.floats(1e-6, 1e6),
    loss=st.floats(0.001, 0.99),
    leverage=st.floats(1, 125),
    is_short=st.booleans(),
)
def test_distance_is_the_inverse(
    entry: float, loss: float, leverage: float, is_short: bool
) -> None:
    """The distance of the price it gives is the ratio it was given."""
    stop = stop_price(entry, -loss, leverage, is_short=is_short)
    assert stop_distance(entry, stop, is_short=is_short) == pytest.approx(loss / leverage)
    assert check_stop(entry, stop, is_short=is_short) is None


@pytest.mark.parametrize(
    ("stop", "is_short"),
    [
        (100, False),
        (101, False),
        (100, True),
        (99, True),
        (0, False),
        (-1, False),
        (float("nan"), False),
        (float("nan"), True),
    ],
)
def test_wrong_side_is_refused(stop: float, is_short: bool) -> None:
    """A stop at or beyond the entry, or none at all, is no stop."""
    denial = check_stop(100, stop, is_short=is_short)
    assert denial is not None
    assert denial.code is DenyCode.STOP_INVALID
