"""How often to look at what may have changed unheard."""

#: Seconds from one look at a pair to the next, at the least: there is one tick a second.
SHORTEST_S = 1.0
#: The same at the most. Plain Freqtrade asks after each stop in each loop, which comes every 5 s
#: unless it is told otherwise: what nobody hears of is never found later than there.
LONGEST_S = 5.0
#: Seconds after something was sent or heard of a pair for which the pair counts as fresh. What the
#: exchange takes back of its own accord, and what follows an order, comes within these.
FRESH_S = 5.0
#: Request weight a minute for which the looks at all pairs may be more frequent than the bot's
#: loops: while events are heard, while they are not, and for pairs that are fresh. Looks as rare as
#: the loops weigh what Freqtrade's own questions would, and those are answered from memory.
_HEARD_WEIGHT, _UNHEARD_WEIGHT, _FRESH_WEIGHT = 60.0, 120.0, 480.0
#: What one look at the whole account weighs on Binance; a look at one pair weighs 1.
_WHOLE_WEIGHT = 40


def look_every_s(
    weight: int, *, is_heard: bool, loop_s: float = LONGEST_S, is_fresh: bool = False
) -> float:
    """Return the seconds from one look at a pair to the next.

    Args:
        weight: What one look at each pair weighs that has something to protect.
        is_heard: Whether the user data stream can be relied on.
        loop_s: Seconds from one of the bot's loops to the next.
        is_fresh: Whether something of the pair changed within `FRESH_S`.
    """
    a_minute = _HEARD_WEIGHT if is_heard else _UNHEARD_WEIGHT
    if is_fresh:
        a_minute = _FRESH_WEIGHT
    wanted = min(weight, _WHOLE_WEIGHT) * 60.0 / a_minute
    return max(SHORTEST_S, min(wanted, loop_s, LONGEST_S))


def looks_at_all(pairs: int) -> bool:
    """Whether one look at the whole account costs less than one at each pair."""
    return pairs > _WHOLE_WEIGHT
