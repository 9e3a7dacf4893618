"""What the door adds to the orders that leave by it, on exchanges that are not there."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exceptions import InvalidOrderException
from freqtrade.persistence import Trade, init_db

from qt_protections.rules.entries import ApprovedEntry
from qt_protections.stops.entry_cover import EntryCover
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


def hold(pair: str, amount: float) -> None:
    """Have a trade on record that holds something."""
    trade = Trade(
        pair=pair, amount=amount, open_rate=100.0, stake_amount=100.0, fee_open=0.0, fee_close=0.0,
        is_open=True, exchange="binance", open_date=datetime.now(UTC),
    )  # fmt: skip
    Trade.session.add(trade)
    Trade.commit()


def sent(
    folder: Path, name: str, mode: str, *, reduces: bool, held: float | None = 1.0
) -> list[tuple[Any, ...]]:
    """Send an order of 1.0 through the interceptor of a live bot, and return what ccxt gets.

    Args:
        folder: For the configuration.
        name: The exchange.
        mode: "spot" or "futures".
        reduces: Whether it is an exit.
        held: What the trade of an exit holds, base currency; None without a trade.
    """
    init_db("sqlite://")
    pair = "BTC/USDT" if mode == "spot" else "BTC/USDT:USDT"
    exchange: Any = offline_exchange(folder, name, mode)
    exchange._config["dry_run"] = False
    exchange._markets = exchange._api.markets = {pair: offline_market(pair, mode)}
    orders: list[tuple[Any, ...]] = []

    def create_order(*order: Any) -> dict[str, Any]:
        orders.append(order)
        return {"id": "1", "symbol": pair, "status": "canceled", "filled": 0.0, "amount": order[3]}

    exchange._api.create_order = create_order
    exchange._api.set_margin_mode = exchange._api.set_leverage = lambda *_, **__: {}
    watches = (name, mode) == ("binance", "futures")
    line = BinanceVenue(exchange, {}) if watches else FreqtradeVenue(exchange, {})
    namer = Namer("test", "sqlite://")
    manager = StopManager(PairStates(), line, namer, Placer(line, namer))
    EntryInterceptor(
        exchange,
        EntryCover(manager, "on_fill"),
        lambda entry: ApprovedEntry(entry, entry.rate, 98.0, entry.amount),
        lambda pair, denial: None,
        lambda: None,
    )
    if reduces and held is not None:
        hold(pair, held)
    exchange.create_order(
        pair=pair,
        ordertype="limit",
        side="sell" if reduces else "buy",
        amount=1.0,
        rate=100.0,
        leverage=1.0,
        reduceOnly=reduces and mode == "futures",
    )
    return orders


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
    ((*_, params),) = sent(tmp_path, name, mode, reduces=reduces)
    assert "clientOrderId" not in params


@kinds
def test_every_order_on_binance_futures_has_a_name(tmp_path: Path, reduces: bool) -> None:
    """By it a lost answer is settled."""
    ((*_, params),) = sent(tmp_path, "binance", "futures", reduces=reduces)
    role = "L" if reduces else "E"
    assert params["clientOrderId"].startswith("qt")
    assert f"-{role}BTCUSDT-" in params["clientOrderId"]


def test_an_exit_takes_no_more_than_its_trade_holds(tmp_path: Path) -> None:
    """Beside somebody else's part of the position, reduce-only does not stop a stale amount."""
    ((_, _, _, amount, *_),) = sent(tmp_path, "binance", "futures", reduces=EXIT, held=0.4)
    assert amount == 0.4


def test_a_closed_trade_has_no_exit(tmp_path: Path) -> None:
    """Freqtrade hears of the old exit's fill while it replaces that exit."""
    with pytest.raises(InvalidOrderException, match="its trade is closed already"):
        sent(tmp_path, "binance", "futures", reduces=EXIT, held=None)
