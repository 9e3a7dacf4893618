"""Entries are refused while the clocks differ too much."""

import math

import pytest

from qt_protections.rules.clock import check_clock
from qt_protections.rules.denial import DenyCode


@pytest.mark.parametrize("skew_s", [0.0, 4.99, -4.99])
def test_a_small_difference_passes(skew_s: float) -> None:
    """The guard's requests are corrected for it."""
    assert check_clock(skew_s) is None


@pytest.mark.parametrize(
    ("skew_s", "said"),
    [(5.0, "5.0 s ahead of the exchange's"), (-7.31, "7.3 s behind the exchange's")],
)
def test_a_large_one_is_refused_in_words(skew_s: float, said: str) -> None:
    """How much, which way, and what to do."""
    denial = check_clock(skew_s)
    assert denial is not None
    assert denial.code is DenyCode.CLOCK_SKEW
    assert said in denial.text
    assert "NTP" in denial.text


@pytest.mark.parametrize("skew_s", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(skew_s: float) -> None:
    """Nothing passes because nothing is known."""
    assert check_clock(skew_s) is not None
