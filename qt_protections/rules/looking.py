"""How often to look at what may have changed unheard: all pairs share one budget."""

#: Seconds from one look at a pair to the next while its events are heard: rarer is as good, as an
#: event has to get lost first.
HEARD_S = 10.0
#: The same while events are not heard: as often as a tick comes.
UNHEARD_S = 1.0
#: Request weight a minute for the looks at all pairs together: while events are heard, and not.
_HEARD_WEIGHT, _UNHEARD_WEIGHT = 60.0, 120.0
#: What one look at the whole account weighs on Binance; a look at one pair weighs 1.
_WHOLE_WEIGHT = 40


def look_every_s(pairs: int, *, is_heard: bool) -> float:
    """Return the seconds from one look at a pair to the next.

    Args:
        pairs: How many have something to protect.
        is_heard: Whether the user data stream can be relied on.
    """
    weight = min(pairs, _WHOLE_WEIGHT)
    if is_heard:
        return max(HEARD_S, weight * 60.0 / _HEARD_WEIGHT)
    return max(UNHEARD_S, weight * 60.0 / _UNHEARD_WEIGHT)


def looks_at_all(pairs: int) -> bool:
    """Whether one look at the whole account costs less than one at each pair."""
    return pairs > _WHOLE_WEIGHT
