"""A position that cannot be covered is not opened."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.denial import DenyCode
from qt_protections.rules.stop_count import (
    MOST_STOPS,
    RESERVE,
    check_stop_count,
    free_stops,
    stops_needed,
)


@pytest.mark.parametrize(
    ("amount", "largest", "needed"),
    [
        (0.0, 120.0, 0),
        (120.0, 120.0, 1),
        (120.001, 120.0, 2),
        (0.1 + 0.2, 0.1, 3),
        (1e9, math.inf, 1),
        (0.0, math.inf, 0),
    ],
)
def test_stops_needed(amount: float, largest: float, needed: int) -> None:
    """As many as it takes, none more for the noise of binary fractions."""
    assert stops_needed(amount, largest) == needed


@given(amount=st.floats(1e-6, 1e9), largest=st.floats(1e-3, 1e6))
def test_the_stops_cover_the_amount_and_one_fewer_would_not(amount: float, largest: float) -> None:
    """To a billionth."""
    needed = stops_needed(amount, largest)
    assert needed * largest >= amount * (1 - 2e-9)
    assert (needed - 1) * largest < amount


@given(live=st.integers(0, MOST_STOPS), amount=st.floats(0.001, 1e5), largest=st.floats(0.01, 1e4))
def test_an_entry_passes_only_if_its_stops_fit(live: int, amount: float, largest: float) -> None:
    """Beside every conditional order of the account, with the reserve left over."""
    denial = check_stop_count(amount, largest, free_stops(live))
    fits = live + stops_needed(amount, largest) + RESERVE <= MOST_STOPS
    assert (denial is None) is fits
    if denial is not None:
        assert denial.code is DenyCode.TOO_MANY_STOPS
        assert f"{max(MOST_STOPS - RESERVE - live, 0)} are free" in denial.text


def test_where_nobody_counts_them_no_entry_is_refused_for_them() -> None:
    """Such an exchange says by itself what is too much."""
    assert check_stop_count(1e6, 1.0, math.inf) is None


def test_what_is_not_known_does_not_pass() -> None:
    """Neither a size nor a limit nor a number of orders."""
    with pytest.raises(ValueError, match="NaN"):
        check_stop_count(math.nan, math.inf, math.inf)
    with pytest.raises(ValueError, match="NaN"):
        check_stop_count(1.0, math.nan, math.inf)
    assert check_stop_count(1.0, 1.0, math.nan) is not None
