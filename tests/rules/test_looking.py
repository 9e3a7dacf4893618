"""How often to look: seldom while all is heard, and never beyond the budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.looking import look_every_s, looks_at_all


@pytest.mark.parametrize(
    ("pairs", "is_heard", "seconds"),
    [
        (0, True, 10.0),
        (1, True, 10.0),
        (10, True, 10.0),
        (20, True, 20.0),
        (40, True, 40.0),
        (300, True, 40.0),
        (0, False, 1.0),
        (1, False, 1.0),
        (2, False, 1.0),
        (5, False, 2.5),
        (40, False, 20.0),
        (300, False, 20.0),
    ],
)
def test_the_pause_grows_with_the_pairs(pairs: int, is_heard: bool, seconds: float) -> None:
    """Up to where the whole account costs no more."""
    assert look_every_s(pairs, is_heard=is_heard) == seconds


@given(pairs=st.integers(0, 1000), is_heard=st.booleans())
def test_looks_never_weigh_more_than_their_budget(pairs: int, is_heard: bool) -> None:
    """A minute of looks, at each pair or at the whole account."""
    weight = 40 if looks_at_all(pairs) else pairs
    assert weight * 60.0 / look_every_s(pairs, is_heard=is_heard) <= (60 if is_heard else 120)
