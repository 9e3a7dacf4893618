"""An exchange on paper: a `Venue` with stops, orders and positions in memory, for any thread.

It does what it is asked, fails as it was told to, and notes each moment at which a request left a
position without the cover it had.
"""

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import floor, inf
from typing import Any, ClassVar

from qt_protections.rules.quote import Quote
from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.venue import error_codes
from qt_protections.stops.venue.binance.order_events import OrderEvent
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

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
PRICE = 100.0
#: What amounts are whole numbers of, base currency.
LOT = 0.001
_SAME = 1e-9

LOST = RequestError("lost", Outcome.UNKNOWN)


def refusal(code: int, outcome: Outcome = Outcome.REFUSED) -> RequestError:
    """Return a no."""
    return RequestError(f"{code}", outcome, code, refusal=error_codes.meaning(code))


class Paper:
    """The exchange.

    Attributes:
        prices: By pair; 100 at first.
        size: Signed positions by pair.
        most: The largest order by pair; infinity at first.
        stops: Every conditional order there ever was, by id.
        orders: Every order of the book there ever was, by id.
        before: By method, failures of the next requests; those are not executed.
        after: By method, failures of the next requests; those are executed.
        failing: By method, what every request fails with until further notice, not executed.
        views: By method, what an answer is turned into on its way; the exchange stays as it is.
        late: By method, seconds after which the next requests arrive, whose answers are lost.
        now_ms: Says the time orders are stamped with, epoch milliseconds; their number at first.
        untold: Conditional orders nobody can ask after, though they are live.
        unlisted: Conditional orders that are live and missing from the list.
        dead_on_arrival: How the next conditional orders end as they are accepted.
        asked: Every request, in order.
        laid_bare: Pairs a cancel left with a position and no stop that covers it, though nothing
            had ended there that was not heard of yet.
        unheard: By pair, how many stops ended by another hand and nobody has heard of it.
        on_event: Hears of every end of a conditional order.
        between: Called inside each request, where an answer is on its way.
    """

    WATCHES: ClassVar[bool] = True

    def __init__(self) -> None:
        self.prices: defaultdict[str, float] = defaultdict(lambda: PRICE)
        self.size: defaultdict[str, float] = defaultdict(float)
        self.most: defaultdict[str, float] = defaultdict(lambda: inf)
        self.stops: dict[str, CcxtOrder] = {}
        self.orders: dict[str, CcxtOrder] = {}
        self.before: defaultdict[str, deque[RequestError]] = defaultdict(deque)
        self.after: defaultdict[str, deque[RequestError]] = defaultdict(deque)
        self.failing: dict[str, RequestError] = {}
        self.views: dict[str, Callable[[Any], Any]] = {}
        self.late: defaultdict[str, deque[float]] = defaultdict(deque)
        self.now_ms: Callable[[], int] | None = None
        self.untold: set[str] = set()
        self.unlisted: set[str] = set()
        self.dead_on_arrival: deque[str] = deque()
        self.asked: list[str] = []
        self.laid_bare: list[str] = []
        self.unheard: Counter[str] = Counter()
        self.on_event: Callable[[OrderEvent], None] = lambda _event: None
        self.between: Callable[[], None] = lambda: None
        self._last_id = 1000
        self._on_the_way: list[tuple[int, Callable[[], object]]] = []
        self._arrives = False
        self._lock = threading.RLock()

    # The line

    def place_stop(self, order: StopOrder, client_id: str) -> CcxtOrder:
        if self._comes_late("place_stop", lambda: self.place_stop(order, client_id)):
            raise LOST
        with self._request("place_stop"):
            price = self.prices[order.pair]
            if order.trigger <= price if order.is_short else order.trigger >= price:
                raise refusal(-2021)
            return self._take(
                order.pair, order.is_short, order.amount, client_id, stopPrice=order.trigger
            )

    def place_trailing(self, order: TrailingOrder, client_id: str) -> CcxtOrder:
        with self._request("place_trailing"):
            return self._take(
                order.pair, order.is_short, order.amount, client_id, activation=order.activation
            )

    def cancel(self, pair: str, order_id: str) -> bool:
        with self._request("cancel"):
            order = self.stops.get(order_id)
            if order is None or order["status"] != "open":
                return False
            was_covered = self.is_covered(pair)
            order["status"] = "canceled"
            if was_covered and not self.is_covered(pair) and not self.unheard[pair]:
                self.laid_bare.append(pair)
        self._tell(order, "CANCELED")
        return True

    def open_stops(self, pair: str | None = None) -> list[CcxtOrder]:
        with self._request("open_stops"):
            live = [dict(o) for o in self.live(pair) if o["id"] not in self.unlisted]
            return self._seen("open_stops", live, pair)

    def find_stop(
        self, pair: str, *, order_id: str | None = None, client_id: str | None = None
    ) -> CcxtOrder | None:
        with self._request("find_stop"):
            found = _find(self.stops, order_id, client_id)
            told = None if found is None or found["id"] in self.untold else dict(found)
            return self._seen("find_stop", told)

    def find_order(
        self, pair: str, *, order_id: str | None = None, client_id: str | None = None
    ) -> CcxtOrder | None:
        with self._request("find_order"):
            found = _find(self.orders, order_id, client_id)
            return self._seen("find_order", None if found is None else dict(found))

    def open_orders(self, pair: str | None = None) -> list[CcxtOrder]:
        with self._request("open_orders"):
            return [
                dict(o)
                for o in self.orders.values()
                if o["status"] == "open" and pair in (None, o["symbol"])
            ]

    def orders_since(self, pair: str, since_ms: int) -> list[CcxtOrder]:
        with self._request("orders_since"):
            found = [
                dict(o)
                for o in self.orders.values()
                if o["symbol"] == pair and o["timestamp"] >= since_ms
            ]
            return self._seen("orders_since", found, pair)

    def cancel_order(self, pair: str, order_id: str) -> None:
        with self._request("cancel_order"):
            if self.orders[order_id]["status"] == "open":
                self.orders[order_id]["status"] = "canceled"

    def positions(self) -> dict[str, Position]:
        with self._request("positions"):
            return self._seen("positions", self.held())

    def account_positions(self) -> set[str]:
        with self._request("account_positions"):
            return self._seen("account_positions", set(self.held()))

    def ping(self, idle_s: float = 0.0) -> None:
        """Answer."""

    def quotes(self) -> dict[str, Quote]:
        with self._request("quotes"):
            return {pair: Quote(price, price) for pair, price in self.prices.items()}

    def price(self, pair: str) -> float:
        with self._request("price"):
            return self.prices[pair]

    def has_room(self, rank: Rank) -> bool:
        return True

    def shut_s(self, road: Road) -> float:
        return 0.0

    @property
    def arrives_within_s(self) -> float:
        return 11.0

    @property
    def clock_skew_s(self) -> float:
        return 0.0

    def largest(self, pair: str) -> float:
        return self.most[pair]

    def tick(self, pair: str) -> float | None:
        return 0.01

    def close(self, order: CloseOrder, client_id: str) -> CcxtOrder:
        size = self.size[order.pair]
        with self._request("close"):
            if not size or order.is_short is not (size < 0):
                raise refusal(-2022)
            return dict(self._reduce(order.pair, order.is_short, order.amount, client_id))

    # What others do, and what the market does

    def enter(self, pair: str, amount: float, client_id: str = "", *, fills: bool = True) -> str:
        """Take an entry, negative for a short; return its id."""
        with self._lock:
            order_id = self._new_order(pair, amount < 0, abs(amount), client_id)
            if fills:
                self.fill(order_id, abs(amount))
            return order_id

    def fill(self, order_id: str, amount: float) -> None:
        """Fill some of what rests."""
        with self._lock:
            order = self.orders[order_id]
            order["filled"] += amount
            self.size[order["symbol"]] += amount if order["side"] == "buy" else -amount
            if order["filled"] >= order["amount"]:
                order["status"] = "closed"

    def exit(self, pair: str) -> None:
        """Close the whole position."""
        with self._lock:
            self.size[pair] = 0.0

    def end(self, order_id: str, status: str) -> None:
        """End a stop as nobody of ours asked for: canceled, rejected or expired."""
        with self._lock:
            self.stops[order_id] |= {"status": status, "by another": 1}
            self.unheard[self.stops[order_id]["symbol"]] += 1
        self._tell(self.stops[order_id], status.upper())

    def heard(self, event: OrderEvent) -> None:
        """Take note that an event has been acted on."""
        with self._lock:
            self.unheard[event.pair] -= self.stops[event.order_id].pop("by another", 0)

    def trigger(self, order_id: str, share: float = 1.0) -> None:
        """Let a stop fire, and its order fill a share of what there is to reduce."""
        with self._lock:
            stop = self.stops[order_id]
            pair, is_short = stop["symbol"], stop["side"] == "buy"
            size = self.size[pair]
            if not size or is_short is not (size < 0):
                stop["status"] = "rejected"
            else:
                amount = in_lots(min(stop["amount"], abs(size)) * share) or LOT
                # Somebody else's stop is for what is his.
                name = str(stop["clientOrderId"])
                child = self._reduce(pair, is_short, amount, "" if name.startswith("qt") else name)
                child["status"] = "closed" if share == 1.0 else "canceled"
                stop["status"], stop["info"] = "closed", {"actualOrderId": child["id"]}
        ended = "FINISHED" if stop["status"] == "closed" else "REJECTED"
        self._tell(stop, ended, "" if ended == "FINISHED" else "Reduce Only reject")

    def stray_stop(self, pair: str, amount: float, trigger: float, client_id: str = "") -> str:
        """Place a stop for a long position, or for a short one if its amount is negative."""
        with self._lock:
            order = self._take(pair, amount < 0, abs(amount), client_id, stopPrice=trigger)
            return str(order["id"])

    def arrive(self) -> None:
        """Let the late requests arrive that are due by now."""
        due = [send for due_ms, send in self._on_the_way if due_ms <= self._stamp()]
        self._on_the_way = [each for each in self._on_the_way if each[0] > self._stamp()]
        # What arrives is not late once more: the exchange would not take it then.
        before, self._arrives = self._arrives, bool(due) or self._arrives
        for send in due:
            with suppress(RequestError):
                send()
        self._arrives = before

    # What is true

    def held(self) -> dict[str, Position]:
        """Return every open position by pair."""
        with self._lock:
            return {
                pair: Position(pair, size < 0, abs(size), PRICE, 10.0)
                for pair, size in self.size.items()
                if size
            }

    def live(self, pair: str | None = None) -> list[CcxtOrder]:
        """Return the conditional orders that are live."""
        with self._lock:
            return [
                o
                for o in self.stops.values()
                if o["status"] == "open" and pair in (None, o["symbol"])
            ]

    def is_covered(self, pair: str) -> bool:
        """Whether one stop covers the whole position, or several where one may not be so large."""
        with self._lock:
            size = self.size[pair]
            side = "buy" if size < 0 else "sell"
            amounts = [
                o["amount"] for o in self.live(pair) if o["side"] == side and "stopPrice" in o
            ]
            together = sum(amounts) if abs(size) > self.most[pair] else max(amounts, default=0.0)
            return together >= abs(size) - 1e-9

    def sent(self, what: str) -> int:
        """Return how often something was asked for."""
        return self.asked.count(what)

    # Inside

    def _seen(self, what: str, answer: Any, pair: str | None = None) -> Any:
        view = self.views.get(what)
        if view is None:
            return answer
        return [o for o in view(answer) if o["symbol"] == pair] if pair else view(answer)

    def _stamp(self) -> int:
        return self._last_id if self.now_ms is None else self.now_ms()

    def _comes_late(self, what: str, send: Callable[[], object]) -> bool:
        """Whether a request is still on its way when its sender gives it up."""
        with self._lock:
            if self._arrives or not self.late[what]:
                return False
            self.asked.append(what)
            self._on_the_way.append((self._stamp() + int(self.late[what].popleft() * 1000), send))
            return True

    def _new_id(self) -> str:
        self._last_id += 1
        return str(self._last_id)

    @contextmanager
    def _request(self, what: str) -> Iterator[None]:
        self.between()
        with self._lock:
            self.asked.append(what)
            if what in self.failing:
                raise self.failing[what]
            if self.before[what]:
                raise self.before[what].popleft()
            yield
        self.between()
        if self.after[what]:
            raise self.after[what].popleft()

    def _take(
        self, pair: str, is_short: bool, amount: float, client_id: str, **more: Any
    ) -> CcxtOrder:
        namesake = _find(self.stops, None, client_id)
        if client_id and namesake is not None and namesake["status"] == "open":
            raise refusal(-4116)
        order = {
            "id": self._new_id(),
            "clientOrderId": client_id,
            "symbol": pair,
            "side": "buy" if is_short else "sell",
            "amount": amount,
            "status": self.dead_on_arrival.popleft() if self.dead_on_arrival else "open",
            "timestamp": self._stamp(),
            "info": {"actualOrderId": ""},
            **more,
        }
        self.stops[order["id"]] = order
        if order["status"] != "open":
            self._tell(order, order["status"].upper())
        return dict(order)

    def _new_order(self, pair: str, sells: bool, amount: float, client_id: str) -> str:
        order_id = self._new_id()
        self.orders[order_id] = {
            "id": order_id,
            "clientOrderId": client_id,
            "symbol": pair,
            "side": "sell" if sells else "buy",
            "amount": amount,
            "filled": 0.0,
            "status": "open",
            "timestamp": self._stamp(),
        }
        return order_id

    def _reduce(self, pair: str, is_short: bool, amount: float, client_id: str) -> CcxtOrder:
        order_id = self._new_order(pair, not is_short, amount, client_id)
        self.fill(order_id, min(amount, abs(self.size[pair])))
        return self.orders[order_id]

    def _tell(self, stop: CcxtOrder, status: str, reason: str = "") -> None:
        child = stop["info"].get("actualOrderId", "")
        self.on_event(
            OrderEvent(
                pair=stop["symbol"],
                order_id=stop["id"],
                client_id=stop["clientOrderId"],
                conditional=True,
                status=status,
                filled=0.0,
                reason=reason,
                child_id=child,
                side=stop["side"].upper(),
            )
        )


def in_lots(amount: float) -> float:
    """Return an amount without what is less than a lot: no exchange fills that."""
    return round(floor(amount / LOT + _SAME) * LOT, 9)


def _find(orders: dict[str, CcxtOrder], order_id: str | None, name: str | None) -> CcxtOrder | None:
    if order_id is not None:
        return orders.get(order_id)
    named = [order for order in orders.values() if name and order["clientOrderId"] == name]
    return named[-1] if named else None
