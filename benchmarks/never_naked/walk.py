"""The exchange's journal, walked through: positions, and the orders that made them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

Event = dict[str, Any]
ZERO = Decimal(0)


class Fill(NamedTuple):
    """A fill, and the position (base units, negative for a short) before and after it."""

    event: Event
    before: Decimal
    after: Decimal

    @property
    def enters(self) -> bool:
        """Whether it opened, increased or turned the position."""
        return self.after != 0 and (
            self.before * self.after < 0 or abs(self.after) > abs(self.before)
        )


@dataclass
class Position:
    """A position from flat to flat.

    Attributes:
        symbol: Exchange name.
        entries: Numbers of the orders that opened or increased it, by their first fill.
    """

    symbol: str
    entries: list[int] = field(default_factory=list)


class Ledger:
    """The exchange's positions, kept fill by fill."""

    def __init__(self) -> None:
        """Start flat."""
        self._amounts: defaultdict[str, Decimal] = defaultdict(Decimal)

    def take(self, event: Event) -> Fill | None:
        """Return the fill an event tells of, None if it tells of something else."""
        if event["kind"] != "order_filled":
            return None
        before = self._amounts[event["symbol"]]
        sign = 1 if event["side"] == "BUY" else -1
        self._amounts[event["symbol"]] = after = before + sign * Decimal(event["quantity"])
        return Fill(event, before, after)


def fills(events: Iterable[Event]) -> Iterator[Fill]:
    """Yield every fill with the position around it."""
    ledger = Ledger()
    yield from filter(None, map(ledger.take, events))


def positions(events: Iterable[Event]) -> list[Position]:
    """Return all positions, in the order of their opening."""
    found: list[Position] = []
    standing: dict[str, Position] = {}
    for fill in fills(events):
        symbol, order_id = fill.event["symbol"], fill.event["order_id"]
        if fill.enters:
            if fill.before * fill.after <= 0:
                standing[symbol] = Position(symbol)
                found.append(standing[symbol])
            if order_id not in standing[symbol].entries:
                standing[symbol].entries.append(order_id)
    return found


def doubled(found: Iterable[Position], recorded: list[str]) -> list[str]:
    """Return the entry orders that were sent although the bot had entered already.

    An entry is doubled if the one before it in the same position was not on the bot's records
    when it was recorded itself, or never got there: the bot had not settled what became of the
    first when it sent the second, and both were filled.

    Args:
        found: Positions, as `positions` returns them.
        recorded: Order ids in the order in which the bot recorded them.
    """
    rank = {name: number for number, name in enumerate(recorded)}
    unknown = len(rank)
    return [
        str(name)
        for position in found
        for earlier, name in pairwise(position.entries)
        if rank.get(str(earlier), unknown) >= rank.get(str(name), unknown)
    ]


def unrecorded(found: Iterable[Position], recorded: list[str]) -> list[str]:
    """Return the filled entry orders that are not on the bot's records."""
    known = set(recorded)
    return [str(name) for p in found for name in p.entries if str(name) not in known]
