"""What Binance tells of an account's positions, and of the prices of its contracts."""

import logging
from typing import Any

import ccxt
from freqtrade.exchange import Exchange

from qt_protections.errors import withhold_secrets
from qt_protections.rules.quote import Quote
from qt_protections.stops.venue.binance.connection import Connection
from qt_protections.stops.venue.protocol import Position, Road

logger = withhold_secrets(logging.getLogger(__name__))


class AccountData:
    """Reads positions and prices. Every method raises `RequestError` if nothing answers."""

    def __init__(self, exchange: Exchange, connection: Connection, *, by_mark: bool) -> None:
        """Take who knows the markets, and who asks.

        Args:
            exchange: The bot's exchange, its markets loaded.
            connection: The guard's own.
            by_mark: Whether the mark price triggers stops; else the last price does.
        """
        self._exchange = exchange
        self._connection = connection
        self._by_mark = by_mark
        self._unlisted: set[str] = set()

    def positions(self) -> dict[str, Position]:
        """Return the open positions by pair; one request of weight 5."""
        # The endpoint itself: ccxt's own `fetch_positions` may ask for the leverage brackets first.
        rows = self._connection.ask(
            Road.ACCOUNT,
            lambda api: [
                row for row in api.fapiPrivateV3GetPositionRisk() if float(row["positionAmt"])
            ],
        )
        self._load_markets_of({row["symbol"] for row in rows} - self._unlisted)
        api = self._connection.api()
        found = [self._position(api, row) for row in rows if row["symbol"] in api.markets_by_id]
        return {position.pair: position for position in found}

    def pairs_held(self) -> set[str]:
        """Return the pairs with a position; one request of weight 5 (`GET /fapi/v3/account`)."""
        rows = self._connection.ask(
            Road.ACCOUNT, lambda api: api.fapiPrivateV3GetAccount()["positions"]
        )
        pairs = self._exchange._api.markets_by_id
        held = [row["symbol"] for row in rows if float(row["positionAmt"])]
        return {m["symbol"] for name in held for m in pairs.get(name, []) if m["swap"]}

    def quotes(self) -> dict[str, Quote]:
        """Return the best prices of all contracts; one request of weight 5."""
        rows = self._connection.ask(Road.ACCOUNT, lambda api: api.fapiPublicGetTickerBookTicker())
        pairs = self._exchange._api.markets_by_id
        return {
            market["symbol"]: Quote(bid, float(row["askPrice"]))
            for row in rows
            for market in pairs.get(row["symbol"], [])
            if market["swap"] and (bid := float(row["bidPrice"])) > 0
        }

    def trigger_price(self, pair: str) -> float:
        """Return the latest price of the kind that triggers stops."""
        read = _mark_price if self._by_mark else _last_price
        return self._connection.ask(Road.ACCOUNT, lambda api: read(api, pair))

    def _load_markets_of(self, symbols: set[str]) -> None:
        """Load the markets again if Freqtrade knows one of these not.

        Freqtrade loads markets once an hour. A position in a market that was listed since could be
        neither covered nor counted until then.
        """
        source = self._exchange._api
        known = source.markets_by_id
        if symbols <= known.keys():
            return
        self._exchange.reload_markets(force=True)
        if source.markets_by_id is known:
            return  # that failed, and Freqtrade says so
        for symbol in symbols - source.markets_by_id.keys():
            self._unlisted.add(symbol)
            logger.error(
                "[ALERT] %s is held on the exchange, which lists no such market: the position is "
                "neither covered nor counted.",
                symbol,
            )

    def _position(self, api: ccxt.Exchange, row: dict[str, Any]) -> Position:
        pair = str(api.safe_symbol(row["symbol"], None, None, "contract"))
        contracts, notional = float(row["positionAmt"]), abs(float(row["notional"]))
        margin = float(row["positionInitialMargin"])
        return Position(
            pair=pair,
            is_short=contracts < 0,
            amount=abs(contracts) * (self._exchange.get_contract_size(pair) or 1.0),
            entry_price=float(row["entryPrice"]),
            # Version 3 of the endpoint leaves out the leverage, a whole number.
            leverage=float(round(notional / margin)) if margin else 1.0,
            updated_ms=int(row.get("updateTime") or 0),
        )


def _mark_price(api: ccxt.Exchange, pair: str) -> float:
    return float(api.fetch_mark_price(pair)["markPrice"])


def _last_price(api: ccxt.Exchange, pair: str) -> float:
    return float(api.fapiPublicV2GetTickerPrice({"symbol": api.market_id(pair)})["price"])
