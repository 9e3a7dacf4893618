"""Which step follows a failed request: by what the request was for and what the refusal means.

Before the entry nothing is at stake, so a no ends the entry. With a position a no is worked on for
seconds, and then the position is closed. A refusal of no known meaning errs the same way. Which
code of an exchange means what is the venue's to know (`stops/venue/error_codes.py`).
"""

import math
from enum import StrEnum

#: How far beyond the current price a passed stop is put, as a ratio of price.
REPRICE_RATIO = 0.0005
#: How far the price may be beyond a trigger for the stop to be put beyond the price, as a ratio of
#: the trigger. Further off, the planned loss is exceeded already: the position is closed instead.
REPRICE_REACH = 0.005


class Outcome(StrEnum):
    """What is known of a request that failed."""

    REFUSED = "the exchange said no"
    NOT_EXECUTED = "it was turned away before it was looked at"
    UNKNOWN = "it may or may not have been executed"


class Purpose(StrEnum):
    """What a request was for."""

    STOP_BEFORE_ENTRY = "stop before its entry"
    STOP_OF_POSITION = "stop of a position that nothing else covers in full"
    STOP_MOVE = "tighter stop of a position that another one covers in full"
    TRAILING = "trailing stop beside the stop"
    EMERGENCY_CLOSE = "close at market"


class Refusal(StrEnum):
    """What an exchange means by a no."""

    NO_POSITION = "it sees no position to reduce"
    PRICE_PASSED = "the price has passed the trigger: it would trigger at once"
    ACTIVATION_PASSED = "the price has passed the activation price"
    BAD_CALLBACK = "it does not take the callback rate"
    MALFORMED = "a quantity or a price is wrong, and stays so"
    NOT_OFFERED = "it takes no such order at all"
    NAME_TAKEN = "the client id is taken"
    OTHER_ORDERS = "other orders stand in the way"
    UNKNOWN_ORDER = "it knows no such order"
    UNTIMELY = "the time stamp is too old, or in the future"
    TOO_MANY_REQUESTS = "too many requests"
    TOO_MANY_ORDERS = "too many orders"
    OTHER = "anything else"


class Step(StrEnum):
    """What to do about a failed request."""

    #: Whether it was executed is open: ask for the order before anything else.
    QUERY = "settle"
    #: Certainly not executed, or a passing state: the same request after `pause_s`. Once that is
    #: None, `GIVE_UP` follows.
    AGAIN = "again"
    #: The price has passed the trigger: send it at `reprice`, once; then `GIVE_UP`.
    REPRICE = "reprice"
    #: The exchange takes no stop without a position: place it when the entry fills.
    ON_FILL = "on fill"
    #: The client id is taken, perhaps by this very order that arrived after all: look it up. Is it
    #: ours, it stands; else send it under a new id.
    NEW_CLIENT_ID = "afresh"
    #: The price has passed the activation price: send the trailing stop without one, once.
    WITHOUT_ACTIVATION = "without activation"
    #: No trailing stop on this pair any more, with a warning. The stop stays.
    DISABLE = "disable"
    #: A definite no. Before the entry: no entry. With a position: close it at market. A move: the
    #: old stop stays. A trailing stop: skipped, the stop stays. A close is never given up by what
    #: its refusal means: once `pause_s` is None, ask for the position; if flat, the close is done.
    GIVE_UP = "give up"


#: What follows a no, whatever it means.
DEFAULT: dict[Purpose, Step] = {
    Purpose.STOP_BEFORE_ENTRY: Step.GIVE_UP,
    Purpose.STOP_OF_POSITION: Step.AGAIN,
    Purpose.STOP_MOVE: Step.GIVE_UP,
    Purpose.TRAILING: Step.GIVE_UP,
    Purpose.EMERGENCY_CLOSE: Step.AGAIN,
}

