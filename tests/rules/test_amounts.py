"""Sums of lots are lots."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.amounts import subtract_exact, sum_exact

LOTS = st.integers(0, 10**9).map(lambda lots: lots / 1000)


def test_no_lot_is_lost_and_no_dust_left() -> None:
    """Where float arithmetic does both."""
    assert sum_exact(0.1, 0.2) == 0.3
    assert subtract_exact(0.3, 0.1, 0.2) == 0.0
    assert subtract_exact(0.3, 0.1) == 0.2
    assert subtract_exact(0.1, 0.3) == 0.0
    assert sum_exact() == 0.0


@given(st.lists(LOTS, max_size=6))
def test_a_sum_is_a_whole_number_of_lots(amounts: list[float]) -> None:
    """Taking the parts off again leaves nothing."""
    whole = sum_exact(*amounts)
    assert Decimal(str(whole)) % Decimal("0.001") == 0
    assert subtract_exact(whole, *amounts) == 0.0
