"""All positions in numbers, without keeping them."""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from qt_protections.rehearsal.verdict.position_report import GapCause, GapTotal, PositionReport
from qt_protections.rehearsal.verdict.report import (
    LOSS_TOLERANCE_RATIO,
    Losses,
    Slippage,
    Spread,
    Summary,
)


@dataclass(slots=True)
class Scores:
    """Count, sum and largest of some numbers."""

    count: int = 0
    total: float = 0.0
    worst: float = 0.0

    def add(self, value: float) -> None:
        """Add a number."""
        self.worst = max(self.worst, value) if self.count else value
        self.count += 1
        self.total += value

    @property
    def mean(self) -> float:
        """Their mean, zero without numbers."""
        return self.total / self.count if self.count else 0.0


@dataclass(slots=True)
class Totals:
    """What positions add up to; the fields are those of `Summary`."""

    closed: int = 0
    open: int = 0
    naked_now: int = 0
    naked_total_s: float = 0.0
    naked_by_cause: dict[GapCause, GapTotal] = field(default_factory=dict)
    never_covered: int = 0
    exits: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    stops_live_before_entry: int = 0
    slippage: Scores = field(default_factory=Scores)
    slippage_ratio: Scores = field(default_factory=Scores)
    loss_ratio: Scores = field(default_factory=Scores)
    losses_exceeding: int = 0
    losses_unplanned: int = 0
    liquidations: int = 0
    realized_pnl: float = 0.0
    fees: float = 0.0

    def add(self, position: PositionReport) -> None:
        """Add a position."""
        closed = position.closed_ms is not None
        self.closed += closed
        self.open += not closed
        self.naked_now += any(gap.end_ms is None for gap in position.gaps[-1:])
        self.naked_total_s += position.naked_s
        for cause, total in position.naked_by_cause.items():
            own = self.naked_by_cause.setdefault(cause, GapTotal())
            own.gaps += total.gaps
            own.seconds += total.seconds
        self.never_covered += position.stop_lead_ms is None
        self.exits.update([] if position.exit is None else [position.exit])
        self.entries += position.entries
        self.stops_live_before_entry += position.stop_live_before_entry
        self.liquidations += position.liquidated
        self.realized_pnl += position.realized_pnl
        self.fees += position.fees
        self._add_slippage(position)
        self._add_loss(position)

    def losses(self) -> Losses:
        """Return the losses against their planned risk."""
        return Losses(
            planned=self.loss_ratio.count,
            unplanned=self.losses_unplanned,
            mean_ratio=self.loss_ratio.mean,
            worst_ratio=self.loss_ratio.worst,
            exceeding=self.losses_exceeding,
        )

    def stop_slippage(self) -> Slippage:
        """Return the fills of stops against their triggers."""
        return Slippage(
            positions=self.slippage.count,
            total=self.slippage.total,
            mean=self.slippage.mean,
            worst=self.slippage.worst,
            mean_ratio=self.slippage_ratio.mean,
            worst_ratio=self.slippage_ratio.worst,
        )

    def summary(self) -> Summary:
        """Return the summary, as far as positions make it."""
        return Summary(
            closed=self.closed,
            open=self.open,
            naked_total_s=round(self.naked_total_s, 3),
            naked_now=self.naked_now,
            naked_by_cause={c: t.model_copy() for c, t in self.naked_by_cause.items()},
            never_covered=self.never_covered,
            exits=dict(self.exits),
            entries=self.entries,
            stops_live_before_entry=self.stops_live_before_entry,
            slippage=self.stop_slippage(),
            losses=self.losses(),
            liquidations=self.liquidations,
            realized_pnl=self.realized_pnl,
            fees=self.fees,
        )

    def _add_slippage(self, position: PositionReport) -> None:
        if position.stop_slippage is not None and position.stop_slippage_ratio is not None:
            self.slippage.add(position.stop_slippage)
            self.slippage_ratio.add(position.stop_slippage_ratio)

    def _add_loss(self, position: PositionReport) -> None:
        if position.loss_ratio is not None:
            self.loss_ratio.add(position.loss_ratio)
            self.losses_exceeding += position.loss_ratio > 1 + LOSS_TOLERANCE_RATIO
        elif position.closed_ms is not None and (
            position.fees + position.insurance > position.realized_pnl
        ):
            self.losses_unplanned += 1


def spread(closed_s: "array[float]", open_s: Iterable[float]) -> Spread:
    """Return the quantiles of seconds, those of closed and of open positions."""
    seconds = np.concatenate([np.frombuffer(closed_s), np.fromiter(open_s, np.float64)])
    if not seconds.size:
        return Spread()
    p50, p95, p99 = (round(float(q), 3) for q in np.percentile(seconds, [50, 95, 99]))
    return Spread(p50=p50, p95=p95, p99=p99, max=float(seconds.max()))
