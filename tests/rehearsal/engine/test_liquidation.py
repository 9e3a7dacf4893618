"""Liquidation: what it cancels, closes, charges, and who pays what is missing."""

from decimal import Decimal

import pytest

from qt_protections.rehearsal.engine.ledger import INSURANCE_START
from qt_protections.rehearsal.engine.orders import Cause, Order, OrderStatus
from qt_protections.rehearsal.journal import EventKind
from tests.rehearsal.stage import BTC, ETH, Stage

D = Decimal
FAR = {"type": "LIMIT", "timeInForce": "GTC"}


def forced(stage: Stage) -> list[Order]:
    """Return the orders that liquidated something, oldest first."""
    orders = stage.venue.desk.orders
    return [order for order in orders if order.request.cause is Cause.LIQUIDATION]


def insurance(stage: Stage) -> Decimal:
    """Return what the account received from the insurance fund, negative if it paid."""
    lines = stage.venue.ledger.incomes
    return sum((line.amount for line in lines if line.kind == "INSURANCE_CLEAR"), D(0))


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_isolated_position_dies_at_its_liquidation_price(side: str) -> None:
    """It goes through the book, and what is left of the margin goes into the insurance fund."""
    stage = Stage(isolated=True)
    stage.venue.margin_settings.set_leverage(BTC, 50)
    stage.order(side=side, quantity="0.05")
    position, outside = stage.venue.account.position(BTC), stage.venue.account.cross_wallet
    edge = stage.venue.desk.valuation.liquidation_price(BTC)
    direction = 1 if side == "BUY" else -1
    stage.drift(float(round(edge * (1 + direction * D("0.0005")), 1)))
    assert stage.amount() != 0
    stage.drift(float(round(edge * (1 - direction * D("0.0005")), 1)))
    assert stage.amount() == 0
    assert stage.venue.report().positions[0].exit == "liquidation"
    assert stage.venue.account.cross_wallet == pytest.approx(outside, abs=D("1e-8"))
    (order,) = forced(stage)
    assert order.status is OrderStatus.FILLED
    lost = -position.unrealized(order.average_price)
    assert 0 < lost < position.margin
    assert insurance(stage) == pytest.approx(lost - position.margin, abs=D("1e-8"))
    assert stage.venue.ledger.insurance_fund == INSURANCE_START - insurance(stage)


def test_liquidation_charges_no_commission() -> None:
    """Only the opening has a commission; the fee of the liquidation is an income of its own."""
    stage = Stage(isolated=True, balance=1000)
    stage.order(quantity="0.05")
    stage.drift(90_000)
    kinds = [line.kind for line in stage.venue.ledger.incomes]
    assert kinds.count("COMMISSION") == 1
    assert kinds[-1] == "INSURANCE_CLEAR"


def test_fee_is_a_ratio_of_what_was_liquidated() -> None:
    """Where the maintenance margin is high, the fee leaves something of the margin."""
    stage = Stage(balance=6_000_000, isolated=True)
    stage.venue.margin_settings.set_leverage(ETH, 5)
    for _ in range(2):
        stage.order(quantity="1000", symbol=ETH)
    stage.venue.ledger.move_margin(ETH, -stage.venue.account.position(ETH).margin / 2)
    edge = stage.venue.desk.valuation.liquidation_price(ETH)
    stage.mark(edge, ETH)
    (order,) = forced(stage)
    assert -insurance(stage) == pytest.approx(order.quote * D("0.0125"), abs=D("1e-8"))


@pytest.mark.parametrize(("side", "price"), [("BUY", 90_000), ("SELL", 110_000)])
def test_book_gap_is_paid_by_the_insurance_fund(side: str, price: int) -> None:
    """Behind a gap the fund takes over at the bankruptcy price and loses the rest."""
    stage = Stage(isolated=True)
    stage.venue.margin_settings.set_leverage(BTC, 60)
    stage.order(side=side, quantity="0.05")
    position, outside = stage.venue.account.position(BTC), stage.venue.account.cross_wallet
    stage.tick(price)
    stage.drift(price)
    (order,) = forced(stage)
    taken_at, sign = order.request.price, 1 if side == "BUY" else -1
    bankruptcy = (position.entry_value - position.margin) / position.amount
    assert 0 < (taken_at - bankruptcy) * sign < D("0.1")
    assert order.average_price == taken_at
    assert stage.venue.account.cross_wallet == pytest.approx(outside, abs=D("1e-8"))
    loss = (taken_at - price) * position.amount
    assert stage.venue.ledger.insurance_fund == INSURANCE_START - loss - insurance(stage)
    events = [e for e in stage.venue.journal.events if e.kind is EventKind.INSURANCE]
    assert (events[0].quantity, events[0].price) == (D("0.05"), taken_at)
    assert f"{INSURANCE_START - loss:f}" in str(events[0].reason)


