"""Triggers that follow the price: every tick counts, however the exchange's time advances."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_protections.rehearsal.engine.orders import AlgoOrder, AlgoStatus
from qt_protections.rehearsal.market.feed import Tick
from qt_protections.rehearsal.market.tape import MARK_PACE
from tests.rehearsal.stage import BTC, ETH, Stage

TRAIL = {"type": "TRAILING_STOP_MARKET", "triggerPrice": None}
MOVES = st.lists(st.integers(-30, 30) | st.integers(-80, 80), min_size=1, max_size=40)


def path(moves: list[int]) -> list[float]:
    """Return prices that start from 100,000 and move by so many thousandths."""
    prices = [100_000.0]
    for move in moves:
        prices.append(round(prices[-1] * (1 + move / 1000), 1))
    return prices[1:]


def play(stage: Stage, prices: list[float], batch: int) -> None:
    """Print prices 100 ms apart; the exchange looks at its clock once every `batch` of them."""
    for start in range(0, len(prices), batch):
        for price in prices[start : start + batch]:
            stage.now_ms += 100
            stage.feed.ticks.append(Tick(stage.now_ms, (price, stage.prices[ETH]), (1.0, 1.0)))
        stage.venue.advance()


def first_trigger(
    prices: list[float], sign: int, rate: Decimal, activate: Decimal, by_mark: bool, protect: bool
) -> int | None:
    """Return the index of the tick that fires, by a plain loop; `sign` is 1 for SELL."""
    mark, best = 100_000.0, Decimal(100_000)
    for index, price in enumerate(prices):
        mark += (price - mark) * MARK_PACE
        last, exact_mark = Decimal(str(price)), Decimal(f"{mark:.8f}")
        seen = exact_mark if by_mark else last
        best = max(best, seen) if sign > 0 else min(best, seen)
        active = (best - activate) * sign >= 0
        back = (best * (1 - sign * rate) - seen) * sign >= 0
        apart = abs(last / exact_mark - 1) > Decimal("0.05")
        if active and back and not (protect and apart):
            return index
    return None


@settings(max_examples=150, deadline=None)
@given(
    moves=MOVES,
    side=st.sampled_from(["SELL", "BUY"]),
    tenths=st.integers(1, 200),
    ahead=st.integers(0, 60),
    by_mark=st.booleans(),
    protect=st.booleans(),
    batch=st.integers(1, 40),
)
def test_the_first_tick_that_fires(
    moves: list[int],
    side: str,
    tenths: int,
    ahead: int,
    by_mark: bool,
    protect: bool,
    batch: int,
) -> None:
    """It fires at the first tick a callback behind the best price since it was active."""
    stage, prices, sign = Stage(), path(moves), 1 if side == "SELL" else -1
    activate = Decimal(100_000) * (1000 + sign * ahead) / 1000
    started_ms = stage.now_ms
    algo = stage.algo(
        **TRAIL,
        side=side,
        callbackRate=Decimal(tenths) / 10,
        activatePrice=None if ahead == 0 else f"{activate:f}",
        workingType="MARK_PRICE" if by_mark else "CONTRACT_PRICE",
        priceProtect=str(protect).lower(),
    )
    play(stage, prices, batch)
    found = first_trigger(prices, sign, Decimal(tenths) / 1000, activate, by_mark, protect)
    expected_ms = 0 if found is None else started_ms + (found + 1) * 100
    assert algo.trigger_ms == expected_ms


@pytest.mark.parametrize("type_", ["STOP_MARKET", "TRAILING_STOP_MARKET"])
def test_a_protected_trigger_waits_for_the_mark(type_: str) -> None:
    """It does not fire while last and mark price are 5 % apart, and does once they meet."""
    stage = Stage()
    stage.order()
    algo = _protected(stage, type_)
    stage.tick(94_000)
    assert algo.status is AlgoStatus.NEW
    stage.tick(94_000)
    assert (algo.status, stage.amount()) == (AlgoStatus.FINISHED, 0)


def test_a_protected_trigger_forgets_a_spike() -> None:
    """A spike that is over before the mark price follows does not fire later."""
    stage = Stage()
    stage.order()
    algo = _protected(stage, "STOP_MARKET")
    stage.tick(94_000)
    stage.drift(97_000)
    assert algo.status is AlgoStatus.NEW
    assert stage.venue.tape.mark(BTC) < 97_100


def _protected(stage: Stage, type_: str) -> AlgoOrder:
    fixed = {"type": type_, "triggerPrice": "96000"}
    kind = TRAIL | {"callbackRate": "4"} if type_ == "TRAILING_STOP_MARKET" else fixed
    return stage.algo(**kind, priceProtect="true")
