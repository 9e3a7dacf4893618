"""Shorts against a rising market, one by one and by the column."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.denial import DenyCode
from qt_protections.rules.regime import Regime
from qt_protections.rules.short_gate import ShortGate

NAN = math.nan
GATE = ShortGate(exception_conf=0.65)


@pytest.mark.parametrize(
    ("regime", "local", "confidence", "code"),
    [
        (Regime.DOWNTREND, 0.1, NAN, None),
        (Regime.SIDEWAYS, 0.1, NAN, None),
        (Regime.UNKNOWN, -0.1, 0.99, DenyCode.SHORT_REGIME_UNKNOWN),
        (Regime.UPTREND, -0.01, 0.65, None),
        (Regime.UPTREND, -0.01, 0.6499, DenyCode.SHORT_IN_UPTREND),
        (Regime.UPTREND, 0.0, 0.99, DenyCode.SHORT_IN_UPTREND),
        (Regime.UPTREND, 0.01, 0.99, DenyCode.SHORT_IN_UPTREND),
        (Regime.UPTREND, NAN, 0.99, DenyCode.SHORT_IN_UPTREND),
        (Regime.UPTREND, -0.01, NAN, DenyCode.SHORT_IN_UPTREND),
        (Regime.UPTREND, -0.01, 1.01, DenyCode.SHORT_IN_UPTREND),
        (Regime.UPTREND, -0.01, math.inf, DenyCode.SHORT_IN_UPTREND),
    ],
)
def test_verdicts(regime: Regime, local: float, confidence: float, code: DenyCode | None) -> None:
    """Only a symbol below its own average with enough confidence goes short in an uptrend."""
    denial = GATE.check(regime, local, confidence)
    assert (denial.code if denial else None) == code


@pytest.mark.parametrize("regime", list(Regime))
def test_zero_switches_the_gate_off(regime: Regime) -> None:
    """A threshold of zero lets every short pass, as without the guard, and tags none as rare."""
    gate = ShortGate(exception_conf=0.0)
    row = pd.Series([regime.value]), pd.Series([NAN]), pd.Series([NAN])
    assert gate.check(regime, NAN, NAN) is None
    assert gate.allowed(*row).all()
    assert not gate.exceptions(*row).any()


number = st.one_of(st.just(NAN), st.floats(-2, 2))
row = st.tuples(st.sampled_from(list(Regime)), number, number)


@given(rows=st.lists(row, min_size=1, max_size=20), threshold=st.floats(0, 1))
def test_the_column_says_what_the_single_check_says(
    rows: list[tuple[Regime, float, float]], threshold: float
) -> None:
    """Live and backtest ask different methods and get the same verdict."""
    gate = ShortGate(threshold)
    regimes, local, confidence = (pd.Series(list(column)) for column in zip(*rows, strict=True))
    by_column = gate.allowed(regimes.map(str), local, confidence).tolist()
    one_by_one = [gate.check(*facts) is None for facts in rows]
    assert by_column == one_by_one
