"""Whose part of a position each order closed, where others hold a part of the position as well.

An exchange keeps one position for each contract, whoever opened it. Four rules divide its orders:

- An order on the bot's record closed what the record says. The rest of the order was the others'.
- An order of the bot's on no record closed the trade.
- Others close what is theirs first. What they close beyond that was the trade's.
- An order closed nothing of an entry that was sent after the order filled.

Nothing here asks an exchange. Orders come in, and what each order closed of the trade goes out.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.stops.state.client_ids import Role
from qt_protections.stops.state.stop import filled_ms, part_of
from qt_protections.stops.state.unbooked_fill import OF_ENTRIES
from qt_protections.stops.venue.protocol import CcxtOrder

#: An order, and how much of a trade the order closed, base currency.
Close = tuple[CcxtOrder, float]


@dataclass(frozen=True, slots=True)
class FilledOrder:
    """An order that filled something, as seen from the side of a trade.

    Attributes:
        order: The order as ccxt parsed it.
        closes: Whether the order stands against the side of the trade.
        role: What the order is for; None if the order is not this bot's.
        booked: How much of the order is this bot's by its records, base currency; None if no
            record has the order.
    """

    order: CcxtOrder = field(repr=False)
    closes: bool
    role: Role | None = None
    booked: float | None = None

    @property
    def order_id(self) -> str:
        """The exchange's id."""
        return str(self.order["id"])

    @property
    def amount(self) -> float:
        """What the order filled, base currency."""
        return float(self.order["filled"])

    @property
    def added(self) -> float:
        """What the order added to the side of the trade, base currency; negative for a close."""
        return -self.amount if self.closes else self.amount


@dataclass(frozen=True, slots=True)
class TradeFills:
    """The filled orders of a pair around the moment at which a trade began.

    Attributes:
        before: The orders that filled before, as they filled.
        since: The orders that filled since, as they filled, and all that the bot has on record.
        others: What others held when the trade began, base currency.
        is_certain: Whether the position that is there now tells that. Others who close more than
            they held then hold the other side from there on.
    """

    before: Sequence[FilledOrder]
    since: Sequence[FilledOrder]
    others: float
    is_certain: bool = False

    @classmethod
    def split(cls, orders: Sequence[FilledOrder], began_ms: int) -> "TradeFills":
        """Divide orders at the moment at which a trade began, epoch milliseconds.

        What is left of the orders before was others': earlier trades of the pair have left
        nothing, whoever closed them.
        """
        # The first entry may have filled in the millisecond in which the entry was sent.
        is_since = [o.booked is not None or filled_ms(o.order) > began_ms for o in orders]
        before = [order for order, later in zip(orders, is_since, strict=True) if not later]
        since = [order for order, later in zip(orders, is_since, strict=True) if later]
        return cls(before, since, subtract_exact(_added(before)))

    @property
    def is_shared(self) -> bool:
        """Whether others held a part when the trade began, or entered since."""
        return self.others > 0 or any(o.role is None and not o.closes for o in self.since)

    def lacks(self, order_ids: Collection[str]) -> bool:
        """Whether an order that was heard to fill since is missing: the history lags."""
        return not set(order_ids) <= {order.order_id for order in self.since}

    def others_by(self, position: float) -> float:
        """Return what others held when the trade began, by the position that is there now.

        Args:
            position: Base currency; negative on the other side, as the answer is.
        """
        return sum_exact(position, -_added(self.since))

    def by_position(self, position: float, is_on_record: Callable[[str], bool]) -> "TradeFills":
        """Return the same with what others held by a position that is certain.

        Args:
            position: Base currency; negative on the other side.
            is_on_record: Whether some trade has booked an order, by the order's id.
        """
        others = self.others_by(position)
        turned = self._turned(-others, is_on_record)
        return TradeFills(self.before, [*turned, *self.since], subtract_exact(others), True)

    def _turned(self, amount: float, is_on_record: Callable[[str], bool]) -> list[FilledOrder]:
        """Return entries of this bot on the other side that the trade's first entry closed.

        A kill kept them off the record, and a list that did not show them let this side in.

        Args:
            amount: What stood on the other side when the trade began, base currency.
            is_on_record: As above.
        """
        found: list[FilledOrder] = []
        for each in reversed([o for o in self.before if o.closes and o.role is Role.ENTRY]):
            if amount > 0 and not is_on_record(each.order_id):
                found.insert(0, replace(each, order=part_of(each.order, amount)))
                amount = subtract_exact(amount, each.amount)
        return found


