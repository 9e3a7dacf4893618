"""Each code of Binance, and the step it leads to."""

import pytest

from qt_protections.rules.retry_policy import Outcome, Purpose, Refusal, Step, next_step
from qt_protections.stops.venue import error_codes

STEPS = {
    "A": Step.AGAIN,
    "D": Step.DISABLE,
    "F": Step.ON_FILL,
    "G": Step.GIVE_UP,
    "N": Step.NEW_CLIENT_ID,
    "R": Step.REPRICE,
    "S": Step.QUERY,
    "W": Step.WITHOUT_ACTIVATION,
}
#: A letter each: stop before its entry, stop of a position, move, trailing stop, close.
TABLE = {
    -1000: "SSSSS",
    -1001: "SSSSS",
    -1003: "AAAAA",
    -1006: "SSSSS",
    -1007: "SSSSS",
    -1008: "AAAAA",
    -1015: "AAAAA",
    -1021: "AAAAA",
    -1022: "GAGGA",
    -1102: "GGGDA",
    -1106: "GGGDA",
    -1111: "GGGGA",
    -1130: "GGGDA",
    -2007: "GAGDA",
    -2010: "GAGGA",
    -2011: "GAGGA",
    -2013: "GAGGA",
    -2019: "GAGGA",
    -2021: "GRGWA",
    -2022: "FAGAA",
    -2025: "GAGGA",
    -2027: "GAGGA",
    -4003: "GGGGA",
    -4004: "GGGGA",
    -4005: "GGGGA",
    -4006: "GGGGA",
    -4007: "GGGGA",
    -4013: "GGGGA",
    -4014: "GGGGA",
    -4023: "GGGGA",
    -4045: "GAGGA",
    -4116: "NNNNN",
    -4117: "GAGGA",
    -4118: "GAGAA",
    -4120: "GGGDA",
    -4129: "FAGAA",
    -4130: "GAGGA",
    -4131: "GAGGA",
    -4135: "GAGWA",
    -4136: "GGGDA",
    -4142: "GRGWA",
    -4164: "GAGGA",
    -4509: "FAGAA",
    -5021: "GAGGA",
    -5022: "GAGGA",
}


@pytest.mark.parametrize("code", [*TABLE, -9999, None])
def test_each_code_leads_to_its_step(code: int | None) -> None:
    """By its meaning where the request was judged; a code nobody knows is a no like others."""
    outcome = error_codes.outcome(code) or Outcome.REFUSED
    steps = [next_step(purpose, error_codes.meaning(code), outcome) for purpose in Purpose]
    letters = TABLE.get(code, "GAGGA") if code is not None else "GAGGA"
    assert steps == [STEPS[letter] for letter in letters]


def test_each_meaning_has_a_code() -> None:
    """A meaning that no code has would be a rule that never holds."""
    meant = {error_codes.meaning(code) for code in [*TABLE, -5028]}
    assert meant == set(Refusal)
