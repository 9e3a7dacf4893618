"""Funding: when, who pays whom, and that every endpoint tells the rate that is charged."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.api.routes_market import funding_rate
from qt_protections.rehearsal.api.wire_market import funding_json, premium_json
from qt_protections.rehearsal.engine.funding import FUNDING_INTERVAL_MS, Funding, due_times
from qt_protections.rehearsal.market.candles import Window
from qt_protections.rehearsal.market.tape import Tape, symbol_tape
from tests.rehearsal.stage import BTC, ETH, MIDNIGHT_MS, Stage

D = Decimal
HOUR_MS = 3_600_000
DUE_MS = MIDNIGHT_MS + 16 * HOUR_MS


def paid(stage: Stage, symbol: str = BTC) -> list[tuple[int, Decimal]]:
    """Return times and amounts of the funding incomes."""
    lines = stage.venue.ledger.incomes
    return [(x.ms, x.amount) for x in lines if (x.kind, x.symbol) == ("FUNDING_FEE", symbol)]


def until(stage: Stage, ms: int, price: float = 100_000.0) -> None:
    """Print a price at a time."""
    stage.tick(price, after_ms=ms - stage.now_ms)


@pytest.mark.parametrize(("side", "sign"), [("BUY", -1), ("SELL", 1)], ids=["long", "short"])
def test_long_pays_short_every_eight_hours(side: str, sign: int) -> None:
    """At 16:00 a payment is booked, at a positive rate from long to short, and not again after."""
    stage = Stage()
    stage.order(side=side)
    until(stage, DUE_MS - 100)
    assert paid(stage) == []
    until(stage, DUE_MS)
    assert paid(stage) == [(DUE_MS, sign * D("0.1"))]
    stage.tick(100_000.0)
    assert len(paid(stage)) == 1


def test_each_payment_is_charged_once_however_time_passes() -> None:
    """Three payments fall due between two prices; each is charged, at its own time."""
    stage = Stage()
    stage.order()
    until(stage, DUE_MS + 2 * FUNDING_INTERVAL_MS)
    assert [ms for ms, _ in paid(stage)] == [*due_times(DUE_MS, stage.now_ms)]
    assert len(paid(stage)) == 3


def test_payment_falls_due_without_a_price() -> None:
    """Time alone is enough."""
    stage = Stage()
    stage.order()
    stage.wait(4 * HOUR_MS)
    assert [ms for ms, _ in paid(stage)] == [DUE_MS]
    assert funding_json(stage.venue, BTC, Window(DUE_MS))[0]["markPrice"] == "100000.00000000"


def test_closed_a_tick_before_pays_nothing() -> None:
    """Neither a position closed just before, nor one opened just after, pays."""
    stage = Stage()
    stage.order()
    until(stage, DUE_MS - 100)
    stage.order(side="SELL", reduceOnly="true")
    until(stage, DUE_MS + 100)
    stage.order()
    stage.tick(100_000.0)
    assert paid(stage) == []


def test_stop_that_fires_before_spares_the_payment() -> None:
    """A stop whose order reaches the engine before the payment closes in time."""
    for trigger_ms, payments in ((DUE_MS - 11, 0), (DUE_MS - 9, 1)):
        stage = Stage()
        stage.order()
        stage.algo()
        until(stage, trigger_ms, 99_000.0)
        stage.wait(HOUR_MS)
        assert stage.amount() == 0
        assert len(paid(stage)) == payments


def test_income_is_the_rate_and_mark_price_that_are_told() -> None:
    """Each FUNDING_FEE is amount times mark price times rate of the fundingRate history."""
    stage = Stage(funding_seed=5)
    stage.order(quantity="0.05")
    stage.order(symbol=ETH, side="SELL", quantity="1")
    told = []
    for day in range(4):
        told.append(premium_json(stage.venue, BTC))
        until(stage, told[-1]["nextFundingTime"] + 60_000, 100_000.0 + 300 * day)  # type: ignore[operator]
    for symbol in (BTC, ETH):
        rows: Any = funding_json(stage.venue, symbol, Window(DUE_MS))
        assert [row["fundingTime"] for row in rows] == [ms for ms, _ in paid(stage, symbol)]
        for row, (_, amount) in zip(rows, paid(stage, symbol), strict=True):
            due = stage.amount(symbol) * D(row["markPrice"]) * D(row["fundingRate"])
            assert amount == -due
        if symbol == BTC:
            assert [row["fundingRate"] for row in rows] == [row["lastFundingRate"] for row in told]
    assert len({row["fundingRate"] for row in rows}) == 4


@given(st.integers(0, 10**6), st.sampled_from([BTC, ETH]), st.integers(0, 10**5))
def test_seeded_rates(seed: int, symbol: str, number: int) -> None:
    """Rates stay within their bounds and are the same for the same seed, symbol and time."""
    rates = [
        Funding(start, seed).rate(symbol, number * FUNDING_INTERVAL_MS) for start in (0, 10**9)
    ]
    assert rates[0] == rates[1]
    assert D("-0.0001") <= rates[0] <= D("0.0003")


def test_rates_differ_by_symbol_and_have_both_signs() -> None:
    """A series is not a constant, and not the same for every symbol."""
    rates = Funding(0, 1)
    times = due_times(0, 100 * FUNDING_INTERVAL_MS)
    series = [[rates.rate(symbol, ms) for ms in times] for symbol in (BTC, ETH)]
    assert series[0] != series[1]
    assert min(series[0]) < 0 < max(series[0])


@pytest.mark.parametrize("limit", [None, "2"])
def test_history_keeps_its_times_where_it_begins_in_between(limit: str | None) -> None:
    """A recording that begins at another time tells of 00, 08 and 16 o'clock all the same."""
    stage = Stage()
    start_ms, columns = MIDNIGHT_MS + 20 * 60_000, np.full((5, 700), 100_000.0)
    items = [stage.venue.tape.instrument(symbol) for symbol in stage.prices]
    stage.venue.tape = Tape([symbol_tape(item, start_ms, columns) for item in items])
    until(stage, DUE_MS + 1)
    params = Params({"symbol": BTC} | ({} if limit is None else {"limit": limit}))
    rows: Any = funding_rate(stage.venue, params)
    assert [row["fundingTime"] for row in rows] == [MIDNIGHT_MS + 8 * HOUR_MS, DUE_MS]
