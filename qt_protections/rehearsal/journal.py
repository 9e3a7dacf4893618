"""The exchange's own log: every event, in order, with its millisecond."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import TypedDict, Unpack

from qt_protections.rehearsal.market.book import Side

JsonObject = dict[str, object]
KEPT_EVENTS = 50_000


class EventKind(StrEnum):
    """What may happen."""

    ORDER_ACCEPTED = "order_accepted"
    ORDER_REJECTED = "order_rejected"
    ORDER_AMENDED = "order_amended"
    ORDER_FILLED = "order_filled"
    ORDER_CANCELED = "order_canceled"
    ORDER_EXPIRED = "order_expired"
    STOP_ACCEPTED = "stop_accepted"
    STOP_REJECTED = "stop_rejected"
    STOP_DEAD = "stop_dead"
    STOP_TRIGGERED = "stop_triggered"
    STOP_RELEASED = "stop_released"
    STOP_FINISHED = "stop_finished"
    STOP_REFUSED_AT_TRIGGER = "stop_refused_at_trigger"
    STOP_CANCELED = "stop_canceled"
    STOP_EXPIRED = "stop_expired"
    STOP_WITHDRAWN = "stop_withdrawn"
    FUNDING = "funding"
    INSURANCE = "insurance"
    LEVERAGE_CHANGED = "leverage_changed"
    MARGIN_TYPE_CHANGED = "margin_type_changed"
    MARGIN_MOVED = "margin_moved"
    FAULT = "fault"


class Facts(TypedDict, total=False):
    """The optional fields of `Event`."""

    side: Side
    type: str
    order_id: int
    algo_id: int
    client_id: str
    quantity: Decimal | None
    price: Decimal | None
    reduce_only: bool
    cause: str
    fee: Decimal
    realized: Decimal
    margin: Decimal
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """One event; fields that do not apply stay None.

    Attributes:
        seq: Running number.
        ms: Exchange time, epoch milliseconds.
        kind: What happened. `stop_*` tells of conditional orders of every type.
        symbol: Exchange name, as sent by the client; empty for a fault that concerns none.
        side: BUY or SELL.
        type: Order type.
        order_id: Plain order.
        algo_id: Conditional order; of a plain order, the one whose trigger sent it.
        client_id: The client's name for the order.
        quantity: Base units; None for a stop that closes the whole position.
        price: USDT: fill price, limit price, or trigger price.
        reduce_only: Whether the order can only shrink a position (true for closePosition too).
        cause: Why a fill happened, the kind of a fault, or `untold` for a stop that was dead on
            arrival without a word of it on the user data stream.
        fee: USDT.
        realized: Profit of the fill in USDT, without fees.
        margin: USDT behind the position after the fill, see `Account.entry_margin`.
        code: Binance's error code of a refusal.
        reason: Text of a refusal or expiry; of a fault, the endpoint and what was done.
    """

    seq: int
    ms: int
    kind: EventKind
    symbol: str
    side: Side | None = None
    type: str | None = None
    order_id: int | None = None
    algo_id: int | None = None
    client_id: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    reduce_only: bool | None = None
    cause: str | None = None
    fee: Decimal | None = None
    realized: Decimal | None = None
    margin: Decimal | None = None
    code: int | None = None
    reason: str | None = None

    @property
    def refusal(self) -> str:
        """The code of a refusal; `dead` for a stop that got HTTP 200 and never lived."""
        return "dead" if self.code is None else str(self.code)

    def as_json(self) -> JsonObject:
        """Return the event without its empty fields; numbers as strings, as on the exchange."""
        values = {name: getattr(self, name) for name in _FIELDS}
        return {
            name: format(value, "f") if isinstance(value, Decimal) else value
            for name, value in values.items()
            if value is not None
        }


_FIELDS = tuple(field.name for field in fields(Event))


class Journal:
    """The latest events, and the exchange's time they are stamped with.

    Attributes:
        now_ms: Exchange time, epoch milliseconds; the venue moves it.
    """

    def __init__(self, now_ms: int = 0, keep: int = KEPT_EVENTS) -> None:
        """Start empty at `now_ms`, to hold the latest `keep` events."""
        self.now_ms = now_ms
        self._events: deque[Event] = deque(maxlen=keep)
        self._listeners: list[Callable[[Event], None]] = []
        self._count = 0

    @property
    def events(self) -> tuple[Event, ...]:
        """The events that are still held, oldest first."""
        return tuple(self._events)

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with each further event, when what the event tells of has been done."""
        self._listeners.append(listener)

    def since(self, seq: int) -> list[Event]:
        """Return the events numbered `seq` or higher that are still held, oldest first."""
        oldest = self._count - len(self._events)
        skipped = min(max(0, seq - oldest), len(self._events))
        return list(islice(self._events, skipped, None))

    def latest(self, count: int) -> list[Event]:
        """Return the latest events, `count` at most, oldest first."""
        return list(islice(reversed(self._events), count))[::-1]

    def add(self, kind: EventKind, symbol: str, **facts: Unpack[Facts]) -> None:
        """Append an event at the present time; see `Event` for the fields."""
        event = Event(self._count, self.now_ms, kind, symbol, **facts)
        self._count += 1
        self._events.append(event)
        for listener in self._listeners:
            listener(event)
