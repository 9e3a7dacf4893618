"""The venue through Freqtrade's own functions: dry runs, spot, and other exchanges.

Freqtrade knows neither client ids nor a list of live stops. So nobody watches this venue, and a
lost answer is settled no better than Freqtrade does by itself.
"""

from collections.abc import Callable
from math import inf
from typing import Any, ClassVar, Literal, TypeVar

import ccxt
from freqtrade.enums import TradingMode
from freqtrade.exceptions import InvalidOrderException, RetryableOrderError
from freqtrade.exchange import Exchange

from qt_protections.rules.quote import Quote
from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.venue.failures import classify
from qt_protections.stops.venue.protocol import (
    CcxtOrder,
    CloseOrder,
    Position,
    Rank,
    RequestError,
    Road,
    StopOrder,
    TrailingOrder,
)

T = TypeVar("T")


class FreqtradeVenue:
    """A `Venue` as far as Freqtrade's functions reach, on whatever exchange."""

    WATCHES: ClassVar[bool] = False

    def __init__(self, exchange: Exchange, order_types: dict[str, Any]) -> None:
        """Take Freqtrade's functions as they are now; the guard puts its own in their place later.

        Args:
            exchange: The bot's exchange.
            order_types: The strategy's, for the type of the stop and the price that triggers it.
        """
        self._exchange = exchange
        self._order_types = order_types
        self._is_spot = exchange.trading_mode is TradingMode.SPOT
        self._create_stoploss = exchange.create_stoploss
        self._create_order = exchange.create_order
        self._cancel_stoploss_order = exchange.cancel_stoploss_order
        self._cancel_order = exchange.cancel_order
        self._fetch_order = exchange.fetch_order
        self._fetch_stop = _stop_lookup(exchange)

    def place_stop(self, order: StopOrder, client_id: str) -> CcxtOrder:
        """Send the stop Freqtrade would send, without the client id."""
        return self._ask(
            lambda: dict(
                self._create_stoploss(
                    pair=order.pair,
                    amount=order.amount,
                    stop_price=order.trigger,
                    order_types=self._order_types,
                    side="buy" if order.is_short else "sell",
                    leverage=order.leverage,
                )
            )
        )

    def place_trailing(self, order: TrailingOrder, client_id: str) -> CcxtOrder:
        """Refuse: Freqtrade has no order of the kind."""
        raise RequestError(f"no native trailing stop here, for {order.pair}", Outcome.REFUSED)

    def close(self, order: CloseOrder, client_id: str) -> CcxtOrder:
        """Close at market, reduce-only; on spot, sell. Without the client id."""
        side: Literal["buy", "sell"] = "buy" if order.is_short else "sell"
        rate = self.price(order.pair) if self._needs_rate(side) else 0.0
        return self._ask(
            lambda: dict(
                self._create_order(
                    pair=order.pair,
                    ordertype="market",
                    side=side,
                    amount=order.amount,
                    rate=rate,
                    leverage=order.leverage,
                    reduceOnly=not self._is_spot,
                    initial_order=False,
                )
            )
        )

    def cancel(self, pair: str, order_id: str) -> bool:
        """Cancel a stop; what became of one that is gone Freqtrade's own loop finds out."""
        try:
            self._cancel_stoploss_order(order_id, pair)
        except InvalidOrderException as error:
            self._raise_if_live(self.find_stop(pair, order_id=order_id), error)
        except Exception as error:
            raise classify(error) from error
        return True

    def cancel_order(self, pair: str, order_id: str) -> None:
        """Cancel an order of the book; what the exchange refuses to cancel is asked after."""
        try:
            self._cancel_order(order_id, pair)
        except InvalidOrderException as error:
            self._raise_if_live(self.find_order(pair, order_id=order_id), error)
        except Exception as error:
            raise classify(error) from error

    def open_stops(self, pair: str | None = None) -> list[CcxtOrder]:
        """Tell nothing: Freqtrade has no such list."""
        return []

    def open_orders(self, pair: str | None = None) -> list[CcxtOrder]:
        """Tell nothing: Freqtrade has no such list."""
        return []

    def orders_since(self, pair: str, since_ms: int) -> list[CcxtOrder]:
        """Tell nothing: Freqtrade's own loop searches the orders here."""
        return []

    def find_stop(
        self, pair: str, *, order_id: str | None = None, client_id: str | None = None
    ) -> CcxtOrder | None:
        """Return a stop by the exchange's id; None without one.

        Some exchanges tell of a triggered stop, and some of the order it sent, as Freqtrade asks.
        """
        return self._find(self._fetch_stop, pair, order_id)

    def find_order(
        self, pair: str, *, order_id: str | None = None, client_id: str | None = None
    ) -> CcxtOrder | None:
        """Return an order of the book by the exchange's id; None without one."""
        return self._find(self._fetch_order, pair, order_id)

    def positions(self) -> dict[str, Position]:
        """Return the open positions; none on spot and in a dry run, which have none to tell of."""
        fetch: Callable[..., Any] = self._exchange.fetch_positions
        found = self._ask(
            lambda: [self._position(row) for row in fetch(**_once(fetch)) if row["contracts"]]
        )
        return {position.pair: position for position in found}

    def account_positions(self) -> set[str]:
        """Return the pairs with a position, by the one list there is."""
        return set(self.positions())

    def quotes(self) -> dict[str, Quote]:
        """Return nothing: Freqtrade keeps no best prices of all pairs."""
        return {}

    def price(self, pair: str) -> float:
        """Return the mark price where stops are triggered by it and the ticker tells it."""
        fetch: Callable[..., Any] = self._exchange.fetch_ticker
        by_mark = self._order_types.get("stoploss_price_type") == "mark"
        return self._ask(lambda: _price_in(fetch(pair, **_once(fetch)), by_mark))

    def _needs_rate(self, side: Literal["buy", "sell"]) -> bool:
        """Say whether a market order takes a price: simulated ones do, and those of a few."""
        exchange = self._exchange
        return bool(exchange._config["dry_run"]) or exchange._order_needs_price(side, "market")

    def ping(self, idle_s: float = 0.0) -> None:
        """Do nothing: the connections are Freqtrade's."""

    def has_room(self, rank: Rank) -> bool:
        """Return True: Freqtrade's own client counts."""
        return True

    def shut_s(self, road: Road) -> float:
        """Return 0: Freqtrade waits by itself."""
        return 0.0

    @property
    def arrives_within_s(self) -> float:
        """Infinity: a lost request is never found here, nor known to be over."""
        return inf

    @property
    def clock_skew_s(self) -> float:
        """Return 0: unknown."""
        return 0.0

    def largest(self, pair: str) -> float:
        """Return the exchange's limit of an order at market, where ccxt knows of one."""
        return largest(self._exchange, pair)

    def tick(self, pair: str) -> float | None:
        """Return the step of a pair's prices; None where prices have significant digits instead."""
        in_ticks = self._exchange.precision_mode_price == ccxt.TICK_SIZE
        return self._exchange.get_precision_price(pair) if in_ticks else None

    def _find(self, fetch: Callable[..., Any], pair: str, order_id: str | None) -> CcxtOrder | None:
        if order_id is None:
            return None
        try:
            return dict(fetch(order_id, pair, **_once(fetch)))
        except InvalidOrderException as error:
            if _is_not_found(error):
                return None
            raise classify(error) from error
        except Exception as error:
            raise classify(error) from error

    def _position(self, row: Any) -> Position:
        return Position(
            pair=row["symbol"],
            is_short=row["side"] == "short",
            amount=self._exchange._contracts_to_amount(row["symbol"], abs(row["contracts"])),
            entry_price=float(row.get("entryPrice") or 0.0),
            leverage=float(row.get("leverage") or 1.0),
        )

    @staticmethod
    def _raise_if_live(order: CcxtOrder | None, error: InvalidOrderException) -> None:
        if order is not None and order["status"] == "open":
            raise classify(error) from error

    @staticmethod
    def _ask(request: Callable[[], T]) -> T:
        try:
            return request()
        except Exception as error:
            raise classify(error) from error


