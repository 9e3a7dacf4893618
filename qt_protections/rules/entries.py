"""An entry on its way: what is asked for, and what was approved of that."""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from qt_protections.rules.amounts import sum_exact
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.sizing import Headroom
from qt_protections.rules.stop_price import Distance

#: What an entry may lose where no limit is set.
NO_LIMIT = Headroom(inf, DenyCode.STAKE_TOO_SMALL, ())


class EntryRequest(NamedTuple):
    """An entry that somebody wants.

    Attributes:
        pair: Freqtrade's pair.
        is_short: Side of the entry.
        rate: Quote currency.
        leverage: Notional over margin.
        amount: Base currency; infinity where the question is how large the entry may be.
    """

    pair: str
    is_short: bool
    rate: float
    leverage: float
    amount: float = inf


class ApprovedEntry(NamedTuple):
    """What may become of a request; whoever sends an entry or covers one takes nothing else.

    Attributes:
        wish: The request, at the price at which it can fill.
        limit: The price its order names, by which stakes become amounts; quote currency.
        stop: Trigger price of its stop, quote currency.
        amount: The most it may be, in whole lots; base currency. Infinity without any limit.
        room: What that loses at the stop, and the limit that says so.
        beside: What else the account held.
        planned: How far a new position's stop stands from its entry, and what moved it there; None
            for an entry that adds to a position.
    """

    wish: EntryRequest
    limit: float
    stop: float
    amount: float
    room: Headroom = NO_LIMIT
    beside: Sequence[Exposure] = ()
    planned: Distance | None = None

    @property
    def is_new(self) -> bool:
        """Whether it opens a position, and does not add to one."""
        return self.planned is not None

    @property
    def distance(self) -> float:
        """From entry to stop, as a ratio of the entry."""
        return abs(self.wish.rate - self.stop) / self.wish.rate

    @property
    def stake(self) -> float:
        """The margin of the whole amount, quote currency."""
        return self.stake_of(self.amount)

    def stake_of(self, amount: float) -> float:
        """Return the margin of an amount, quote currency."""
        return amount * self.limit / self.wish.leverage

    def amount_of(self, stake: float) -> float:
        """Return the amount of a margin, base currency."""
        return stake * self.wish.leverage / self.limit

    @property
    def order(self) -> EntryRequest:
        """What goes out: the price its order names, and no more than may be."""
        return self.wish._replace(rate=self.limit, amount=self.amount)

    @property
    def own(self) -> Exposure | None:
        """What the bot holds of the pair already, entries that wait included."""
        pair = self.wish.pair
        return next((e for e in self.beside if e.pair == pair and not e.is_foreign), None)

    def position(self, amount: float) -> Exposure:
        """Return what the bot holds of the pair with an entry of this amount (base currency)."""
        wish, own = self.wish, self.own
        entry = Exposure(wish.pair, wish.is_short, amount, wish.rate, self.stop)
        return entry if own is None or not own.amount else _joined(own, entry)


def _joined(position: Exposure, entry: Exposure) -> Exposure:
    amount = sum_exact(position.amount, entry.amount)
    value = position.amount * position.entry + entry.amount * entry.entry
    return position._replace(amount=amount, entry=value / amount, stop=entry.stop)
