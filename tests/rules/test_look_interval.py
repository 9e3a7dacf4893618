"""How often to look: as often as plain Freqtrade asks, and oftener within a budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.look_interval import LONGEST_S, SHORTEST_S, look_every_s, looks_at_all

WEIGHTS, LOOPS_S = st.integers(0, 1000), st.floats(0.0, 100.0)


@pytest.mark.parametrize(
    ("weight", "is_heard", "is_fresh", "seconds"),
    [
        (0, True, False, 1.0),
        (1, True, False, 1.0),
        (3, True, False, 3.0),
        (5, True, False, 5.0),
        (300, True, False, 5.0),
        (1, False, False, 1.0),
        (5, False, False, 2.5),
        (10, False, False, 5.0),
        (300, False, False, 5.0),
        (8, True, True, 1.0),
        (16, True, True, 2.0),
        (16, False, True, 2.0),
        (300, True, True, 5.0),
    ],
)
def test_the_pause_grows_with_the_pairs(
    weight: int, is_heard: bool, is_fresh: bool, seconds: float
) -> None:
    """Up to where plain Freqtrade would ask."""
    assert look_every_s(weight, is_heard=is_heard, is_fresh=is_fresh) == seconds


@given(weight=WEIGHTS, loop_s=LOOPS_S, is_heard=st.booleans(), is_fresh=st.booleans())
def test_no_look_is_later_than_plain_freqtrades_question(
    weight: int, loop_s: float, is_heard: bool, is_fresh: bool
) -> None:
    """Nor more frequent than a tick."""
    found = look_every_s(weight, is_heard=is_heard, loop_s=loop_s, is_fresh=is_fresh)
    assert SHORTEST_S <= found <= max(SHORTEST_S, min(loop_s, LONGEST_S))


@given(pairs=WEIGHTS, loop_s=LOOPS_S, is_heard=st.booleans())
def test_looks_weigh_no_more_than_the_questions_they_save(
    pairs: int, loop_s: float, is_heard: bool
) -> None:
    """Beyond their budget, at each pair or at the whole account; a tick is the shortest loop."""
    weight = 40 if looks_at_all(pairs) else pairs
    a_minute = weight * 60.0 / look_every_s(pairs, is_heard=is_heard, loop_s=loop_s)
    saved = pairs * 60.0 / max(SHORTEST_S, min(loop_s, LONGEST_S))
    assert a_minute <= max(saved, 60.0 if is_heard else 120.0) * (1 + 1e-9)
