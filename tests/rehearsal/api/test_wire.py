"""Numbers on the wire."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rehearsal.api.wire import average, order_json
from qt_protections.rehearsal.engine.orders import Order, OrderRequest, OrderStatus, OrderType
from qt_protections.rehearsal.market.book import Side


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal(0), "0"),
        (Decimal("95000.1"), "95000.1"),
        (Decimal("100000"), "100000"),
        (Decimal("0.123456789012"), "0.123456789012"),
        (Decimal(1) / 3, "0.3333333333333333"),
        (Decimal(200_000) / 3, "66666.66666666667"),
    ],
    ids=str,
)
def test_averages(value: Decimal, text: str) -> None:
    """A mean that ends is exact, another has 16 digits."""
    assert average(value) == text


@given(st.lists(st.tuples(st.integers(1, 30_000), st.integers(25_000, 35_000)), min_size=1))
def test_a_client_can_rebuild_the_value(fills: list[tuple[int, int]]) -> None:
    """Average times size, as a client's floats give it, is the traded value within 1e-6 USDT."""
    size = Decimal(sum(quantity for quantity, _ in fills))
    value = Decimal(sum(quantity * ticks for quantity, ticks in fills)).scaleb(-5)
    request = OrderRequest("DOGEUSDT", Side.BUY, OrderType.MARKET, size, "name")
    order = Order(request, 1, 0, 0, size, OrderStatus.FILLED, executed=size, quote=value)
    row = order_json(order)
    rebuilt = float(str(row["avgPrice"])) * float(str(row["executedQty"]))
    assert abs(rebuilt - float(value)) < 1e-6
