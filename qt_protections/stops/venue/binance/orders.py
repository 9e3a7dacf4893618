"""Orders on Binance USD-M futures, live: everything the guard knows how to use."""

from math import inf
from typing import Any, ClassVar

from ccxt import ROUND_DOWN, ROUND_UP
from freqtrade.exchange import Exchange

from qt_protections.rules.quote import Quote
from qt_protections.rules.retry_policy import Refusal
from qt_protections.stops.venue.binance.account import AccountData
from qt_protections.stops.venue.binance.connection import TIMEOUT_MS, Connection
from qt_protections.stops.venue.binance.order_search import search_orders
from qt_protections.stops.venue.budget import Budget
from qt_protections.stops.venue.freqtrade import largest
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

_CONDITIONAL = {"trigger": True}
#: Without a pair ccxt 4.5.90 asks the spot exchange, whatever its option `defaultType` says.
_ALL_PAIRS = {"type": "swap", "subType": "linear"}
#: Amounts are cut to whole lots, and a sum of lots may lack its last binary digit: that must not
#: leave a lot uncovered. Too much is harmless, reduce-only takes no more than there is.
_HAIR = 1 + 1e-9


class BinanceVenue:
    """A `Venue` over a connection of its own: no stop waits behind a request of Freqtrade's."""

    WATCHES: ClassVar[bool] = True

    def __init__(
        self, exchange: Exchange, order_types: dict[str, Any], timeout_ms: int = TIMEOUT_MS
    ) -> None:
        """Connect beside Freqtrade; the exchange is asked for its time, and nothing else.

        Args:
            exchange: The bot's exchange, its markets loaded.
            order_types: The strategy's, which may choose the price that triggers stops.
            timeout_ms: Milliseconds until a request counts as unanswered.
        """
        self._exchange = exchange
        self._connection = Connection(exchange._api, timeout_ms)
        self._ask = self._connection.ask
        self._working_type = _working_type(exchange, order_types)
        by_mark = "MARK_PRICE" in self._working_type.values()
        self._account = AccountData(exchange, self._connection, by_mark=by_mark)

    def place_stop(self, order: StopOrder, client_id: str) -> CcxtOrder:
        """Send a STOP_MARKET; the trigger is rounded to the tick, toward the price.

        Margin type and leverage of the pair went out before the stop does.
        """
        trigger = self._trigger(order, order.trigger)
        return self._reduce("STOP_MARKET", order, client_id, {"stopPrice": trigger})

    def place_trailing(self, order: TrailingOrder, client_id: str) -> CcxtOrder:
        """Send a TRAILING_STOP_MARKET; its callback rate is a percentage, 1.5 is 1.5 %."""
        params: dict[str, Any] = {"trailingPercent": f"{order.callback_pct:.6g}"}
        if order.activation is not None:
            params["trailingTriggerPrice"] = self._trigger(order, order.activation)
        return self._reduce("TRAILING_STOP_MARKET", order, client_id, params)

    def close(self, order: CloseOrder, client_id: str) -> CcxtOrder:
        """Close a position at market, reduce-only, whatever its leverage."""
        return self._reduce("market", order, client_id, {})

    def cancel(self, pair: str, order_id: str) -> bool:
        """Cancel a conditional order; -4117 refuses that while the order is at its trigger."""
        return self._cancel(pair, order_id, _CONDITIONAL)

    def cancel_order(self, pair: str, order_id: str) -> None:
        """Cancel an order of the book."""
        self._cancel(pair, order_id, {})

    def open_stops(self, pair: str | None = None) -> list[CcxtOrder]:
        """Return the live conditional orders; one request of weight 40, for a pair of 1."""
        return self._open(pair, _CONDITIONAL)

    def open_orders(self, pair: str | None = None) -> list[CcxtOrder]:
        """Return the open orders of the book; one request of weight 40, for a pair of 1."""
        return self._open(pair, {})

    def orders_since(self, pair: str, since_ms: int) -> list[CcxtOrder]:
        """Return a pair's orders since then; of more than six days, of the last six."""
        found = search_orders(self._connection, pair, since_ms)
        return [self._in_base(order) for order in found]

    def find_stop(
        self, pair: str, *, order_id: str | None = None, client_id: str | None = None
    ) -> CcxtOrder | None:
        """Return a conditional order; `info.actualOrderId` names the order it sent."""
        return self._find(pair, order_id, client_id, _CONDITIONAL)

    def find_order(
        self, pair: str, *, order_id: str | None = None, client_id: str | None = None
    ) -> CcxtOrder | None:
        """Return an order of the book, or the one a triggered stop sent."""
        return self._find(pair, order_id, client_id, {})

    def positions(self) -> dict[str, Position]:
        """Return the open positions; one request of weight 5."""
        return self._account.positions()

    def account_positions(self) -> set[str]:
        """Return the pairs with a position; one request of weight 5, to another endpoint."""
        return self._account.pairs_held()

    def quotes(self) -> dict[str, Quote]:
        """Return the best prices of all contracts; one request of weight 5."""
        return self._account.quotes()

    def price(self, pair: str) -> float:
        """Return the mark price or the last one, as `order_types` chose for the triggers."""
        return self._account.trigger_price(pair)

    def ping(self, idle_s: float = 0.0) -> None:
        """Send a ping, or read the exchange's clock if that is due; of weight 1, with room."""
        if not self.has_room(Rank.COURTESY):
            return
        if self._connection.is_clock_due:
            self._connection.tend_clock()
        elif self._connection.idle_s >= idle_s:
            self._ask(Road.ACCOUNT, lambda api: api.fapiPublicGetPing())

    @property
    def budget(self) -> Budget:
        """What the exchange allows this address, and what was used."""
        return self._connection.budget

    def has_room(self, rank: Rank) -> bool:
        """Whether so much of what the exchange allows is left that a request may be sent."""
        return self.budget.has_room(rank)

    def tick(self, pair: str) -> float | None:
        """Return the step of a pair's prices."""
        return self._exchange.get_precision_price(pair)

    def shut_s(self, road: Road) -> float:
        """Return for how many seconds a service takes nothing from this address."""
        return self._connection.shut_s(road)

    @property
    def arrives_within_s(self) -> float:
        """Seconds after which a request that was sent can be executed no more."""
        return self._connection.arrives_within_s

    @property
    def clock_skew_s(self) -> float:
        """Seconds this machine's clock is ahead of the exchange's."""
        return self._connection.skew_s

    def largest(self, pair: str) -> float:
        """Return the contract's `MARKET_LOT_SIZE`; Binance refuses what is larger with -4005."""
        return largest(self._exchange, pair)

    def _reduce(
        self,
        kind: str,
        order: StopOrder | TrailingOrder | CloseOrder,
        client_id: str,
        params: dict[str, Any],
    ) -> CcxtOrder:
        exchange, pair = self._exchange, order.pair
        size = exchange._amount_to_contracts(pair, order.amount) * _HAIR
        contracts = exchange.amount_to_precision(pair, size)
        side = "buy" if order.is_short else "sell"
        params = params | {"reduceOnly": True, "clientOrderId": client_id}
        if not isinstance(order, CloseOrder):
            params |= self._working_type
        answer = self._ask(
            Road.ORDERS if isinstance(order, CloseOrder) else Road.STOPS,
            lambda api: api.create_order(pair, kind, side, contracts, None, params=params),
            Rank.MOVE if isinstance(order, TrailingOrder) else Rank.PROTECT,
        )
        return self._in_base(answer)

    def _cancel(self, pair: str, order_id: str, params: dict[str, Any]) -> bool:
        try:
            self._ask(
                _road(params),
                lambda api: api.cancel_order(order_id, pair, params=params),
                Rank.MOVE if params else Rank.PROTECT,  # a stop may wait, an entry may not
            )
        except RequestError as error:
            if error.refusal is not Refusal.UNKNOWN_ORDER:
                raise
            return False
        return True

    def _open(self, pair: str | None, params: dict[str, Any]) -> list[CcxtOrder]:
        params = params | _ALL_PAIRS if pair is None else params
        found = self._ask(_road(params), lambda api: api.fetch_open_orders(pair, params=params))
        return [self._in_base(order) for order in found]

    def _find(
        self, pair: str, order_id: str | None, client_id: str | None, params: dict[str, Any]
    ) -> CcxtOrder | None:
        by_name = {"clientOrderId": client_id} if order_id is None else {}
        try:
            order = self._ask(
                _road(params),
                lambda api: api.fetch_order(order_id, pair, params=params | by_name),
                Rank.ASK,
            )
        except RequestError as error:
            if error.refusal is Refusal.UNKNOWN_ORDER:
                return None
            raise
        return self._in_base(order)

    def _trigger(self, order: StopOrder | TrailingOrder, price: float) -> float:
        # As Freqtrade rounds in create_stoploss, so that both arrive at the same price.
        toward_price = ROUND_DOWN if order.is_short else ROUND_UP
        # A trade that began without the guard may have its stop at a hundredth of its entry. The
        # exchange refuses that (-4013), and a refused stop ends in a close.
        limits = self._exchange.markets[order.pair]["limits"]["price"]
        price = min(max(price, limits["min"] or 0.0), limits["max"] or inf)
        return self._exchange.price_to_precision(order.pair, price, rounding_mode=toward_price)

    def _in_base(self, order: CcxtOrder) -> CcxtOrder:
        # Someone's order in a market that Freqtrade has not loaded yet has no contract size.
        if self._exchange.get_contract_size(order["symbol"]) is None:
            return order
        return dict(self._exchange._order_contracts_to_amount(order))


def _road(params: dict[str, Any]) -> Road:
    """Return the service a request about an order goes to."""
    return Road.STOPS if params.keys() >= _CONDITIONAL.keys() else Road.ORDERS


def _working_type(exchange: Exchange, order_types: dict[str, Any]) -> dict[str, str]:
    """Return the parameter that names the triggering price; empty leaves that to the exchange."""
    field = exchange.get_option("stop_price_type_field")
    if "stoploss_price_type" not in order_types or field is None:
        return {}
    mapping = exchange.get_option("stop_price_type_value_mapping")
    return {field: mapping[order_types["stoploss_price_type"]]}
