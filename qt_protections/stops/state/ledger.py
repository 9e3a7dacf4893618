"""Which orders reduced a pair's position, and which of them its trade has yet to book."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from qt_protections.rules.amounts import subtract_exact
from qt_protections.stops.state.stop import filled_ms, part_of
from qt_protections.stops.state.unbooked_fill import EXCHANGE_STOP, OF_ENTRIES, UnbookedFill


@dataclass(slots=True)
class Ledger:
    """What is known of the orders of one pair beside what stands.

    Attributes:
        on_record: Ids of the trade's orders.
        known_to_freqtrade: Ids of the stops the trade believes are live.
        unbooked_fills: What the trade has yet to book.
        children: Ids of the orders that stops of the position became.
        written_off: Stops that were dropped without what became of them: by id, until when the
            order history is asked for that, on this process's monotonic clock.
        booked_stops: Stops whose fill is on record: when they filled, epoch milliseconds; 0 once it
            is known what orders they became.
        parts: By order id, how much of an order closed the position; the rest was another's, or has
            a name of its own as a close of entries without a trade.
        heard: What others were heard to close, as long as it is not certain whose that was: by
            order id, how much that order filled, base currency.
        heard_until: When that is given up, on this process's monotonic clock.
    """

    on_record: frozenset[str] = frozenset()
    known_to_freqtrade: frozenset[str] = frozenset()
    unbooked_fills: list[UnbookedFill] = field(default_factory=list)
    children: set[str] = field(default_factory=set)
    written_off: dict[str, float] = field(default_factory=dict)
    booked_stops: dict[str, int] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    heard_until: float = 0.0

    @property
    def booked(self) -> AbstractSet[str]:
        """Ids of the orders that are known to have reduced the position."""
        fills = (str(fill.order["id"]) for fill in self.unbooked_fills)
        return {*self.on_record, *self.children, *fills}

    @property
    def ends_first(self) -> bool:
        """Whether a close of the trade waits: it would close what joins the trade as well."""
        return any(not fill.is_of_entries for fill in self.unbooked_fills)

    def became(self, order_id: str, child: str) -> None:
        """Note what order a stop became."""
        self.children.add(child)
        self.booked_stops[order_id] = 0

    def add(self, fill: UnbookedFill, of_entries: float) -> None:
        """Have an order booked by the trades it closed: this one, and the one of its entries.

        Freqtrade knows each order once, so the part of the entries has a name of its own.

        Args:
            fill: The order.
            of_entries: How much it closed of entries that no trade has booked, base currency.
        """
        own = subtract_exact(fill.amount, of_entries)
        if not (own and of_entries):
            self.unbooked_fills.append(replace(fill, is_of_entries=of_entries > 0))
            return
        name = str(fill.order["id"])
        of_entries_name = f"{name}{OF_ENTRIES}"
        self.parts |= {name: own, of_entries_name: of_entries}
        order = {**part_of(fill.order, of_entries), "id": of_entries_name}
        self.unbooked_fills += [
            replace(fill, order=part_of(fill.order, own)),
            UnbookedFill(order, fill.reason or EXCHANGE_STOP, is_of_entries=True),
        ]

    def begin_anew(self) -> None:
        """Forget what was known of an earlier position of the pair."""
        self.on_record = self.known_to_freqtrade = frozenset()
        self.heard.clear()
        self.forget_orders()

    def forget_closes_of_trade(self, *, closed_entries: bool) -> None:
        """Forget what closed a trade that is over: the next trade of the pair has no part in it.

        Args:
            closed_entries: Whether something closed entries that no trade has booked: what closed
                those is their trade's.
        """
        self.unbooked_fills = [
            fill for fill in self.unbooked_fills if fill.is_of_entries and closed_entries
        ]

    def forget_earlier(self, began_ms: int) -> None:
        """Forget what filled before a trade's first order was sent, epoch milliseconds."""
        self.unbooked_fills = [
            fill
            for fill in self.unbooked_fills
            if fill.is_of_entries or filled_ms(fill.order) >= began_ms
        ]

    def forget_orders(self) -> None:
        """Forget which orders closed what: their trade is over, or was deleted."""
        self.children.clear()
        self.written_off.clear()
        self.booked_stops.clear()
        self.parts.clear()
