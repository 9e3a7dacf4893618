"""What a position loses at its stop, by the fills themselves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.exposure import Costs, Exposure, risk_of
from qt_protections.rules.pairs import base_of

BTC = "BTC/USDT:USDT"


@pytest.mark.parametrize(
    ("is_short", "stop", "loss"),
    [
        # Long 2 from 100, stopped at 99, filled at 98.901: 2 x 1.099, and 0.05 % of both fills.
        (False, 99.0, 2 * 1.099 + 0.0005 * 2 * (100 + 98.901)),
        (True, 101.0, 2 * 1.101 + 0.0005 * 2 * (100 + 101.101)),
        (False, 102.0, 0.0),
    ],
    ids=["long", "short", "a gain locked in"],
)
def test_a_worked_example(is_short: bool, stop: float, loss: float) -> None:
    """Way, slippage and both fees; a stop in the gain risks nothing."""
    position = Exposure(BTC, is_short, 2.0, 100.0, stop)
    assert position.risk(Costs(0.0005, 0.001)) == pytest.approx(loss)


@given(
    amount=st.just(0.0) | st.floats(1e-8, 1e6),
    entry=st.floats(0.01, 1e6),
    ratio=st.floats(0.5, 1.5),
    fee=st.floats(0, 0.01),
    slippage=st.floats(0, 0.05),
    is_short=st.booleans(),
)
def test_the_books_of_both_fills_agree(
    amount: float, entry: float, ratio: float, fee: float, slippage: float, is_short: bool
) -> None:
    """What comes out of entry and exit, fees paid, is the loss."""
    stop = entry * ratio
    fill = stop * (1 + slippage if is_short else 1 - slippage)
    gained = (entry - fill if is_short else fill - entry) * amount
    paid = fee * amount * entry + fee * amount * fill
    risk = Exposure(BTC, is_short, amount, entry, stop).risk(Costs(fee, slippage))
    assert risk == pytest.approx(max(0.0, paid - gained), rel=1e-6, abs=1e-6 * amount * entry)


def test_no_gain_pays_for_anothers_loss() -> None:
    """Each pair has its own costs."""
    costs = {"A/USDT": Costs(0.0, 0.0), "B/USDT": Costs(0.01, 0.0)}
    held = [
        Exposure("A/USDT", False, 1.0, 100.0, 150.0),
        Exposure("A/USDT", False, 1.0, 100.0, 90.0),
        Exposure("B/USDT", False, 1.0, 100.0, 90.0),
    ]
    assert risk_of(held, costs.__getitem__) == pytest.approx(10 + 10 + 1.9)


def test_a_symbol_is_the_base() -> None:
    """Two pairs may share it."""
    assert base_of(BTC) == Exposure("BTC/USDC:USDC", False, 1, 1, 1).symbol == "BTC"


@pytest.mark.parametrize("unknown", ["amount", "entry", "stop", "fee", "slippage"])
@pytest.mark.parametrize("is_short", [False, True])
def test_what_is_not_known_is_no_loss_of_nothing(unknown: str, is_short: bool) -> None:
    """The sum is not known then, whatever the other positions lose."""
    numbers = {"amount": 1.0, "entry": 100.0, "stop": 101.0, "fee": 0.0005, "slippage": 0.001}
    numbers[unknown] = math.nan
    costs = Costs(numbers["fee"], numbers["slippage"])
    exposure = Exposure(BTC, is_short, numbers["amount"], numbers["entry"], numbers["stop"])
    known = Exposure(BTC, False, 1.0, 100.0, 99.0)
    assert math.isnan(exposure.risk(costs))
    assert math.isnan(risk_of([known, exposure, known], lambda _: costs))
