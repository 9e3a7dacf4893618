"""One position as the journal tells it, from its first fill to flat."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from qt_protections.rehearsal.book import Side
from qt_protections.rehearsal.journal import Event
from qt_protections.rehearsal.orders import AlgoType
from qt_protections.rehearsal.report import PositionReport

ZERO = Decimal(0)
STOP_TYPES = frozenset({AlgoType.STOP, AlgoType.STOP_MARKET})


@dataclass(slots=True)
class Holding:
    """A position while the replay walks through it; the fields are those of `PositionReport`."""

    opened: Event
    amount: Decimal = ZERO
    qty_max: Decimal = ZERO
    entry_orders: set[int | None] = field(default_factory=set)
    entered: Decimal = ZERO
    entry_value: Decimal = ZERO
    exited: Decimal = ZERO
    exit_value: Decimal = ZERO
    margin_max: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    naked_ms: int = 0
    cover: Event | None = None
    closed: Event | None = None

    @property
    def closing_side(self) -> Side:
        """The side whose orders reduce the position."""
        return (self.opened.side or Side.BUY).opposite

    def fill(self, event: Event) -> None:
        """Take in one of its fills."""
        quantity, price = event.quantity or ZERO, event.price or ZERO
        if event.side is self.opened.side:
            self.amount += quantity
            self.entered += quantity
            self.entry_value += quantity * price
            self.entry_orders.add(event.order_id)
        else:
            self.amount -= quantity
            self.exited += quantity
            self.exit_value += quantity * price
        self.qty_max = max(self.qty_max, self.amount)
        self.margin_max = max(self.margin_max, event.margin or ZERO)
        self.realized += event.realized or ZERO
        self.fees += event.fee or ZERO
        if self.amount == 0:
            self.closed = event

    def completing_stop(self, stops: Iterable[Event]) -> Event | None:
        """Return the stop that completes the cover, stops taken in order of acceptance."""
        covered = ZERO
        for stop in stops:
            if stop.side is not self.closing_side or stop.type not in STOP_TYPES:
                continue
            covered += self.amount if stop.quantity is None else stop.quantity
            if covered >= self.amount:
                return stop
        return None

    def summary(self) -> PositionReport:
        """Return the position for the report."""
        cover, closed = self.cover, self.closed
        return PositionReport(
            symbol=self.opened.symbol,
            side="LONG" if self.opened.side is Side.BUY else "SHORT",
            opened_ms=self.opened.ms,
            closed_ms=None if closed is None else closed.ms,
            qty_max=float(self.qty_max),
            entries=len(self.entry_orders),
            entry_price=float(self.entry_value / self.entered),
            exit_price=float(self.exit_value / self.exited) if self.exited else None,
            exit=None if closed is None else closed.cause,
            margin_max=float(self.margin_max),
            realized_pnl=float(self.realized),
            pnl_ratio=float(self.realized / self.margin_max) if self.margin_max else 0.0,
            fees=float(self.fees),
            naked_s=self.naked_ms / 1000,
            stop_live_before_entry=cover is not None and cover.seq < self.opened.seq,
            stop_lead_ms=None if cover is None else self.opened.ms - cover.ms,
        )