def test_own_order_beyond_bankruptcy_is_covered() -> None:
    """A stop that slips past the bankruptcy price costs the margin; the fund pays the rest."""
    stage = Stage(isolated=True)
    stage.venue.margin_settings.set_leverage(BTC, 50)
    stage.order(quantity="0.05")
    outside = stage.venue.account.cross_wallet
    stage.algo(quantity="0.05", triggerPrice="99500")
    stage.tick(95_000.0)
    assert stage.amount() == 0
    assert forced(stage) == []
    assert stage.venue.account.wallet == outside
    assert insurance(stage) == INSURANCE_START - stage.venue.ledger.insurance_fund > 100


def test_liquidation_cancels_what_rests_in_its_pool() -> None:
    """An isolated liquidation cancels its symbol's orders; a cross one those of cross symbols."""
    for crossed, left in ((False, [ETH]), (True, [])):
        stage = Stage(balance=1000, isolated=not crossed)
        stage.venue.margin_settings.set_leverage(ETH, 100)
        stage.order(quantity="0.05")
        stage.order(**FAR, price="50000", quantity="0.003")
        stage.order(**FAR, symbol=ETH, price="1000", quantity="0.1")
        stage.mark(75_000)
        assert stage.amount() == 0
        assert [o.request.symbol for o in stage.venue.desk.open_orders()] == left


def test_cross_liquidation_starts_with_the_largest_loss() -> None:
    """It ends once the margin suffices: the smaller loser stays."""
    stage = Stage(balance=1000)
    stage.order(quantity="0.05")
    stage.order(symbol=ETH, quantity="1")
    stage.mark(2990, ETH)
    stage.tick(82_000.0)
    stage.mark(80_500)
    assert [order.request.symbol for order in forced(stage)] == [BTC]
    assert (stage.amount(), stage.amount(ETH)) == (0, 1)


def test_cross_account_never_ends_below_zero() -> None:
    """A fall through everything takes the wallet and no more."""
    stage = Stage(balance=1000)
    stage.order(quantity="0.05")
    stage.order(symbol=ETH, quantity="2")
    stage.tick(2000.0, ETH)
    stage.tick(60_000.0)
    stage.mark(60_000)
    stage.mark(2000, ETH)
    assert stage.venue.account.held() == []
    assert 0 <= stage.venue.account.wallet < 1
    assert stage.venue.ledger.insurance_fund < INSURANCE_START


def test_pools_do_not_touch_each_other() -> None:
    """An isolated position outlives a cross liquidation, and the other way round."""
    for falling, other in ((BTC, ETH), (ETH, BTC)):
        stage = Stage(balance=1000)
        stage.venue.margin_settings.set_isolated(ETH, True)
        stage.order(quantity="0.05")
        stage.order(symbol=ETH, quantity="1")
        stage.order(**FAR, symbol=other, side="SELL", price="150000", quantity="0.001")
        margin = stage.venue.account.position(ETH).margin
        stage.mark(stage.prices[falling] * 0.7, falling)
        assert (stage.amount(falling), stage.amount(other) != 0) == (0, True)
        assert [o.request.symbol for o in stage.venue.desk.open_orders()] == [other]
        if other == ETH:
            assert stage.venue.account.position(ETH).margin == margin
            assert stage.venue.account.cross_wallet >= 0


def test_empty_fund_goes_on_paying() -> None:
    """Nobody is deleveraged: the fund's balance falls below zero."""
    stage = Stage(isolated=True)
    stage.venue.ledger.insurance_fund = D(0)
    stage.venue.margin_settings.set_leverage(BTC, 50)
    stage.order(quantity="0.05")
    stage.tick(90_000.0)
    stage.drift(90_000.0)
    assert stage.amount() == 0
    assert stage.venue.ledger.insurance_fund < 0
