"""A real FreqtradeBot in a dry run on an exchange that is not there: markets and prices are given.

Only what would be asked over the network is answered here; orders are Freqtrade's imitation.
"""

from pathlib import Path
from typing import Any

import pytest
from freqtrade.enums import State
from freqtrade.exchange import Exchange
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.resolvers import ExchangeResolver
from freqtrade.util import dt_ts

from tests.stops.offline import offline_config

HERE = Path(__file__).parent


class Quotes:
    """One price for everything, moved by hand."""

    def __init__(self) -> None:
        self.price = 100.0

    def book(self, *_: Any, **__: Any) -> dict[str, list[list[float]]]:
        """Return an order book one cent wide."""
        return {"bids": [[self.price, 1e6]], "asks": [[self.price + 0.01, 1e6]]}

    def ticker(self, pair: str, **_: Any) -> dict[str, Any]:
        """Return a ticker."""
        return {"symbol": pair, "bid": self.price, "ask": self.price + 0.01, "last": self.price}


def offline_bot(
    folder: Path, name: str, mode: str, strategy: str, patch: pytest.MonkeyPatch, **changes: Any
) -> tuple[FreqtradeBot, Quotes]:
    """Start a dry run on an exchange, spot or futures, and run its first loop."""
    pair = "BTC/USDT" if mode == "spot" else "BTC/USDT:USDT"
    config = offline_config(folder, name, mode) | {
        "strategy": strategy,
        "strategy_path": str(HERE),
        "pairlists": [{"method": "StaticPairList"}],
        "force_entry_enable": True,
        "fee": 0.001,
        "stake_amount": 100,
        **changes,
    }
    config["exchange"] |= {"pair_whitelist": [pair]}
    quotes = Quotes()
    patch.setattr(ExchangeResolver, "load_exchange", _exchange(pair, mode, quotes))
    bot = FreqtradeBot(config)
    bot.state = State.RUNNING
    bot.startup()
    bot.process()
    return bot, quotes


def _exchange(pair: str, mode: str, quotes: Quotes) -> Any:
    load = ExchangeResolver.load_exchange

    def load_exchange(config: Any, **_: Any) -> Exchange:
        exchange = load(config, validate=False)
        exchange._markets = {pair: offline_market(pair, mode)}
        exchange._last_markets_refresh = dt_ts()
        exchange._api.markets = exchange._markets
        exchange._leverage_tiers = {pair: [_TIER]}
        exchange.fetch_l2_order_book = quotes.book  # type: ignore[method-assign, assignment]
        exchange.fetch_ticker = quotes.ticker  # type: ignore[method-assign, assignment]
        exchange.get_funding_fees = lambda **_: 0.0  # type: ignore[method-assign]
        exchange.refresh_latest_ohlcv = lambda *_, **__: {}  # type: ignore[method-assign]
        return exchange

    return load_exchange


_TIER = {
    "minNotional": 0.0,
    "maxNotional": 1e9,
    "maintenanceMarginRate": 0.005,
    "maxLeverage": 50.0,
    "maintAmt": 0.0,
}


def offline_market(pair: str, mode: str) -> dict[str, Any]:
    """Return a market as ccxt describes it."""
    spot = mode == "spot"
    return {
        "id": "BTCUSDT",
        "symbol": pair,
        "base": "BTC",
        "quote": "USDT",
        "settle": None if spot else "USDT",
        "active": True,
        "type": "spot" if spot else "swap",
        "spot": spot,
        "swap": not spot,
        "contract": not spot,
        "linear": None if spot else True,
        "inverse": None if spot else False,
        "contractSize": None if spot else 1.0,
        "taker": 0.001,
        "maker": 0.001,
        "precision": {"amount": 1e-5, "price": 0.01},
        "limits": {
            "amount": {"min": 1e-5, "max": None},
            "cost": {"min": 5.0, "max": None},
            "price": {"min": None, "max": None},
            "leverage": {"min": 1.0, "max": 50.0},
        },
        "info": {},
    }