#: Where a meaning asks for something else. A close goes on after each: nothing better is left.
_INSTEAD: dict[Refusal, dict[Purpose, Step]] = {
    # After a fill a position shows up within 0.5 to 3 s.
    Refusal.NO_POSITION: {
        Purpose.STOP_BEFORE_ENTRY: Step.ON_FILL,
        Purpose.TRAILING: Step.AGAIN,
    },
    # Before the entry, the signal is stale.
    Refusal.PRICE_PASSED: {
        Purpose.STOP_OF_POSITION: Step.REPRICE,
        Purpose.TRAILING: Step.WITHOUT_ACTIVATION,
    },
    Refusal.ACTIVATION_PASSED: {Purpose.TRAILING: Step.WITHOUT_ACTIVATION},
    # The rate would not be taken next time either.
    Refusal.BAD_CALLBACK: {Purpose.TRAILING: Step.DISABLE},
    # No repetition helps: a stop cannot be had this way.
    Refusal.MALFORMED: {Purpose.STOP_OF_POSITION: Step.GIVE_UP},
    Refusal.NOT_OFFERED: {
        Purpose.STOP_OF_POSITION: Step.GIVE_UP,
        Purpose.TRAILING: Step.DISABLE,
    },
    Refusal.NAME_TAKEN: dict.fromkeys(Purpose, Step.NEW_CLIENT_ID),
    # They may end any moment, but no entry waits for that. Not ON_FILL: they would stand after the
    # fill too, and the position would meet the same no.
    Refusal.OTHER_ORDERS: {Purpose.TRAILING: Step.AGAIN},
}

#: Pauses between tries. A signal goes stale; a position just filled may not be seen for 3 s.
_PAUSES_S: dict[Purpose, tuple[float, ...]] = {
    Purpose.STOP_BEFORE_ENTRY: (0.25, 0.5),
    Purpose.STOP_OF_POSITION: (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0),
    Purpose.STOP_MOVE: (0.25,),
    Purpose.TRAILING: (0.5, 1.0),
    Purpose.EMERGENCY_CLOSE: (0.2, 0.4, 0.8, 1.6),
}


def next_step(purpose: Purpose, refusal: Refusal, outcome: Outcome) -> Step:
    """Return what to do about a failed request.

    Args:
        purpose: What it was for.
        refusal: What the exchange's no means; it counts where the exchange judged the request.
        outcome: Whether it can have been executed all the same.
    """
    if outcome is Outcome.UNKNOWN:
        return Step.QUERY
    if outcome is Outcome.NOT_EXECUTED:
        return Step.AGAIN
    return (DEFAULT | _INSTEAD.get(refusal, {}))[purpose]


def pause_s(purpose: Purpose, tries_made: int) -> float | None:
    """Return how long to wait before the next try, in seconds; None if there is to be none.

    Args:
        purpose: What the request is for.
        tries_made: How often it has been sent, >= 1.

    Raises:
        ValueError: If nothing was sent yet.
    """
    if tries_made < 1:
        raise ValueError(f"tries_made must be >= 1, was {tries_made}")
    pauses = _PAUSES_S[purpose]
    return pauses[tries_made - 1] if tries_made <= len(pauses) else None


def may_reprice(is_short: bool, trigger: float, price: float) -> bool:
    """Whether a stop the price has passed may be put beyond the price.

    Args:
        is_short: Whether the position gains when the price falls.
        trigger: Where the stop should stand, quote currency, > 0.
        price: The latest price of the kind that triggers stops, quote currency, > 0.
    """
    beyond = price / trigger - 1 if is_short else 1 - price / trigger
    return beyond <= REPRICE_REACH


def reprice(is_short: bool, price: float, tick_hint: float | None = None) -> float:
    """Return the trigger 0.05 % beyond the current price, on the side where the position loses.

    Args:
        is_short: Whether the position gains when the price falls.
        price: The latest price of the kind that triggers stops; quote currency, > 0.
        tick_hint: The contract's price step. With it the trigger is rounded away from the price:
            on a coarse step 0.05 % would else round to the price itself and be refused once more.
    """
    trigger = price * (1 + REPRICE_RATIO if is_short else 1 - REPRICE_RATIO)
    if tick_hint is None:
        return trigger
    ticks = trigger / tick_hint
    whole = math.ceil(ticks) if is_short else max(math.floor(ticks), 1)
    return whole * tick_hint