@dataclass(frozen=True, slots=True)
class Holding:
    """What this bot's trades hold of a position, before closes are booked.

    Attributes:
        own: What the trades hold, base currency.
        deleted: What a trade held that was deleted, base currency. Closes take that part first.
    """

    own: float
    deleted: float = 0.0

    def after(self, closed: float) -> float:
        """Return what the trades hold once so much is closed, base currency."""
        return subtract_exact(self.own, subtract_exact(closed, self.deleted))


def allocate(
    fills: TradeFills,
    holding: Holding,
    of_stops: Collection[str] = (),
    *,
    at_most: float = inf,
    with_exits: bool = False,
) -> list[Close]:
    """Return what each order closed of a trade and no record has.

    Args:
        fills: The filled orders.
        holding: What there is to close.
        of_stops: Ids of orders that stops of the trade became.
        at_most: How much others closed of the trade at the most, base currency.
        with_exits: Whether exits of this bot on no record count. Freqtrade books its exits itself.
    """
    found: list[Close] = []
    others, closed, least = fills.others, 0.0, -inf if fills.is_certain else 0.0
    for each in over(fills.since):
        own, amount = holding.after(closed), 0.0
        if each.booked is not None:
            others = max(least, sum_exact(others, -each.amount, each.booked))
        elif not each.closes:
            others = sum_exact(others, each.amount if each.role is None else 0.0)
        elif each.role is not None or each.order_id in of_stops:
            if with_exits or each.role is not Role.EXIT:
                amount, at_most = own, subtract_exact(at_most, each.amount)
        else:
            own_then = subtract_exact(own, _added_since(each, fills.since))
            beyond = subtract_exact(each.amount, max(others, 0.0))
            amount = min(beyond, at_most, own_then, own)
            others = max(least, sum_exact(others, -each.amount, amount))
            at_most = subtract_exact(at_most, amount)
        if amount > 0:
            found.append((each.order, amount))
            closed = sum_exact(closed, min(amount, each.amount))
    return found


def is_closed(amount: float, orders: Sequence[FilledOrder]) -> bool:
    """Whether orders took the whole of a position, base currency, in the order they filled."""
    for each in over(orders):
        amount = subtract_exact(sum_exact(amount, each.added))
    return not amount


def over(orders: Sequence[FilledOrder]) -> list[FilledOrder]:
    """Return the orders that are over.

    An order that rests fills on, and may be its owner's to cancel.
    """
    return [each for each in orders if each.order.get("status") != "open"]


def own_part(order: CcxtOrder, parts: Mapping[str, float]) -> float:
    """Return how much of an order on record is this bot's, base currency.

    Args:
        order: The order.
        parts: By id, how much of an order closed the trade; an order without a part is all ours.
    """
    filled, name = float(order["filled"]), str(order["id"])
    # What a close took of entries that no trade has yet is this bot's as well.
    known = [parts[each] for each in (name, f"{name}{OF_ENTRIES}") if each in parts]
    return min(filled, sum_exact(*known)) if known else filled


def _added(orders: Sequence[FilledOrder]) -> float:
    return sum_exact(*(each.added for each in orders))


def _added_since(close: FilledOrder, orders: Sequence[FilledOrder]) -> float:
    """Return what a trade has on record more than when an order filled, base currency.

    Entries count by when they were sent: an order closed nothing of an entry that was sent later.
    """
    over_ms = filled_ms(close.order)
    return sum_exact(
        *(
            -each.booked if each.closes else each.amount
            for each in orders
            if each.booked is not None
            and (filled_ms(each.order) if each.closes else _sent_ms(each.order)) > over_ms
        )
    )


def _sent_ms(order: CcxtOrder) -> int:
    return int(order["timestamp"] or 0)
