"""Which step follows a failed request: one table, a row for each code of the exchange.

What a refusal means depends on what was asked for. Before the entry nothing is at stake, so a no
ends it. With a position a no is worked on for seconds and then the position is closed. A code the
table does not know gets `DEFAULT`, which errs the same way.
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
    ENTRY = "entry"
    CANCEL = "cancel of a stop"


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
    #: old stop stays. A trailing stop: skipped, the stop stays. An entry: dropped, and its stop
    #: cancelled. A cancel: the stop is gone already. A close is never given up by its code: once
    #: `pause_s` is None, ask for the position; if it is flat, the close is done.
    GIVE_UP = "give up"


#: For codes the table does not know, when the exchange said no.
DEFAULT: dict[Purpose, Step] = {
    Purpose.STOP_BEFORE_ENTRY: Step.GIVE_UP,
    Purpose.STOP_OF_POSITION: Step.AGAIN,
    Purpose.STOP_MOVE: Step.GIVE_UP,
    Purpose.TRAILING: Step.GIVE_UP,
    Purpose.EMERGENCY_CLOSE: Step.AGAIN,
    Purpose.ENTRY: Step.GIVE_UP,
    Purpose.CANCEL: Step.AGAIN,
}

_SETTLE = dict.fromkeys(Purpose, Step.QUERY)
_AGAIN = dict.fromkeys(Purpose, Step.AGAIN)
#: The request itself is wrong and stays so: a stop cannot be had this way. A close goes on all the
#: same, since nothing better is left.
_MALFORMED = DEFAULT | {Purpose.STOP_OF_POSITION: Step.GIVE_UP}
#: As above, and every trailing stop of the pair would be as wrong.
_MALFORMED_ALWAYS = _MALFORMED | {Purpose.TRAILING: Step.DISABLE}
#: The exchange sees no position. After a fill it shows up within 0.5 to 3 s.
_NO_POSITION = DEFAULT | {
    Purpose.STOP_BEFORE_ENTRY: Step.ON_FILL,
    Purpose.TRAILING: Step.AGAIN,
}
_PRICE_PASSED = DEFAULT | {
    Purpose.STOP_OF_POSITION: Step.REPRICE,
    Purpose.TRAILING: Step.WITHOUT_ACTIVATION,
}
_GONE = DEFAULT | {Purpose.CANCEL: Step.GIVE_UP}
_DUPLICATE = dict.fromkeys(Purpose, Step.NEW_CLIENT_ID) | {Purpose.CANCEL: Step.AGAIN}

#: By the exchange's code (negative) or the HTTP status (positive): why, and what follows.
_TABLE: dict[int, tuple[str, dict[Purpose, Step]]] = {
    418: ("address banned for a while: not looked at", _AGAIN),
    429: ("too many requests: not looked at", _AGAIN),
    500: ("server error: outcome unknown", _SETTLE),
    502: ("gateway error: outcome unknown", _SETTLE),
    503: ("'unknown error': outcome unknown; the throttle comes as -1008", _SETTLE),
    504: ("gateway time-out: outcome unknown", _SETTLE),
    -1000: ("unknown error: outcome unknown", _SETTLE),
    -1001: ("internal disconnection: outcome unknown", _SETTLE),
    -1003: ("too many requests: not looked at", _AGAIN),
    -1006: ("unexpected answer of a backend: outcome unknown", _SETTLE),
    -1007: ("backend time-out: outcome unknown", _SETTLE),
    -1008: ("throttled: not looked at", _AGAIN),
    -1015: ("too many orders in this period: not looked at", _AGAIN),
    -1021: ("clock: turned away; the next request is signed with a new time", _AGAIN),
    -1022: ("bad signature: the close would fail as well, so keep trying the stop", DEFAULT),
    -1102: ("parameter missing, the callback rate for one: no repetition helps", _MALFORMED_ALWAYS),
    -1106: ("parameter not wanted: no repetition helps", _MALFORMED_ALWAYS),
    -1111: ("too many decimals: no repetition helps", _MALFORMED),
    -1130: ("parameter invalid: no repetition helps", _MALFORMED_ALWAYS),
    -2007: (
        "callback rate not taken: it would not be next time",
        DEFAULT | {Purpose.TRAILING: Step.DISABLE},
    ),
    -2010: ("rejected without a reason: the default", DEFAULT),
    -2011: ("nothing to cancel: the next comparison finds it, should it stand after all", _GONE),
    -2013: ("no such order: as -2011", _GONE),
    -2019: ("margin: a stop needs none, so it is the position that is not seen yet", DEFAULT),
    -2021: ("would trigger at once: before entry the signal is stale", _PRICE_PASSED),
    -2022: ("reduce-only refused: no position, or not yet", _NO_POSITION),
    -2025: ("too many open orders: one may end any moment", DEFAULT),
    -2027: ("position limit at this leverage: nothing that reduces is meant by it", DEFAULT),
    -4003: ("quantity not above zero: no repetition helps", _MALFORMED),
    -4004: ("quantity too small: no repetition helps", _MALFORMED),
    -4005: ("quantity too large: no repetition helps", _MALFORMED),
    -4006: ("trigger not above zero: no repetition helps", _MALFORMED),
    -4007: ("trigger out of bounds: no repetition helps", _MALFORMED),
    -4013: ("price too low: no repetition helps", _MALFORMED),
    -4014: ("price off the tick: no repetition helps", _MALFORMED),
    -4023: ("quantity off the step: no repetition helps", _MALFORMED),
    -4045: ("200 stops stand: one may end any moment, but no entry waits for it", DEFAULT),
    -4116: ("client id taken: it may be ours that arrived", _DUPLICATE),
    -4117: (
        "the stop is triggering: see what becomes of it",
        DEFAULT | {Purpose.CANCEL: Step.QUERY},
    ),
    # Not ON_FILL: it objects to orders that stand on the same side. They would stand after the
    # fill too, and the position would meet the same no.
    -4118: (
        "reduce-only against other orders: they may end any moment, but no entry waits for it",
        DEFAULT | {Purpose.TRAILING: Step.AGAIN},
    ),
    -4120: ("wrong service for such an order: no repetition helps", _MALFORMED_ALWAYS),
    # The wording of -4509 before December 2025, when an open entry order still sufficed.
    -4129: ("needs a position or an open order: on fill there is one", _NO_POSITION),
    -4130: ("somebody's closePosition stop stands: it may go, or cover; look again", DEFAULT),
    -4131: ("no price near enough on the other side of the book: a passing state", DEFAULT),
    -4135: (
        "activation price on the wrong side of the price",
        DEFAULT | {Purpose.TRAILING: Step.WITHOUT_ACTIVATION},
    ),
    -4136: ("no trailing stop with closePosition: none of ours has it", _MALFORMED_ALWAYS),
    -4142: ("would trigger at once: as -2021", _PRICE_PASSED),
    -4164: ("notional too small; reduce-only is exempt, so no position is seen yet", DEFAULT),
    -4509: ("needs a position: none, or not yet", _NO_POSITION),
    -5021: ("fill-or-kill not filled: the entry's own terms", DEFAULT),
    -5022: ("post-only would take: the entry's own terms", DEFAULT),
}

#: Pauses between tries. A signal goes stale; a position just filled may not be seen for 3 s.
_PAUSES_S: dict[Purpose, tuple[float, ...]] = {
    Purpose.STOP_BEFORE_ENTRY: (0.25, 0.5),
    Purpose.STOP_OF_POSITION: (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0),
    Purpose.STOP_MOVE: (0.25,),
    Purpose.TRAILING: (0.5, 1.0),
    Purpose.EMERGENCY_CLOSE: (0.2, 0.4, 0.8, 1.6),
    Purpose.ENTRY: (0.25,),
    Purpose.CANCEL: (0.25, 0.5),
}


def next_step(purpose: Purpose, code: int | None, outcome: Outcome) -> Step:
    """Return what to do about a failed request.

    Args:
        purpose: What it was for.
        code: The exchange's number, or the HTTP status if it gave none; None without either.
        outcome: Whether it can have been executed all the same. Unknown outweighs every code.
    """
    if outcome is Outcome.UNKNOWN:
        return Step.QUERY
    if code in _TABLE:
        return _TABLE[code][1][purpose]
    return Step.AGAIN if outcome is Outcome.NOT_EXECUTED else DEFAULT[purpose]


def reason(code: int | None) -> str | None:
    """Return what a code means, for a line in the log; None if the table does not know it."""
    return _TABLE[code][0] if code in _TABLE else None


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
