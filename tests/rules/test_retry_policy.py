"""A table of the exchange's codes: which step follows each, by what was asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.retry_policy import (
    Outcome,
    Purpose,
    Step,
    next_step,
    pause_s,
    reason,
    reprice,
)

A, S, G = Step.AGAIN, Step.QUERY, Step.GIVE_UP
F, R, N = Step.ON_FILL, Step.REPRICE, Step.NEW_CLIENT_ID
W, D = Step.WITHOUT_ACTIVATION, Step.DISABLE

COLUMNS = (
    Purpose.STOP_BEFORE_ENTRY,
    Purpose.STOP_OF_POSITION,
    Purpose.STOP_MOVE,
    Purpose.TRAILING,
    Purpose.EMERGENCY_CLOSE,
    Purpose.ENTRY,
    Purpose.CANCEL,
)
#: Columns: before entry, of position, move, trailing, close, entry, cancel.
TABLE = {
    418: (A, A, A, A, A, A, A),
    429: (A, A, A, A, A, A, A),
    500: (S, S, S, S, S, S, S),
    502: (S, S, S, S, S, S, S),
    503: (S, S, S, S, S, S, S),
    504: (S, S, S, S, S, S, S),
    -1000: (S, S, S, S, S, S, S),
    -1001: (S, S, S, S, S, S, S),
    -1003: (A, A, A, A, A, A, A),
    -1006: (S, S, S, S, S, S, S),
    -1007: (S, S, S, S, S, S, S),
    -1008: (A, A, A, A, A, A, A),
    -1015: (A, A, A, A, A, A, A),
    -1021: (A, A, A, A, A, A, A),
    -1022: (G, A, G, G, A, G, A),
    -1102: (G, G, G, D, A, G, A),
    -1106: (G, G, G, D, A, G, A),
    -1111: (G, G, G, G, A, G, A),
    -1130: (G, G, G, D, A, G, A),
    -2007: (G, A, G, D, A, G, A),
    -2010: (G, A, G, G, A, G, A),
    -2011: (G, A, G, G, A, G, G),
    -2013: (G, A, G, G, A, G, G),
    -2019: (G, A, G, G, A, G, A),
    -2021: (G, R, G, W, A, G, A),
    -2022: (F, A, G, A, A, G, A),
    -2025: (G, A, G, G, A, G, A),
    -2027: (G, A, G, G, A, G, A),
    -4003: (G, G, G, G, A, G, A),
    -4004: (G, G, G, G, A, G, A),
    -4005: (G, G, G, G, A, G, A),
    -4006: (G, G, G, G, A, G, A),
    -4007: (G, G, G, G, A, G, A),
    -4013: (G, G, G, G, A, G, A),
    -4014: (G, G, G, G, A, G, A),
    -4023: (G, G, G, G, A, G, A),
    -4045: (G, A, G, G, A, G, A),
    -4116: (N, N, N, N, N, N, A),
    -4117: (G, A, G, G, A, G, S),
    -4118: (G, A, G, A, A, G, A),
    -4120: (G, G, G, D, A, G, A),
    -4129: (F, A, G, A, A, G, A),
    -4130: (G, A, G, G, A, G, A),
    -4131: (G, A, G, G, A, G, A),
    -4135: (G, A, G, W, A, G, A),
    -4136: (G, G, G, D, A, G, A),
    -4142: (G, R, G, W, A, G, A),
    -4164: (G, A, G, G, A, G, A),
    -4509: (F, A, G, A, A, G, A),
    -5021: (G, A, G, G, A, G, A),
    -5022: (G, A, G, G, A, G, A),
}
UNHEARD_OF = (G, A, G, G, A, G, A)


@pytest.mark.parametrize("code", TABLE)
def test_every_code_of_the_facts_sheet(code: int) -> None:
    """A no to each purpose is followed by the step that purpose needs, and has a reason."""
    steps = tuple(next_step(purpose, code, Outcome.REFUSED) for purpose in COLUMNS)
    assert dict(zip(COLUMNS, steps, strict=True)) == dict(zip(COLUMNS, TABLE[code], strict=True))
    assert reason(code)


@pytest.mark.parametrize("code", [None, -9999, 404])
def test_a_code_nobody_knows_errs_toward_less_risk(code: int | None) -> None:
    """Before the entry it ends the entry; with a position the stop is tried until the close."""
    steps = tuple(next_step(purpose, code, Outcome.REFUSED) for purpose in COLUMNS)
    assert steps == UNHEARD_OF
    assert reason(code) is None


@pytest.mark.parametrize("purpose", Purpose)
def test_what_was_not_looked_at_is_sent_again(purpose: Purpose) -> None:
    """Turned away without a code, or with an unheard-of one, is no verdict on the request."""
    assert next_step(purpose, None, Outcome.NOT_EXECUTED) is Step.AGAIN
    assert next_step(purpose, -9999, Outcome.NOT_EXECUTED) is Step.AGAIN


CODES = st.one_of(st.none(), st.integers(), st.sampled_from(sorted(TABLE)))


@given(purpose=st.sampled_from(Purpose), code=CODES, outcome=st.sampled_from(Outcome))
def test_every_failure_has_a_step(purpose: Purpose, code: int | None, outcome: Outcome) -> None:
    """Nothing is left undecided, and what may have been executed is never just sent again."""
    step = next_step(purpose, code, outcome)
    assert isinstance(step, Step)
    if outcome is Outcome.UNKNOWN:
        assert step is Step.QUERY


@given(code=CODES, outcome=st.sampled_from(Outcome))
def test_a_close_is_never_given_up_by_its_code(code: int | None, outcome: Outcome) -> None:
    """Only the position itself says that there is nothing left to close."""
    assert next_step(Purpose.EMERGENCY_CLOSE, code, outcome) is not Step.GIVE_UP


@given(
    purpose=st.sampled_from(sorted(set(Purpose) - {Purpose.TRAILING})),
    code=CODES,
    outcome=st.sampled_from(Outcome),
)
def test_steps_fit_their_purpose(purpose: Purpose, code: int | None, outcome: Outcome) -> None:
    """A step that only one purpose can take is given to no other."""
    step = next_step(purpose, code, outcome)
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
        (Purpose.ENTRY, 2, 0.5),
        (Purpose.CANCEL, 3, 1.0),
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
        pause_s(Purpose.ENTRY, tries_made)


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
