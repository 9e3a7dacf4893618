"""What a guard knows and has refused at one moment: its own objects, put in a file's words."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from qt_protections.reporting.entry_counts import Tally
from qt_protections.reporting.entry_summary import summary, totals
from qt_protections.reporting.operator_log import Refused
from qt_protections.reporting.status_file import (
    Bot,
    Money,
    Position,
    Refusal,
    RegimeSeen,
    Risk,
    Snapshot,
    WatchSeen,
)
from qt_protections.rules.exposure import Costs, Exposure, risk_of
from qt_protections.rules.regime import Trend
from qt_protections.rules.sizing import Limits


@dataclass(frozen=True, slots=True)
class Known:
    """The guard's own objects that a snapshot is made of.

    Attributes:
        regime_of: Pair and interval the trend is of.
        trend: The global trend.
        currency: The stake currency.
        equity: Its amount, as sizes are shares of.
        exposures: What counts toward the limits.
        limits: What may be lost, given what those may lose.
        costs_of: What a stopped position of a pair pays.
        stop_state: What is known of the stop of a pair.
        refused: Every refusal so far.
        watch: What watches between the loops; None where the loop alone does.
        tally: What became of the other entries.
    """

    regime_of: tuple[str, str]
    trend: Trend
    currency: str
    equity: float
    exposures: Sequence[Exposure]
    limits: Limits
    costs_of: Callable[[str], Costs]
    stop_state: Callable[[str], str]
    refused: Iterable[Refused]
    watch: WatchSeen | None = None
    tally: Tally | None = None


def snapshot(known: Known, bot: Bot, now: datetime, *, is_running: bool = True) -> Snapshot:
    """Return what is known at `now` (UTC), fit to be written."""
    refused = list(known.refused)
    refusals = [_refusal(each) for each in refused]
    return Snapshot(
        written_at=now,
        is_running=is_running,
        bot=bot,
        regime=_regime(known),
        risk=_risk(known),
        positions=tuple(_position(known, exposure) for exposure in known.exposures),
        refusals=tuple(sorted(refusals, key=_age_order, reverse=True)),
        totals=dict(totals(refused).most_common()),
        watch=known.watch,
        summary=None if known.tally is None else summary(known.tally, refused),
    )


def _age_order(refusal: Refusal) -> float:
    return refusal.at.timestamp() if refusal.at else 0.0


def _regime(known: Known) -> RegimeSeen:
    trend = known.trend
    return RegimeSeen(
        *known.regime_of, trend.regime.value, _finite(trend.distance), trend.closed_at
    )


def _risk(known: Known) -> Risk:
    limits = known.limits
    return Risk(
        known.currency,
        known.equity,
        _money(risk_of(known.exposures, known.costs_of), known),
        None if math.isinf(limits.open) else _money(limits.open, known),
        None if limits.group is None else _money(limits.group, known),
    )


def _position(known: Known, exposure: Exposure) -> Position:
    return Position(
        pair=exposure.pair,
        side="short" if exposure.is_short else "long",
        amount=exposure.amount,
        entry=exposure.entry,
        stop=exposure.stop,
        entries=exposure.entries,
        risk=_money(exposure.risk(known.costs_of(exposure.pair)), known),
        is_foreign=exposure.is_foreign,
        stop_state=known.stop_state(exposure.pair),
    )


def _refusal(refused: Refused) -> Refusal:
    denial = refused.denial
    facts = {name: _plain(fact) for name, fact in denial.facts}
    return Refusal(refused.pair, str(denial.code), denial.text, facts, refused.at, refused.count)


def _money(amount: float, known: Known) -> Money:
    return Money(amount, amount / known.equity * 100 if known.equity > 0 else None)


def _plain(fact: object) -> object:
    """Return a fact as JSON can tell it."""
    if fact is None or isinstance(fact, bool | int | str):
        return fact
    if isinstance(fact, datetime):
        return fact.isoformat()
    return _finite(float(fact)) if isinstance(fact, float) else str(fact)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
