"""The one answer a backtest needs of an exchange: which markets there are."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from qt_protections.rehearsal.overlay import config_overlay
from tests.conformance.candles import pairs

_TICKS = {"BTC": "0.1", "ETH": "0.01", "XRP": "0.0001"}
_STEPS = {"BTC": "0.001", "ETH": "0.001", "XRP": "0.1"}


@contextmanager
def markets() -> Iterator[int]:
    """Serve `exchangeInfo` of futures and spot on loopback; yield the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_config(folder: Path, port: int, market: str) -> Path:
    """Write the configuration of a backtest on these markets, "futures" or "spot"."""
    config: dict[str, Any] = config_overlay(port)
    exchange = config["exchange"]
    exchange["pair_whitelist"] = pairs(market)
    urls = exchange["ccxt_config"]["urls"]["api"]
    for name, path in {"fapiPublic": "fapi/v1", "public": "api/v3"}.items():
        urls[name] = f"http://127.0.0.1:{port}/{path}"
    if market == "spot":
        exchange["ccxt_config"]["options"]["fetchMarkets"] = {"types": ["spot"]}
        config |= {"trading_mode": "spot", "margin_mode": ""}
    book = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    config |= {
        "dry_run": True,
        "dry_run_wallet": 10_000,
        "stake_amount": "unlimited",
        "max_open_trades": 3,
        "fee": 0.0005,
        "futures_funding_rate": 0.0,
        "entry_pricing": book,
        "exit_pricing": book,
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        market = "spot" if self.path.startswith("/api/") else "futures"
        body = json.dumps({"timezone": "UTC", "symbols": [_symbol(b, market) for b in _TICKS]})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _symbol(base: str, market: str) -> dict[str, Any]:
    """Return a market as Binance describes one, of what ccxt reads."""
    futures = market == "futures"
    least = "MIN_NOTIONAL" if futures else "NOTIONAL"
    described: dict[str, Any] = {
        "symbol": f"{base}USDT",
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": "USDT",
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": _TICKS[base],
                "maxPrice": "1000000",
                "tickSize": _TICKS[base],
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": _STEPS[base],
                "maxQty": "100000000",
                "stepSize": _STEPS[base],
            },
            {"filterType": least, "notional": "5", "minNotional": "5"},
        ],
    }
    if futures:
        contract = {"contractType": "PERPETUAL", "pair": f"{base}USDT", "marginAsset": "USDT"}
        return described | contract | {"onboardDate": 0, "deliveryDate": 4133404800000}
    return described | {"isSpotTradingAllowed": True, "permissionSets": [["SPOT"]]}
