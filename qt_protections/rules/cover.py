"""What to place and what to cancel so that a position stays covered: the decision alone.

Breaking comes after making by construction: an answer that places something cancels nothing. Asked
again once the placed stop stands, the same question cancels what it replaced.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

#: Sums of lots may differ in their last binary digits.
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Need:
    """What has to stand.

    Attributes:
        is_short: Whether the position gains when the price falls.
        amount: The whole position, with what entries under way may still add; base currency, > 0.
        trigger: Trigger price in quote currency, > 0.

    Both as the exchange takes them, rounded to lot and tick: a finer number is never found
    standing, and would be placed again and again.
    """

    is_short: bool
    amount: float
    trigger: float


@dataclass(frozen=True, slots=True)
class Standing:
    """A stop that is live on the exchange; amount in base, trigger in quote currency."""

    order_id: str
    amount: float
    trigger: float


@dataclass(frozen=True, slots=True)
class Mend:
    """What to do next; nothing when everything is as it should be."""

    place: Need | None = None
    cancel: tuple[str, ...] = ()


def mend(need: Need | None, standing: Sequence[Standing]) -> Mend:
    """Return the next step toward exactly one stop that covers the need.

    A stop larger than the position stays: reduce-only takes no more than there is. A trigger only
    ever moves toward the price, so the tightest that stands is the loosest that may follow. Of
    several that would do the newest stays, in whatever order they are listed: a cancel whose answer
    was lost may still arrive, and a second look must not then decide for the other one.

    Args:
        need: What has to be covered; None when there is nothing to protect.
        standing: Every live stop of the pair that closes a position of this side, trailing stops
            apart. One for the other side would count as the tightest.
    """
    if need is None:
        return Mend(cancel=tuple(stop.order_id for stop in standing))
    wanted = replace(
        need, trigger=tightest(need.is_short, need.trigger, *(s.trigger for s in standing))
    )
    keep = max((stop for stop in standing if _covers(stop, wanted)), key=_age, default=None)
    if keep is None:
        return Mend(place=wanted)
    return Mend(cancel=tuple(s.order_id for s in standing if s.order_id != keep.order_id))


def covered(need: Need, standing: Sequence[Standing]) -> bool:
    """Whether one stop covers the whole size, whatever its trigger."""
    return any(stop.amount >= need.amount * (1 - _SAME) for stop in standing)


def tightest(is_short: bool, *triggers: float) -> float:
    """Return the trigger nearest to the price."""
    return min(triggers) if is_short else max(triggers)


def _covers(stop: Standing, wanted: Need) -> bool:
    at_the_trigger = abs(stop.trigger - wanted.trigger) <= _SAME * wanted.trigger
    return at_the_trigger and covered(wanted, (stop,))


def _age(stop: Standing) -> tuple[int, str]:
    """Sort by number: ids of the exchange grow, and need not have the same length."""
    return len(stop.order_id), stop.order_id
