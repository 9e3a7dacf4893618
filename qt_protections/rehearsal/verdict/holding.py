"""One position as the journal tells it, from its first fill to flat."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from qt_protections.rehearsal.engine.account import TAKER_FEE_RATIO, ZERO
from qt_protections.rehearsal.engine.orders import Cause
from qt_protections.rehearsal.journal import Event
from qt_protections.rehearsal.market.book import Side
from qt_protections.rehearsal.verdict.gaps import Gaps
from qt_protections.rehearsal.verdict.position_report import Mark, MarkKind, PositionReport
from qt_protections.rehearsal.verdict.stopbook import Cover, Stop, cover

KEPT_MARKS = 60
#: An order that fills again after so many later entry orders is counted as a further one.
KEPT_ORDERS = 1_000


@dataclass(slots=True)
class Fills:
    """Fills in one direction: base units, and their value in USDT."""

    quantity: Decimal = ZERO
    value: Decimal = ZERO

    def add(self, quantity: Decimal, price: Decimal) -> None:
        """Add a fill."""
        self.quantity += quantity
        self.value += quantity * price

    @property
    def price(self) -> Decimal | None:
        """Mean price, None without fills."""
        return self.value / self.quantity if self.quantity else None


@dataclass(slots=True)
class Holding:
    """A position while the replay walks through it; the fields are those of `PositionReport`."""

    number: int
    opened: Event
    gaps: Gaps = field(init=False)
    amount: Decimal = ZERO
    qty_max: Decimal = ZERO
    entries: int = 0
    entered: Fills = field(default_factory=Fills)
    exited: Fills = field(default_factory=Fills)
    stopped: Fills = field(default_factory=Fills)
    slippage: Decimal = ZERO
    margin_max: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    insurance: Decimal = ZERO
    liquidated: bool = False
    cover: Event | None = None
    closed: Event | None = None
    marks: deque[Mark] = field(default_factory=lambda: deque(maxlen=KEPT_MARKS))
    _orders: dict[int | None, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin the watch at the first fill."""
        self.gaps = Gaps(self.opened.ms)

    @property
    def closing_side(self) -> Side:
        """The side whose orders reduce the position."""
        return (self.opened.side or Side.BUY).opposite

    def fill(self, event: Event, stop: Stop | None) -> None:
        """Take in one of its fills, and the conditional order that sent its order."""
        quantity, price = event.quantity or ZERO, event.price or ZERO
        entering = event.side is self.opened.side
        (self.entered if entering else self.exited).add(quantity, price)
        self.amount += quantity if entering else -quantity
        if entering:
            self._count_entry(event.order_id)
        elif stop is not None and stop.is_stop:
            self._stopped(quantity, price, stop.accepted.price)
        self.qty_max = max(self.qty_max, self.amount)
        self.margin_max = max(self.margin_max, event.margin or ZERO)
        self.realized += event.realized or ZERO
        self.fees += event.fee or ZERO
        self.liquidated = self.liquidated or event.cause == Cause.LIQUIDATION
        self._mark_fill(MarkKind.ENTRY if entering else MarkKind.EXIT, event)
        if self.amount == 0:
            self.closed = event
            self.gaps.close(event)

    def weigh(self, stops: Iterable[Stop], event: Event) -> None:
        """Compare its size with its stops after `event`."""
        self.gaps.weigh(self.amount - self._covered(stops).quantity, event)

    def look(self, stops: Iterable[Stop]) -> None:
        """Remember the stop that first completes the cover, if one does now."""
        if self.cover is None:
            self.cover = self._covered(stops).completed_by

    def settle(self, stops: Iterable[Stop], ms: int) -> None:
        """Take note of what stands at the end of the millisecond `ms`."""
        self.look(stops)
        self.gaps.settle(ms)

    def mark(self, kind: MarkKind, event: Event) -> None:
        """Mark the acceptance or the end of one of its stops."""
        self.marks.append(
            Mark(
                ms=event.ms,
                kind=kind,
                quantity=None if event.quantity is None else float(event.quantity),
                price=None if event.price is None else float(event.price),
            )
        )

    def report(self, stops: Iterable[Stop], now_ms: int) -> PositionReport:
        """Return the position for the report, as it stands at `now_ms` with these live stops."""
        closed, realized = self.closed, self.realized
        covered = self.cover
        if covered is None and closed is None:
            covered = self._covered(stops).completed_by
        planned = self._planned_risk(covered)
        loss = self.fees + self.insurance - realized
        loses = closed is not None and loss > 0 and planned is not None and planned > 0
        return PositionReport(
            number=self.number,
            symbol=self.opened.symbol,
            side="LONG" if self.opened.side is Side.BUY else "SHORT",
            opened_ms=self.opened.ms,
            closed_ms=None if closed is None else closed.ms,
            qty_max=float(self.qty_max),
            entries=self.entries,
            entry_price=float(self.entered.price or ZERO),
            exit_price=_number(self.exited.price),
            exit=None if closed is None else closed.cause,
            liquidated=self.liquidated,
            margin_max=float(self.margin_max),
            realized_pnl=float(realized),
            pnl_ratio=float(realized / self.margin_max) if self.margin_max else 0.0,
            fees=float(self.fees),
            insurance=float(self.insurance),
            naked_s=self.gaps.naked_ms(now_ms) / 1000,
            naked_by_cause=self.gaps.by_cause(now_ms),
            gaps=self.gaps.latest(now_ms),
            stop_live_before_entry=covered is not None and covered.seq < self.opened.seq,
            stop_lead_ms=None if covered is None else self.opened.ms - covered.ms,
            planned_risk=_number(planned),
            loss_ratio=float(loss / planned) if loses and planned is not None else None,
            stop_slippage=float(self.slippage) if self.stopped.quantity else None,
            stop_slippage_ratio=(
                float(self.slippage / self.stopped.value) if self.stopped.value else None
            ),
            marks=list(self.marks),
        )

    def _covered(self, stops: Iterable[Stop]) -> Cover:
        return cover(stops, self.closing_side, self.amount)

    def _planned_risk(self, covered: Event | None) -> Decimal | None:
        entry = self.entered.price
        if covered is None or covered.price is None or entry is None:
            return None
        distance, fees = abs(entry - covered.price), TAKER_FEE_RATIO * (entry + covered.price)
        return self.qty_max * (distance + fees)

    def _count_entry(self, order_id: int | None) -> None:
        if order_id not in self._orders:
            self.entries += 1
            self._orders[order_id] = None
            if len(self._orders) > KEPT_ORDERS:
                del self._orders[next(iter(self._orders))]

    def _stopped(self, quantity: Decimal, price: Decimal, trigger: Decimal | None) -> None:
        if trigger is None:
            return
        self.stopped.add(quantity, trigger)
        self.slippage += (price - trigger) * quantity * self.closing_side.sign

    def _mark_fill(self, kind: MarkKind, event: Event) -> None:
        quantity, price = float(event.quantity or ZERO), float(event.price or ZERO)
        last = self.marks[-1] if self.marks else None
        if last is None or last.kind is not kind or last.ms != event.ms:
            self.marks.append(Mark(ms=event.ms, kind=kind, quantity=quantity, price=price))
            return
        before = last.quantity or 0.0
        total = before + quantity
        last.price = ((last.price or 0.0) * before + price * quantity) / total
        last.quantity = total


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
