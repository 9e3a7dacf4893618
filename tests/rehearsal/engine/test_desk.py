"""Plain orders: what is refused, what is filled, and at what price."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_protections.rehearsal.engine.orders import OrderStatus
from tests.rehearsal.stage import BTC, ETH, Stage, code_of


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({}, 0),
        ({"quantity": "0.0105"}, -1111),
        ({"quantity": "0"}, -4003),
        ({"quantity": "-1"}, -4003),
        ({"quantity": "1000"}, -4005),
        ({"quantity": "nan"}, -1102),
        ({"quantity": "1e99"}, -1102),
        ({"quantity": None}, -1102),
        ({"side": None}, -1102),
        ({"side": "HOLD"}, -1117),
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"type": "ICEBERG"}, -1116),
        ({"type": "STOP_MARKET", "stopPrice": "99000"}, -4120),
        ({"type": "TAKE_PROFIT", "stopPrice": "99000"}, -4120),
        ({"type": "TRAILING_STOP_MARKET", "callbackRate": "1"}, -4120),
        ({"type": "LIMIT", "price": "90000"}, -1102),
        ({"type": "LIMIT", "timeInForce": "GTC"}, -1102),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "90000.05"}, -4014),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "0"}, -4001),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "474.9"}, -4013),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "4750000.1"}, -4002),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "105000.1"}, -4016),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "94999.9", "side": "SELL"}, -4024),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "90000", "quantity": "60"}, -2019),
        ({"quantity": "60"}, -4005),
        ({"type": "LIMIT", "timeInForce": "DAY", "price": "90000"}, -1115),
        ({"type": "LIMIT", "timeInForce": "GTX", "price": "104000"}, -5022),
        ({"type": "LIMIT", "timeInForce": "FOK", "price": "90000"}, -5021),
        ({"quantity": "0.001", "symbol": ETH}, -4164),
        ({"quantity": "0.001", "symbol": ETH, "reduceOnly": "true"}, -2022),
        ({"reduceOnly": "true"}, -2022),
        ({"reduceOnly": "maybe"}, -1102),
        ({"positionSide": "LONG"}, -4061),
        ({"newClientOrderId": "no spaces allowed"}, -4015),
        ({"quantity": "3"}, -2019),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else None,
)
def test_refusals(request_: dict[str, object], code: int) -> None:
    """Each rule answers with its own code."""
    assert code_of(Stage().order, **request_) == code


def test_duplicate_client_id_among_open_orders() -> None:
    """A client id is taken while its order rests, and free afterwards."""
    stage = Stage()
    resting = {"type": "LIMIT", "timeInForce": "GTC", "price": "90000", "newClientOrderId": "a"}
    stage.order(**resting)
    assert code_of(stage.order, **resting) == -4116
    stage.venue.desk.cancel(BTC, None, "a")
    assert code_of(stage.order, **resting) == 0


def test_market_order_costs_a_little() -> None:
    """A market order of 3,000 USDT fills whole, 0 to 3 basis points from the last price."""
    order = Stage().order(quantity="0.03")
    assert order.status is OrderStatus.FILLED
    assert 0 < order.average_price / 100_000 - 1 < Decimal("0.0003")


def test_reduce_only_is_capped_and_sided() -> None:
    """Reduce-only shrinks to the position and refuses the side that would add."""
    stage = Stage()
    stage.order(quantity="0.02")
    assert code_of(stage.order, reduceOnly="true") == -2022
    order = stage.order(side="SELL", quantity="0.05", reduceOnly="true")
    assert (order.quantity, stage.amount()) == (Decimal("0.02"), 0)


def test_closing_needs_no_margin_and_no_minimum() -> None:
    """A small rest can be closed by reduce-only though it is under the minimum value."""
    stage = Stage()
    stage.order(quantity="0.011")
    stage.order(side="SELL", quantity="0.0105".replace("5", "0"), reduceOnly="true")
    assert stage.amount() == Decimal("0.001")
    assert code_of(stage.order, side="SELL", quantity="0.001") == 0


def test_selling_more_than_held_turns_the_position() -> None:
    """Without reduce-only a larger opposite order closes the long and opens a short."""
    stage = Stage()
    stage.order(quantity="0.01")
    stage.order(side="SELL", quantity="0.03")
    report = stage.venue.report()
    assert stage.amount() == Decimal("-0.02")
    assert [(p.side, p.closed_ms is None) for p in report.positions] == [
        ("LONG", False),
        ("SHORT", True),
    ]


@pytest.mark.parametrize(
    ("side", "limit", "through"),
    [("BUY", "99000", 98_999.9), ("SELL", "101000", 101_000.1)],
    ids=["buy", "sell"],
)
def test_resting_limit_fills_at_its_price(side: str, limit: str, through: float) -> None:
    """A resting order fills whole at its own price, as maker, when the price runs through it."""
    stage = Stage()
    order = stage.order(side=side, type="LIMIT", timeInForce="GTC", price=limit)
    assert order.status is OrderStatus.NEW
    stage.tick(through)
    trade = stage.venue.ledger.trades[-1]
    assert (order.status, trade.price, trade.maker) == (OrderStatus.FILLED, Decimal(limit), True)
    assert trade.fee == Decimal(limit) * Decimal("0.01") * Decimal("0.0002")


def test_a_touched_order_waits_and_fills_in_parts() -> None:
    """The queue is served first, then the order takes what trades, tick by tick."""
    stage = Stage()
    order = stage.order(type="LIMIT", timeInForce="GTC", price="99900", quantity="1")
    ahead = order.ahead
    assert ahead > Decimal("0.2")
    stage.tick(99_900, volume=float(2 * ahead))
    assert (order.status, order.executed, order.ahead) == (OrderStatus.NEW, 0, 0)
    stage.tick(99_900.1, volume=9)
    assert order.executed == 0
    stage.tick(99_900, volume=0.8)
    assert (order.status, order.executed) == (OrderStatus.PARTIALLY_FILLED, Decimal("0.4"))
    stage.tick(99_900, volume=0)
    assert order.executed == Decimal("0.4")
    stage.tick(99_900, volume=9)
    assert (order.status, order.executed) == (OrderStatus.FILLED, 1)
    assert order.average_price == 99_900


def test_orders_of_one_price_share_a_tick() -> None:
    """What a tick trades is given out once, the older order first."""
    stage = Stage()
    limit = {"type": "LIMIT", "timeInForce": "GTC", "price": "100000", "quantity": "0.4"}
    first, second = stage.order(**limit), stage.order(**limit)
    assert (first.ahead, second.ahead) == (0, 0)
    stage.tick(100_000, volume=1)
    assert (first.executed, second.executed) == (Decimal("0.4"), Decimal("0.1"))


def test_a_resting_reduction_is_capped_when_it_fills() -> None:
    """A reduce-only order takes no more than the position that is left, and then expires."""
    stage = Stage()
    stage.order(quantity="0.03")
    limit = {"type": "LIMIT", "timeInForce": "GTC", "price": "101000", "side": "SELL"}
    order = stage.order(**limit, quantity="0.03", reduceOnly="true")
    stage.order(side="SELL", quantity="0.02")
    stage.tick(101_001)
    assert (order.executed, order.status) == (Decimal("0.01"), OrderStatus.EXPIRED)
    assert stage.amount() == 0


TOUCHES = st.lists(
    st.tuples(st.sampled_from([99_899.9, 99_900.0, 99_900.1]), st.floats(0, 3)), max_size=15
)


@settings(max_examples=60, deadline=None)
@given(TOUCHES)
def test_no_more_is_filled_than_was_traded(path: list[tuple[float, float]]) -> None:
    """Until the price runs through an order, its fills and what was ahead fit into the volume."""
    stage = Stage()
    order = stage.order(type="LIMIT", timeInForce="GTC", price="99900", quantity="1")
    ahead, traded = order.ahead, Decimal(0)
    for price, volume in path:
        stage.tick(price, volume=volume)
        if price < 99_900:
            assert order.status is OrderStatus.FILLED
            break
        traded += Decimal(str(round(volume, 3))) if price == 99_900 else 0
        assert order.executed <= max(traded / 2 - ahead, Decimal(0))


def test_open_orders_are_limited() -> None:
    """A symbol holds 200 resting orders; market orders and other symbols still go."""
    stage = Stage(balance=10**7)
    limit = {"type": "LIMIT", "timeInForce": "GTC", "price": "90000"}
    for _ in range(200):
        stage.order(**limit)
    assert code_of(stage.order, **limit) == -2025
    assert code_of(stage.order) == 0
    assert code_of(stage.order, **limit | {"symbol": ETH, "price": "2900"}) == 0


@pytest.mark.parametrize(
    ("price", "side", "code"),
    [(94_000.0, "SELL", -4131), (94_000.0, "BUY", 0), (106_000.0, "BUY", -4131)],
    ids=str,
)
def test_market_order_far_from_the_mark(price: float, side: str, code: int) -> None:
    """A counterparty more than 5 % beyond the mark price is not taken."""
    stage = Stage()
    stage.tick(price)
    assert code_of(stage.order, side=side) == code


@pytest.mark.parametrize(
    ("balance", "plain", "reduces", "code"),
    [
        (10_000, "0.1", "false", 0),
        (900, "0.1", "true", 0),
        (1_020, "0.1", "false", -4118),
        (1_020, None, "false", 0),
    ],
    ids=["margin-is-there", "resting-reduces", "no-margin", "nothing-rests"],
)
def test_a_reduction_must_not_turn_the_position(
    balance: int, plain: str | None, reduces: str, code: int
) -> None:
    """With a resting order that would turn the position, a reduction needs margin for the turn."""
    stage = Stage(balance=balance)
    stage.order(quantity="0.1")
    if plain is not None:
        limit = {"type": "LIMIT", "timeInForce": "GTC", "price": "105000", "side": "SELL"}
        stage.order(**limit, quantity=plain, reduceOnly=reduces)
    stage.algo(quantity="0.1")
    assert code_of(stage.order, side="SELL", quantity="0.1", reduceOnly="true") == code


def test_name_of_an_open_order_is_found_first() -> None:
    """A name used again means its open order; without one, the latest."""
    stage = Stage()
    resting = {"type": "LIMIT", "timeInForce": "GTC", "price": "90000", "newClientOrderId": "a"}
    orders = []
    for _ in range(3):
        orders.append(stage.order(**resting))
        stage.venue.desk.cancel(BTC, None, "a")
    assert stage.venue.desk.find(BTC, None, "a") is orders[-1]
    assert stage.venue.desk.find(ETH, None, "a") is None
    assert stage.venue.desk.find(BTC, None, None) is None
    open_one = stage.order(**resting)
    assert stage.venue.desk.find(BTC, None, "a") is open_one


def test_ioc_without_counterparty_expires() -> None:
    """An IOC order out of reach ends EXPIRED and leaves nothing behind."""
    stage = Stage()
    order = stage.order(type="LIMIT", timeInForce="IOC", price="90000")
    assert order.status is OrderStatus.EXPIRED
    assert stage.venue.desk.open_orders() == []


def test_reducing_limit_expires_with_its_position() -> None:
    """A resting reduce-only order ends when the position it would reduce is gone."""
    stage = Stage()
    stage.order()
    order = stage.order(
        side="SELL", type="LIMIT", timeInForce="GTC", price="105000", reduceOnly="true"
    )
    stage.order(side="SELL", reduceOnly="true")
    assert order.status is OrderStatus.EXPIRED


def test_resting_order_binds_margin() -> None:
    """Margin of a resting order is not available, and comes back when it is cancelled."""
    stage = Stage()
    stage.venue.margin_settings.set_leverage(BTC, 10)
    stage.order(type="LIMIT", timeInForce="GTC", price="90000", newClientOrderId="a")
    assert stage.venue.desk.margin.available == 10_000 - 90
    stage.venue.desk.cancel_all(BTC)
    assert stage.venue.desk.margin.available == 10_000


def test_position_limit_at_leverage() -> None:
    """A position may not outgrow the bracket its leverage allows."""
    stage = Stage(balance=100_000)
    stage.venue.margin_settings.set_leverage(BTC, 150)
    assert code_of(stage.order, quantity="2.9") == 0
    assert code_of(stage.order, quantity="0.5") == -2027


def test_cancelling_what_is_not_there() -> None:
    """An unknown or finished order cannot be cancelled."""
    stage = Stage()
    order = stage.order()
    assert code_of(stage.venue.desk.cancel, BTC, order.order_id, None) == -2011
    assert code_of(stage.venue.desk.cancel, BTC, 1, None) == -2011


STEPS = st.lists(
    st.tuples(
        st.sampled_from([BTC, ETH]),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 60),
        st.booleans(),
        st.floats(0.97, 1.03),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_wallet_changes_by_profit_minus_fees(
    steps: list[tuple[str, str, int, bool, float]],
) -> None:
    """Whatever is traded, the wallet equals its start plus realised profit minus fees."""
    stage = Stage()
    for symbol, side, size, reduces, move in steps:
        quantity = f"0.{size:03d}" if symbol == BTC else f"{size}.0"
        code_of(
            stage.order,
            symbol=symbol,
            side=side,
            quantity=quantity,
            reduceOnly=str(reduces).lower(),
        )
        stage.tick(round(stage.prices[symbol] * move, 1), symbol)
    ledger = stage.venue.ledger
    earned = sum((trade.realized - trade.fee for trade in ledger.trades), Decimal(0))
    assert abs(ledger.account.wallet - 10_000 - earned) < Decimal("1e-15")
    assert abs(sum(line.amount for line in ledger.incomes) - earned) < Decimal("1e-15")
    for symbol in (BTC, ETH):
        signed = sum(t.quantity * t.side.sign for t in ledger.trades if t.symbol == symbol)
        assert stage.amount(symbol) == signed
