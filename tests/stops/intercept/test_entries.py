"""What the door adds to the orders that leave by it, on exchanges that are not there."""

from pathlib import Path
from typing import Any

import pytest
from freqtrade.persistence import init_db

from qt_protections.rules.entries import ApprovedEntry
from qt_protections.stops.intercept.entries import EntryInterceptor
from qt_protections.stops.manager import StopManager
from qt_protections.stops.placer import Placer
from qt_protections.stops.state.client_ids import Namer
from qt_protections.stops.state.pair_states import PairStates
from qt_protections.stops.venue.binance.orders import BinanceVenue
from qt_protections.stops.venue.freqtrade import FreqtradeVenue
from tests.integration.offline_bot import offline_market
from tests.stops.offline import offline_exchange

ENTRY, EXIT = False, True


def sent_params(folder: Path, name: str, mode: str, *, reduces: bool) -> list[dict[str, Any]]:
    """Send an order through the door of a live bot, and return the parameters ccxt gets for it."""
    init_db("sqlite://")
    pair = "BTC/USDT" if mode == "spot" else "BTC/USDT:USDT"
    exchange: Any = offline_exchange(folder, name, mode)
    exchange._config["dry_run"] = False
    exchange._markets = exchange._api.markets = {pair: offline_market(pair, mode)}
    sent = []

    def create_order(*order: Any) -> dict[str, Any]:
        sent.append(order[-1])
        return {"id": "1", "symbol": pair, "status": "canceled", "filled": 0.0, "amount": order[3]}

    exchange._api.create_order = create_order
    exchange._api.set_margin_mode = exchange._api.set_leverage = lambda *_, **__: {}
    watches = (name, mode) == ("binance", "futures")
    line = BinanceVenue(exchange, {}) if watches else FreqtradeVenue(exchange, {})
    namer = Namer("test", "sqlite://")
    manager = StopManager(PairStates(), line, namer, Placer(line, namer), "on_fill")
    EntryInterceptor(
        exchange,
        manager,
        lambda entry: ApprovedEntry(entry, entry.rate, 98.0, entry.amount),
        lambda pair, denial: None,
        lambda: None,
    )
    exchange.create_order(
        pair=pair,
        ordertype="limit",
        side="sell" if reduces else "buy",
        amount=1.0,
        rate=100.0,
        leverage=1.0,
        reduceOnly=reduces and mode == "futures",
    )
    return sent


kinds = pytest.mark.parametrize("reduces", [ENTRY, EXIT], ids=["entry", "exit"])


@kinds
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("binance", "spot"),
        ("bybit", "futures"),
        ("okx", "futures"),
        ("okx", "spot"),
        ("gate", "futures"),
        ("bitget", "futures"),
        ("hyperliquid", "futures"),
        ("kraken", "spot"),
        ("krakenfutures", "futures"),
        ("kucoin", "spot"),
    ],
)
def test_no_order_is_named_where_none_is_found_by_its_name(
    tmp_path: Path, name: str, mode: str, reduces: bool
) -> None:
    """OKX takes letters and digits only, Gate 28 characters, Kraken 18, Hyperliquid hexadecimal."""
    (params,) = sent_params(tmp_path, name, mode, reduces=reduces)
    assert "clientOrderId" not in params


@kinds
def test_every_order_on_binance_futures_has_a_name(tmp_path: Path, reduces: bool) -> None:
    """By it a lost answer is settled."""
    (params,) = sent_params(tmp_path, "binance", "futures", reduces=reduces)
    role = "L" if reduces else "E"
    assert params["clientOrderId"].startswith("qt")
    assert f"-{role}BTCUSDT-" in params["clientOrderId"]
