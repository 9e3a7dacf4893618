"""Liquidation and bankruptcy prices, and the pool that stands behind cross positions."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qt_protections.rehearsal.engine.account import Position
from qt_protections.rehearsal.engine.margin import (
    bankruptcy_price,
    is_liquidated,
    liquidation_price,
    maintenance_margin,
)
from qt_protections.rehearsal.market.instruments import REPLAYABLE, Instrument
from tests.rehearsal.stage import BTC, ETH, Stage, code_of

D = Decimal
ONE_IN_A_MILLION = D("1e-6")


@st.composite
def backed_positions(draw: st.DrawFn) -> tuple[Instrument, Position, Decimal]:
    """Positions in every bracket, long and short, and what stands behind them."""
    item = draw(st.sampled_from(REPLAYABLE))
    entry = D(str(item.reference_price))
    largest = float(item.brackets[-1].cap)
    value = D(draw(st.floats(10, largest, allow_nan=False)))
    amount = value / entry * draw(st.sampled_from([1, -1]))
    backing = value * D(draw(st.floats(0.001, 3)))
    return item, Position(amount, amount * entry, backing), backing


@given(backed_positions())
def test_liquidation_price_is_where_liquidation_begins(
    case: tuple[Instrument, Position, Decimal],
) -> None:
    """A millionth on the safe side of it the position lives, a millionth beyond it does not."""
    item, position, backing = case
    entry = position.entry_price
    assume(not is_liquidated(item, position, entry, backing))
    price = liquidation_price(item, position, backing)
    towards_profit = 1 if position.amount > 0 else -1
    if price < D("1e-8"):
        assert not is_liquidated(item, position, D("1e-6"), backing)
        return
    safe = price * (1 + towards_profit * ONE_IN_A_MILLION)
    beyond = price * (1 - towards_profit * ONE_IN_A_MILLION)
    assert not is_liquidated(item, position, safe, backing)
    assert is_liquidated(item, position, beyond, backing)


@given(backed_positions())
def test_bankruptcy_price_leaves_nothing(case: tuple[Instrument, Position, Decimal]) -> None:
    """Closing there loses the backing, and it lies beyond the liquidation price."""
    item, position, backing = case
    assume(not is_liquidated(item, position, position.entry_price, backing))
    price = bankruptcy_price(position, backing)
    if price:
        assert abs(backing + position.unrealized(price)) < D("1e-9") * abs(position.entry_value)
    side = 1 if position.amount > 0 else -1
    assert (liquidation_price(item, position, backing) - price) * side >= 0


@given(st.sampled_from(REPLAYABLE), st.integers(0, 11))
def test_maintenance_margin_has_no_step(item: Instrument, row: int) -> None:
    """Where a bracket ends its margin equals that of the next one's beginning."""
    bracket = item.brackets[min(row, len(item.brackets) - 1)]
    before = maintenance_margin(item, bracket.cap - D("1e-6"))
    after = maintenance_margin(item, bracket.cap)
    assert abs(after - before) < D("1e-5")


def test_flat_has_no_liquidation_price() -> None:
    """Without a position the price is zero."""
    assert Stage().venue.desk.valuation.liquidation_price(BTC) == 0


@pytest.mark.parametrize("isolated", [True, False], ids=["isolated", "cross"])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_told_liquidation_price_as_mark_price(side: str, isolated: bool) -> None:
    """The price the exchange tells, put in as mark price, is where it liquidates."""
    stage = Stage(balance=1000, isolated=isolated)
    stage.order(side=side, quantity="0.05")
    edge = stage.venue.desk.valuation.liquidation_price(BTC)
    away = 1 if side == "BUY" else -1
    stage.mark(edge + away * D("0.01"))
    assert stage.amount() != 0
    stage.mark(edge - away * D("0.01"))
    assert stage.amount() == 0


def test_isolated_is_nearer_than_cross() -> None:
    """The same position lives longer on the whole wallet."""
    prices = []
    for isolated in (True, False):
        stage = Stage(isolated=isolated, balance=1000)
        stage.order(quantity="0.05")
        prices.append(stage.venue.desk.valuation.liquidation_price(BTC))
    assert prices[1] < prices[0] < 100_000


def test_cross_positions_share_the_wallet() -> None:
    """The loss of one brings the liquidation price of the other nearer; profit moves it away."""
    stage = Stage(balance=2000)
    stage.order(quantity="0.05")
    stage.order(symbol=ETH, quantity="1")
    valuation = stage.venue.desk.valuation
    before = valuation.liquidation_price(BTC)
    stage.mark(2900, ETH)
    nearer = valuation.liquidation_price(BTC)
    assert nearer - before == pytest.approx(100 / 0.05, rel=0.01)
    stage.mark(3200, ETH)
    assert valuation.liquidation_price(BTC) < before


def test_bankruptcy_price_in_cross() -> None:
    """There the whole balance is gone, the maintenance margin of the others included."""
    stage = Stage(balance=2000)
    stage.order(quantity="0.05")
    stage.order(symbol=ETH, quantity="1")
    valuation = stage.venue.desk.valuation
    stage.venue.tape[BTC].mark = float(valuation.bankruptcy_price(BTC))
    assert abs(valuation.cross_balance) < D("0.001")


def test_available_balance_in_cross() -> None:
    """Cross wallet with unrealised profit or loss, less initial margins and resting orders."""
    stage = Stage()
    desk = stage.venue.desk
    stage.order(quantity="0.1")
    stage.order(type="LIMIT", timeInForce="GTC", price="90000")
    wallet, entry = stage.venue.account.wallet, stage.venue.account.position(BTC).entry_value
    for mark in (101_000, 99_000):
        stage.mark(mark)
        value = D("0.1") * mark
        assert desk.margin.available == wallet + (value - entry) - value / 20 - D(45)
    stage.mark(300)
    assert (desk.margin.available, stage.amount()) == (0, D("0.1"))


def test_isolated_loss_does_not_touch_the_available_balance() -> None:
    """Isolated margins are gone from the cross wallet, their profit and loss is not in it."""
    stage = Stage(isolated=True)
    stage.order(quantity="0.1")
    before = stage.venue.desk.margin.available
    stage.mark(97_000)
    assert stage.venue.desk.margin.available == before == stage.venue.account.cross_wallet


def test_margin_check_uses_the_cross_pool() -> None:
    """An unrealised loss leaves less to open with (-2019), an unrealised profit more."""
    stage = Stage()
    stage.order(quantity="1")
    stage.mark(98_000)
    assert code_of(stage.order, symbol=ETH, quantity="21") == -2019
    stage.mark(104_000)
    assert code_of(stage.order, symbol=ETH, quantity="21") == 0


@pytest.mark.parametrize("isolated", [True, False], ids=["isolated", "cross"])
def test_turning_a_position_uses_the_margin_it_frees(isolated: bool) -> None:
    """Nearly the whole wallet can be turned over, but not twice of it."""
    stage = Stage(isolated=isolated, balance=1000)
    stage.order(quantity="0.19")
    assert code_of(stage.order, side="SELL", quantity="0.57") == -2019
    assert code_of(stage.order, side="SELL", quantity="0.37") == 0
    assert stage.amount() == D("-0.18")
