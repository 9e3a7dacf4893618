"""Which step follows a failed request, by what was asked for and what the refusal means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.retry_policy import (
    Outcome,
    Purpose,
    Refusal,
    Step,
    next_step,
    pause_s,
    reprice,
)

A, G, F, R, N = Step.AGAIN, Step.GIVE_UP, Step.ON_FILL, Step.REPRICE, Step.NEW_CLIENT_ID
W, D = Step.WITHOUT_ACTIVATION, Step.DISABLE

COLUMNS = (
    Purpose.STOP_BEFORE_ENTRY,
    Purpose.STOP_OF_POSITION,
    Purpose.STOP_MOVE,
    Purpose.TRAILING,
    Purpose.EMERGENCY_CLOSE,
)
#: After a no, in the order of the columns; each meaning that is not listed is followed by the last.
TABLE = {
    Refusal.NO_POSITION: (F, A, G, A, A),
    Refusal.PRICE_PASSED: (G, R, G, W, A),
    Refusal.ACTIVATION_PASSED: (G, A, G, W, A),
    Refusal.BAD_CALLBACK: (G, A, G, D, A),
    Refusal.MALFORMED: (G, G, G, G, A),
    Refusal.NOT_OFFERED: (G, G, G, D, A),
    Refusal.NAME_TAKEN: (N, N, N, N, N),
    Refusal.OTHER_ORDERS: (G, A, G, A, A),
    Refusal.OTHER: (G, A, G, G, A),
}


@pytest.mark.parametrize("refusal", Refusal)
def test_each_meaning_is_followed_by_its_step(refusal: Refusal) -> None:
    """Before the entry a no ends the entry; with a position the stop is tried until the close."""
    steps = tuple(next_step(purpose, refusal, Outcome.REFUSED) for purpose in COLUMNS)
    assert steps == TABLE.get(refusal, TABLE[Refusal.OTHER])


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("refusal", Refusal)
def test_what_was_not_judged_has_no_meaning(purpose: Purpose, refusal: Refusal) -> None:
    """What was turned away is sent again; what may have been executed is asked for first."""
    assert next_step(purpose, refusal, Outcome.NOT_EXECUTED) is Step.AGAIN
    assert next_step(purpose, refusal, Outcome.UNKNOWN) is Step.QUERY


@given(refusal=st.sampled_from(Refusal), outcome=st.sampled_from(Outcome))
def test_a_close_is_never_given_up_by_its_refusal(refusal: Refusal, outcome: Outcome) -> None:
    """Only the position itself says that there is nothing left to close."""
    assert next_step(Purpose.EMERGENCY_CLOSE, refusal, outcome) is not Step.GIVE_UP


@given(
    purpose=st.sampled_from(sorted(set(Purpose) - {Purpose.TRAILING})),
    refusal=st.sampled_from(Refusal),
    outcome=st.sampled_from(Outcome),
)
def test_steps_fit_their_purpose(purpose: Purpose, refusal: Refusal, outcome: Outcome) -> None:
    """A step that only one purpose can take is given to no other."""
    step = next_step(purpose, refusal, outcome)
    assert step not in (Step.WITHOUT_ACTIVATION, Step.DISABLE)
    assert step is not Step.ON_FILL or purpose is Purpose.STOP_BEFORE_ENTRY
    assert step is not Step.REPRICE or purpose is Purpose.STOP_OF_POSITION


@pytest.mark.parametrize(
    ("purpose", "tries", "longest_s"),
    [
        (Purpose.STOP_BEFORE_ENTRY, 3, 1.0),
        (Purpose.STOP_OF_POSITION, 8, 4.5),
        (Purpose.STOP_MOVE, 2, 0.5),
        (Purpose.TRAILING, 3, 2.0),
        (Purpose.EMERGENCY_CLOSE, 5, 3.5),
    ],
)
def test_pauses_end(purpose: Purpose, tries: int, longest_s: float) -> None:
    """So many tries, a pause between each two, none after the last or any later one."""
    pauses = [pause_s(purpose, made) for made in range(1, tries)]
    assert all(pause is not None and pause > 0 for pause in pauses)
    assert sum(pause or 0.0 for pause in pauses) <= longest_s
    assert pause_s(purpose, tries) is None
    assert pause_s(purpose, tries + 100) is None


@pytest.mark.parametrize("purpose", [Purpose.STOP_OF_POSITION, Purpose.EMERGENCY_CLOSE])
def test_tries_outlast_the_lag_of_a_position(purpose: Purpose) -> None:
    """After a fill the exchange may deny the position for up to three seconds."""
    pauses = [pause_s(purpose, made) or 0.0 for made in range(1, 20)]
    assert sum(pauses) >= 3.0 - 1e-9


@pytest.mark.parametrize("tries_made", [0, -1])
def test_a_pause_follows_a_try(tries_made: int) -> None:
    """Before the first try there is nothing to pause after."""
    with pytest.raises(ValueError, match="was"):
        pause_s(Purpose.STOP_MOVE, tries_made)


@pytest.mark.parametrize(
    ("is_short", "price", "tick", "expected"),
    [
        (False, 100.0, None, 99.95),
        (True, 100.0, None, 100.05),
        (False, 100.0, 0.02, 99.94),
        (True, 100.0, 0.02, 100.06),
        (False, 0.0123, 0.0001, 0.0122),
        (True, 0.0123, 0.0001, 0.0124),
        (False, 0.0001, 0.0001, 0.0001),
    ],
)
def test_reprice(is_short: bool, price: float, tick: float | None, expected: float) -> None:
    """0.05 % beyond the price where the position loses; whole ticks, at least one of them."""
    assert reprice(is_short, price, tick) == pytest.approx(expected, rel=1e-9)


@given(price=st.floats(1e-6, 1e6), is_short=st.booleans(), tick=st.none() | st.floats(1e-8, 1e-6))
def test_reprice_never_triggers_at_once(price: float, is_short: bool, tick: float | None) -> None:
    """The new trigger lies beyond the price, and no further than 0.05 % and a tick."""
    beyond = (reprice(is_short, price, tick) - price) * (1 if is_short else -1)
    allowed = price * 0.0005 + (tick or 0.0)
    assert beyond <= allowed * (1 + 1e-6)
    assert beyond > 0 or price < 2 * (tick or 0.0)