def largest(exchange: Exchange, pair: str) -> float:
    """Return how much one order at market may be, base currency; infinity without a limit.

    ccxt knows it of Binance (`MARKET_LOT_SIZE`) and a few others. On spot, a stop that is a limit
    order may be larger than that.
    """
    most = (exchange.markets[pair]["limits"].get("market") or {}).get("max")
    return exchange._contracts_to_amount(pair, most) if most else inf


def _stop_lookup(exchange: Exchange) -> Callable[..., Any]:
    """Return the class's own way to a stop; the common one asks for the order it sent as well."""
    if type(exchange).fetch_stoploss_order is not Exchange.fetch_stoploss_order:
        return exchange.fetch_stoploss_order
    params = {"stop": True} if exchange.get_option("stoploss_query_requires_stop_flag") else {}
    fetch = exchange.fetch_order

    def fetch_stop(order_id: str, pair: str) -> Any:
        return fetch(order_id, pair, params=params.copy(), **_once(fetch))

    return fetch_stop


def _price_in(ticker: dict[str, Any], by_mark: bool) -> float:
    mark = ticker.get("markPrice") if by_mark else None
    return float(ticker["last"] if mark is None else mark)


def _once(fetch: Callable[..., Any]) -> dict[str, int]:
    """Keep Freqtrade's retrier, where it wraps `fetch`, from repeating a query for 25 s."""
    return {"count": 0} if hasattr(fetch, "__wrapped__") else {}


def _is_not_found(error: InvalidOrderException) -> bool:
    return isinstance(error, RetryableOrderError) or not isinstance(error.__cause__, ccxt.BaseError)
