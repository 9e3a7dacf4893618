"""The stake loses no more than the risk at the stop, fees included."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.sizing import RiskSizing
from qt_protections.rules.verdict import DenyCode


def test_a_worked_example() -> None:
    """10,000 at 0.75 %, 30x, stop 0.5 % away, 0.05 % a fill: 416.67 loses 75."""
    stake = RiskSizing(0.0075).stake(
        equity=10_000, stop_distance=0.005, leverage=30, fee_ratio=0.0005
    )
    assert stake == pytest.approx(416.67, abs=0.01)


@given(
    equity=st.floats(1, 1e9),
    distance=st.floats(1e-4, 0.99),
    leverage=st.floats(1, 125),
    fee=st.floats(0, 0.01),
    risk=st.floats(0.001, 0.02),
)
def test_loss_at_the_stop_is_the_risk(
    equity: float, distance: float, leverage: float, fee: float, risk: float
) -> None:
    """Notional times distance and both fees is the share of equity asked for."""
    stake = RiskSizing(risk).stake(
        equity=equity, stop_distance=distance, leverage=leverage, fee_ratio=fee
    )
    assert stake * leverage * (distance + 2 * fee) == pytest.approx(equity * risk)


@pytest.mark.parametrize(
    ("equity", "distance", "leverage", "fee"),
    [
        (0, 0.01, 1, 0),
        (-1, 0.01, 1, 0),
        (math.nan, 0.01, 1, 0),
        (1, 0, 1, 0),
        (1, -0.01, 1, 0),
        (1, math.nan, 1, 0),
        (1, 0.01, 0.5, 0),
        (1, 0.01, 1, -0.1),
    ],
)
def test_nonsense_is_an_error(equity: float, distance: float, leverage: float, fee: float) -> None:
    """An input out of bounds never becomes a stake."""
    with pytest.raises(ValueError, match="cannot size"):
        RiskSizing(0.01).stake(
            equity=equity, stop_distance=distance, leverage=leverage, fee_ratio=fee
        )


@pytest.mark.parametrize(
    ("stake", "minimum", "denied"),
    [(5.0, 5.0, False), (4.99, 5.0, True), (0.01, None, False)],
    ids=["at-minimum", "below", "no-minimum"],
)
def test_minimum(stake: float, minimum: float | None, denied: bool) -> None:
    """A stake the exchange's minimum would raise is refused."""
    denial = RiskSizing(0.01).check(stake, minimum)
    assert (denial is not None and denial.code is DenyCode.STAKE_TOO_SMALL) is denied
