"""What to place and what to cancel so that a position stays covered: the decision alone.

Breaking comes after making by construction: an answer that places something cancels nothing. Asked
again once the placed stop stands, the same question cancels what it replaced.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.rules.stop_count import stops_needed

#: Sums of lots may differ in their last binary digits.
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class RequiredStop:
    """What has to stand.

    Attributes:
        is_short: Whether the position gains when the price falls.
        amount: The whole position, with what entries under way may still add; base currency, > 0.
        trigger: Trigger price in quote currency, > 0.
        largest: The most one stop may be, base currency: a stop becomes an order at market, and
            the exchange limits those. A larger position is covered by several stops.

    Amount and trigger are as the exchange takes them, rounded to lot and tick: a finer number is
    never found standing, and would be placed again and again.
    """

    is_short: bool
    amount: float
    trigger: float
    largest: float = inf


@dataclass(frozen=True, slots=True)
class LiveStop:
    """A stop that is live on the exchange; amount in base, trigger in quote currency."""

    order_id: str
    amount: float
    trigger: float


@dataclass(frozen=True, slots=True)
class StopPlan:
    """What to do next; nothing when everything is as it should be."""

    place: RequiredStop | None = None
    cancel: tuple[str, ...] = ()


def plan(need: RequiredStop | None, standing: Sequence[LiveStop]) -> StopPlan:
    """Return the next step toward one stop that covers the need, or the fewest where one may not.

    A stop larger than the position stays: reduce-only takes no more than there is. A trigger only
    ever moves toward the price, so the tightest that stands is the loosest that may follow. Of
    several that would do the newest stay, in whatever order they are listed: a cancel whose answer
    was lost may still arrive, and a second look must not then decide for the other one.

    Args:
        need: What has to be covered; None when there is nothing to protect.
        standing: Every live stop of the pair that closes a position of this side, trailing stops
            apart. One for the other side would count as the tightest.
    """
    if need is None:
        return StopPlan(cancel=tuple(stop.order_id for stop in standing))
    wanted = replace(
        need, trigger=tightest(need.is_short, need.trigger, *(s.trigger for s in standing))
    )
    fitting = sorted((s for s in standing if _is_at(s, wanted)), key=_age, reverse=True)
    keep = _enough(wanted, fitting)
    if keep is None:
        return StopPlan(place=replace(wanted, amount=_missing(wanted, fitting)))
    kept = {stop.order_id for stop in keep}
    return StopPlan(cancel=tuple(s.order_id for s in standing if s.order_id not in kept))


def covered(need: RequiredStop, standing: Sequence[LiveStop]) -> bool:
    """Whether the stops cover the whole size, whatever their triggers.

    One stop has to, unless the size is more than one stop may be.
    """
    if need.amount > need.largest:
        return sum_exact(*(stop.amount for stop in standing)) >= need.amount * (1 - _SAME)
    return any(stop.amount >= need.amount * (1 - _SAME) for stop in standing)


def parts(need: RequiredStop) -> int:
    """Return how many stops it takes to cover the need."""
    return stops_needed(need.amount, need.largest)


def tightest(is_short: bool, *triggers: float) -> float:
    """Return the trigger nearest to the price."""
    return min(triggers) if is_short else max(triggers)


def _is_at(stop: LiveStop, wanted: RequiredStop) -> bool:
    return abs(stop.trigger - wanted.trigger) <= _SAME * wanted.trigger


def _enough(wanted: RequiredStop, fitting: Sequence[LiveStop]) -> Sequence[LiveStop] | None:
    """Return the newest stops that cover the need, newest first; None if all of them do not."""
    if wanted.amount <= wanted.largest:
        return next(([stop] for stop in fitting if covered(wanted, (stop,))), None)
    for count in range(1, len(fitting) + 1):
        if covered(wanted, fitting[:count]):
            return fitting[:count]
    return None


def _missing(wanted: RequiredStop, fitting: Sequence[LiveStop]) -> float:
    """Return the size of the next stop to place, base currency."""
    if wanted.amount <= wanted.largest:
        return wanted.amount
    return min(wanted.largest, subtract_exact(wanted.amount, *(stop.amount for stop in fitting)))


def _age(stop: LiveStop) -> tuple[int, str]:
    """Sort by number: ids of the exchange grow, and need not have the same length."""
    return len(stop.order_id), stop.order_id
