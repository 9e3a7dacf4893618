"""An account on paper whose every contract has an owner: this bot, or somebody else.

Freqtrade's own orders arrive here as well, so that whatever touches a position is written down.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any

from qt_protections.stops.state.client_ids import Role
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.protocol import CcxtOrder, CloseOrder
from tests.stops.paper import LOST, Paper, in_lots, refusal

_FEE = 0.0004
#: Sizes closer than this are the same.
NEAR = 1e-6
#: Milliseconds after which a bot knows of an entry that came late, or filled unheard.
_UNKNOWN_MS = 12_000
#: Milliseconds for which a service that is up again may not have been asked anew.
_MOMENT_MS = 10_000


class Account(Paper):
    """The exchange, and whose everything is.

    Attributes:
        own: What this bot's entries hold, signed, by pair.
        orphaned: What its trades held that were deleted. The rest is somebody else's.
        wrongs: What was done that must never be.
        unbooked: By pair, how much of the bot's part was closed since the bot could last book that,
            its exits apart; base currency.
        unheard_of: By pair, how much of the bot's part others took without its hearing of that.
        bought: By pair, how much of what is unbooked others put back since, signed.
        put_back: The same of what was unheard of.
        unclear: By pair, how much others closed of theirs beside entries that are on no record yet;
            base currency. A process that ends then leaves nobody who could tell it from what a stop
            became, whose order has no name: the next one takes it off the entries.
        conceded: The same, once the process has ended; and how much of somebody else's an unheard
            stop took while an entry waited, or a close at the deadline.
        is_on_record: Whether a trade has an order on record.
        is_heard: Whether a running bot hears of what happens.
        is_followed: Whether an entry's stop follows its fill.
        share: How much of the next orders at market fills at once; the rest expires.
        troubled: Called when a request meets a failure of `before` or `after`.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        super().__init__()
        self.now_ms = now_ms
        self.own: defaultdict[str, float] = defaultdict(float)
        self.orphaned: defaultdict[str, float] = defaultdict(float)
        self.troubled: Callable[[], None] = lambda: None
        self.wrongs: list[str] = []
        self.unheard_of: defaultdict[str, float] = defaultdict(float)
        self.bought: defaultdict[str, float] = defaultdict(float)
        self.put_back: defaultdict[str, float] = defaultdict(float)
        self.unclear: defaultdict[str, float] = defaultdict(float)
        self.conceded: defaultdict[str, float] = defaultdict(float)
        self.is_on_record: Callable[[CcxtOrder], bool] = lambda _order: True
        self.is_heard: Callable[[], bool] = lambda: True
        self.is_followed: Callable[[CcxtOrder], bool] = lambda _entry: False
        self.unbooked: defaultdict[str, float] = defaultdict(float)
        self.share = 1.0
        self._names: Counter[str] = Counter()
        self._side: dict[str, float] = {}
        self._arrived: dict[str, tuple[int, float]] = {}
        self._coming: dict[str, tuple[int, float]] = {}
        self._untold_ms = 0

    # What Freqtrade sends

    def send(
        self, pair: str, amount: float, client_id: str, *, at_market: bool, reduces: bool
    ) -> CcxtOrder:
        """Take an order of the book, negative to sell, and return its answer."""

        def again() -> CcxtOrder:
            return self.send(pair, amount, client_id, at_market=at_market, reduces=reduces)

        if self._comes_late("create_order", again):
            self._coming[pair] = self._stamp(), 0.0 if reduces else amount
            raise LOST
        with self._request("create_order"):
            if reduces and not self._reducible(pair, amount):
                raise refusal(-2022)
            if at_market and abs(amount) > self.most[pair]:
                raise refusal(-4005)
            order_id = self._new_order(pair, amount < 0, abs(amount), client_id)
            order = self.orders[order_id]
            order |= {"type": "market" if at_market else "limit", "reduceOnly": reduces}
            self._tell_order(order)
            if at_market:
                share = 1.0 if reduces else self.share
                self.fill(order_id, self._fits(order, in_lots(abs(amount) * share)))
                self._expire(order)
            return dict(order)

    def cancel(self, pair: str, order_id: str) -> bool:
        known = len(self.laid_bare)
        try:
            return super().cancel(pair, order_id)
        finally:
            self._excuse(pair, known)

    def _excuse(self, pair: str, known: int) -> None:
        own = abs(self.own[pair] + self.orphaned[pair])
        at_ms, arrived = self._arrived.get(pair, (0, 0.0))
        if self._stamp() - at_ms < _UNKNOWN_MS:
            own -= arrived
        if self._covers(pair) >= own - NEAR:
            # Nobody may know yet of what somebody else just bought, or of an entry that came late.
            del self.laid_bare[known:]

    def arrive(self) -> None:
        before = dict(self.own)
        super().arrive()
        for pair, own in self.own.items():
            if own != before.get(pair, 0.0):
                self._unknown(pair, abs(own - before.get(pair, 0.0)))

    def _unknown(self, pair: str, amount: float) -> None:
        """Note that an entry fills of which a bot cannot know at once; base currency."""
        at_ms, before = self._arrived.get(pair, (0, 0.0))
        is_lately = self._stamp() - at_ms < _UNKNOWN_MS
        self._arrived[pair] = self._stamp(), amount + (before if is_lately else 0.0)

    def close(self, order: CloseOrder, client_id: str) -> CcxtOrder:
        if order.amount > self.most[order.pair]:
            with self._request("close"):
                raise refusal(-4005)
        return super().close(order, client_id)

    def cancel_order(self, pair: str, order_id: str) -> None:
        was = self.orders[order_id]["status"]
        super().cancel_order(pair, order_id)
        if self.orders[order_id]["status"] != was:
            self._tell_order(self.orders[order_id])

    # What others do

    def by_hand(self, pair: str, amount: float, client_id: str = "") -> None:
        """Let somebody trade at market, negative to sell, in lots as the exchange takes them."""
        order_id = self._new_order(pair, amount < 0, abs(amount), client_id or "web_abc")
        self.fill(order_id, abs(amount))

    def forget(self, pair: str) -> None:
        """Take note that no trade accounts for a position any more."""
        self.orphaned[pair] = round(self.orphaned[pair] + self.own[pair], 9)
        self.own[pair] = 0.0
        for order in self.orders.values():
            if order["symbol"] == pair:
                order["forgotten"] = True

    def forget_round_trips(self) -> None:
        """Take note that a kill kept an entry, and what closed it whole, off the record.

        Nothing tells such a round trip from one whose trade was deleted, and no position is left.
        """
        for order in self.orders.values():
            is_over = (
                order["filled"] and order["status"] != "open" and not self.own[order["symbol"]]
            )
            is_entry = _role(order["clientOrderId"]) == Role.ENTRY
            if is_entry and is_over and not self.is_on_record(order):
                order["forgotten"] = True

    def comes(self, pair: str) -> float:
        """Return what an entry is for that came late, or is to come; signed."""
        at_ms, amount = self._coming.get(pair, (0, 0.0))
        return amount if self._stamp() - at_ms < 2 * _UNKNOWN_MS else 0.0

    def heard(self, event: OrderEvent) -> None:
        super().heard(event)
        self.unheard[event.pair] = max(0, self.unheard[event.pair])

    def open_stops(self, pair: str | None = None) -> list[CcxtOrder]:
        answer = super().open_stops(pair)
        if "open_stops" not in self.views:  # whoever reads it knows what has ended
            for each in [pair] if pair else list(self.unheard):
                self.unheard[each] = 0
        return answer

    # What is true

    def foreign(self, pair: str) -> float:
        """Return what somebody else holds of a pair, signed."""
        return round(self.size[pair] - self.own[pair] - self.orphaned[pair], 9)

    @property
    def is_faulty(self) -> bool:
        """Whether something is, or is about to be, answered wrong, late or not at all."""
        queues = (self.before, self.after, self.late)
        waiting = any(each for queue in queues for each in queue.values())
        return bool(waiting or self.failing or self.views or self.untold or self._on_the_way)

    def is_covered(self, pair: str) -> bool:
        """Whether the stops of a pair, together, cover the whole position."""
        return self._covers(pair) >= abs(self.size[pair]) - NEAR

    def is_own_covered(self, pair: str) -> bool:
        """Whether they cover what this bot's entries hold, whosever the rest may be."""
        return self._covers(pair) >= min(abs(self.own[pair]), abs(self.size[pair])) - NEAR

    # Inside

    def _covers(self, pair: str) -> float:
        """Return how much the stops of the position's side are for, base currency."""
        side = "buy" if self.size[pair] < 0 else "sell"
        return sum(o["amount"] for o in self.live(pair) if o["side"] == side and "stopPrice" in o)

    @contextmanager
    def _request(self, what: str) -> Iterator[None]:
        if self.before[what] or self.after[what]:
            self.troubled()
        if what == "find_stop" and what in self.failing:
            self._untold_ms = self._stamp()
        with super()._request(what):
            yield

    def fill(self, order_id: str, amount: float) -> None:
        """Fill some of what rests, and write down whose it is."""
        if amount <= 0:
            return
        order = self.orders[order_id]
        pair = order["symbol"]
        before = self.size[pair]
        filled = round(order["filled"] + amount, 9)
        price = self.prices[pair]
        cost = order["cost"] + amount * price
        super().fill(order_id, amount)
        self.size[pair] = round(self.size[pair], 9)
        order |= {
            "filled": filled,
            "remaining": round(order["amount"] - filled, 9),
            "cost": cost,
            "average": cost / filled,
            "price": order["price"] or price,
            "lastTradeTimestamp": self._stamp(),
            "fee": {"currency": "USDT", "cost": cost * _FEE, "rate": _FEE},
        }
        self._whose(order, self.size[pair] - before)
        self._tell_order(order)
        if not self.size[pair]:
            for other in self.orders.values():
                if other["symbol"] == pair and other.get("reduceOnly"):
                    self._expire(other)

    def _whose(self, order: CcxtOrder, change: float) -> None:
        """Write down whose a fill was, of a position several may have a part of."""
        pair, role = order["symbol"], _role(order["clientOrderId"])
        if role == Role.ENTRY:
            if self.is_followed(order):
                self._unknown(pair, abs(change))
            self.own[pair] = round(self.own[pair] + change, 9)
            self._side[pair] = change
            return
        own = self.own[pair]
        if not role and self._side.get(pair, 0.0) * change > 0:
            self._put_back(pair, change)
        if role or order.get("of a stop"):  # a stop covers all there is
            left = abs(_settle((self.own, self.orphaned), pair, change))
            if role and left > self._excuses(order) + NEAR:
                self.wrongs.append(f"sold {left:g} of somebody else's {pair}")
            if role == Role.EMERGENCY_CLOSE:
                self.conceded[pair] += left
            is_told = self.is_heard() and "find_order" not in self.failing
            if not (role or is_told):
                # Of an entry that fills next the exchange tells when it last filled, and not that
                # nothing of it was there for the stop to close.
                self.conceded[pair] += min(left, self._waiting(pair))
        else:
            theirs = _toward_zero(self.foreign(pair) - change, change)
            _settle((self.orphaned, self.own), pair, change - theirs)
            self.unclear[pair] = min(self.unclear[pair] + abs(theirs), self._unrecorded(pair))
        if role != Role.EXIT or self._arrives:  # nobody booked an exit whose answer was lost
            self.unbooked[pair] += abs(own - self.own[pair])
        if not (role or order.get("of a stop") or self.is_heard()):
            self.unheard_of[pair] += abs(own - self.own[pair])

    def _unrecorded(self, pair: str) -> float:
        """Return what entries filled that no trade has on record, base currency."""
        mine = [o for o in self.orders.values() if o["symbol"] == pair and not o.get("forgotten")]
        entries = [o for o in mine if _role(o["clientOrderId"]) == Role.ENTRY]
        return sum(o["filled"] for o in entries if o["filled"] and not self.is_on_record(o))

    def _waiting(self, pair: str) -> float:
        """Return what entries that rest may still fill, base currency."""
        mine = [o for o in self.orders.values() if o["symbol"] == pair and o["status"] == "open"]
        entries = [o for o in mine if _role(o["clientOrderId"]) == Role.ENTRY]
        return sum(o["amount"] - o["filled"] for o in entries)

    def _put_back(self, pair: str, change: float) -> None:
        """Note that others put back what they took while nobody could know: who could tell?

        Nobody heard of that, or the list of positions was old when somebody did.

        The position is as large as the trade again when the bot looks, and the trade keeps it.
        """
        back = min(abs(change), max(0.0, self.unbooked[pair] - abs(self.bought[pair])))
        self.bought[pair] += back if change > 0 else -back
        if self.unheard_of[pair] or "positions" in self.views:
            self.put_back[pair] = self.bought[pair]

    def _excuses(self, order: CcxtOrder) -> float:
        """Return how much of somebody else's an order of this bot's may take, base currency.

        Freqtrade exits what its trade has on record, guarded or not: what was closed since the last
        loop is still on it. An exit that rests waits for a loop to cancel it once its trade is
        closed. What has no cover is closed at its deadline, though the service of stops could not
        tell a moment ago what a stop that fired has closed.
        """
        role = _role(order["clientOrderId"])
        if role == Role.EMERGENCY_CLOSE and self._stamp() - self._untold_ms < _MOMENT_MS:
            return self.unbooked[order["symbol"]]
        if role != Role.EXIT:
            return 0.0
        return self.unbooked[order["symbol"]] if order["type"] == "market" else inf

    def _new_order(self, pair: str, sells: bool, amount: float, client_id: str) -> str:
        order_id = super()._new_order(pair, sells, amount, client_id)
        if _role(client_id):
            self._names[client_id] += 1
            if self._names[client_id] > 1:
                self.wrongs.append(f"order {client_id} was sent twice")
        self.orders[order_id] |= {
            "type": "market",
            "price": None,
            "average": None,
            "cost": 0.0,
            "remaining": amount,
            "lastTradeTimestamp": None,
            "fee": None,
            "fees": [],
            "trades": [],
            "info": {},
        }
        return order_id

    def _take(
        self, pair: str, is_short: bool, amount: float, client_id: str, **more: Any
    ) -> CcxtOrder:
        if amount > self.most[pair]:
            raise refusal(-4005)
        more = {
            "type": "stop_market",
            "price": None,
            "filled": 0.0,
            "remaining": amount,
            "cost": 0.0,
            "average": None,
            "fee": None,
            "reduceOnly": True,
            **more,
        }
        return super()._take(pair, is_short, amount, client_id, **more)

    def _reduce(self, pair: str, is_short: bool, amount: float, client_id: str) -> CcxtOrder:
        order_id = self._new_order(pair, not is_short, amount, client_id)
        order = self.orders[order_id]
        order |= {"reduceOnly": True, "of a stop": not client_id}
        self.fill(order_id, self._fits(order, amount))
        self._expire(order)
        return order

    def _fits(self, order: CcxtOrder, amount: float) -> float:
        size = self.size[order["symbol"]]
        return min(amount, abs(size)) if order.get("reduceOnly") else amount

    def _reducible(self, pair: str, amount: float) -> bool:
        return self.size[pair] * amount < 0

    def _expire(self, order: CcxtOrder) -> None:
        if order["status"] == "open":
            order["status"] = "expired"
            self._tell_order(order)

    def _tell_order(self, order: CcxtOrder) -> None:
        self.on_event(
            OrderEvent(
                pair=order["symbol"],
                order_id=order["id"],
                client_id=order["clientOrderId"],
                conditional=False,
                status=_status(order),
                filled=order["filled"],
                reason="",
                child_id="",
                side=order["side"].upper(),
            )
        )


def _role(client_id: str) -> str:
    """Return what an order of this bot's is for; empty for one of somebody else."""
    return client_id[7] if client_id.startswith("qt") else ""


def _settle(owners: Sequence[dict[str, float]], pair: str, change: float) -> float:
    """Take a reduction off each owner in turn, and return what is left of it."""
    for owner in owners:
        taken = _toward_zero(owner[pair], change)
        owner[pair] = round(owner[pair] + taken, 9)
        change = round(change - taken, 9)
    return change


def _toward_zero(held: float, change: float) -> float:
    """Return the part of a change that reduces what is held."""
    if held * change >= 0:
        return 0.0
    return change if abs(change) <= abs(held) else -held


def _status(order: CcxtOrder) -> str:
    match order["status"]:
        case "open":
            return "PARTIALLY_FILLED" if order["filled"] else "NEW"
        case "closed":
            return "FILLED"
        case other:
            return str(other).upper()
