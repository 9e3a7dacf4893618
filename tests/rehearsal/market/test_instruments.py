"""Filters: what exchangeInfo lists is what is enforced."""

from decimal import Decimal
from typing import Any

import pytest

from qt_protections.rehearsal.api.wire_contracts import exchange_info_json
from qt_protections.rehearsal.market.instruments import REPLAYABLE, Instrument
from tests.rehearsal.stage import BTC, Stage, code_of


def listed(stage: Stage) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return BTCUSDT's row of exchangeInfo, and its filters by type."""
    info: Any = exchange_info_json(stage.venue)
    (row,) = (row for row in info["symbols"] if row["symbol"] == BTC)
    return row, {item["filterType"]: item for item in row["filters"]}


def test_listed_price_bounds_are_the_enforced_ones() -> None:
    """An order at a listed bound passes the price filter, one a tick beyond does not."""
    stage = Stage()
    rule = listed(stage)[1]["PRICE_FILTER"]
    low, high, tick = (Decimal(rule[key]) for key in ("minPrice", "maxPrice", "tickSize"))
    sell = {"type": "LIMIT", "timeInForce": "GTC", "side": "SELL", "quantity": "0.001"}
    buy = sell | {"side": "BUY", "quantity": "1"}
    assert code_of(stage.order, **sell, price=high) == 0
    assert code_of(stage.order, **sell, price=high + tick) == -4002
    assert code_of(stage.order, **buy, price=low) == 0
    assert code_of(stage.order, **buy, price=low - tick) == -4013


@pytest.mark.parametrize(
    ("name", "given_"),
    [
        ("LOT_SIZE", {"type": "LIMIT", "timeInForce": "GTC", "price": "90000"}),
        ("MARKET_LOT_SIZE", {}),
    ],
    ids=["limit", "market"],
)
def test_listed_sizes_are_the_enforced_ones(name: str, given_: dict[str, str]) -> None:
    """The largest listed size is only short of margin, one step more is too large."""
    stage = Stage()
    rule = listed(stage)[1][name]
    most, step = Decimal(rule["maxQty"]), Decimal(rule["stepSize"])
    assert code_of(stage.order, **given_, quantity=most) == -2019
    assert code_of(stage.order, **given_, quantity=most + step) == -4005


def test_listed_band_is_the_enforced_one() -> None:
    """A buyer's limit may be as high as listed, a seller's as low."""
    stage = Stage()
    row, filters = listed(stage)
    rule, limit = filters["PERCENT_PRICE"], {"type": "LIMIT", "timeInForce": "IOC"}
    high = 100_000 * Decimal(rule["multiplierUp"])
    low = 100_000 * Decimal(rule["multiplierDown"])
    tick = Decimal(filters["PRICE_FILTER"]["tickSize"])
    for side, edge, beyond, code in (
        ("BUY", high, high + tick, -4016),
        ("SELL", low, low - tick, -4024),
    ):
        assert code_of(stage.order, **limit, side=side, price=edge.normalize()) == 0
        assert code_of(stage.order, **limit, side=side, price=beyond) == code
    assert row["triggerProtect"] == "0.0500"


def test_market_orders_are_smaller_than_limit_orders() -> None:
    """Each contract takes less at market than at a limit, as on the exchange."""
    assert all(item.market_max_qty < item.max_qty for item in REPLAYABLE)


@pytest.mark.parametrize("item", REPLAYABLE, ids=lambda item: item.symbol)
def test_bounds_are_on_the_steps(item: Instrument) -> None:
    """Bounds are multiples of tick and step and leave room around the usual price."""
    assert not item.min_price % item.tick
    assert not item.max_price % item.tick
    assert not item.market_max_qty % item.step
    assert 0 < item.min_price * 100 < item.reference_price < item.max_price / 10
