"""What the error codes of Binance mean, for USD-M futures and for its spot exchange.

Sources: developers.binance.com/docs/derivatives/usds-margined-futures/error-code for futures, and
the page of the same name of the spot exchange. Other exchanges give no such number; what they
refuse has no known meaning.
"""

from qt_protections.rules.retry_policy import Outcome, Refusal

#: -1000 comes with the 503 "Unknown error, please check your request or try again later." -1006 and
#: -1007 say "execution status unknown". -1001 "Internal error; unable to process your request." may
#: be sent again by the futures documents, but is among the unknown by those of the spot exchange.
_UNKNOWN = frozenset({-1000, -1001, -1006, -1007})
#: Too many requests (-1003), throttled (-1008, "100% failure"), too many orders (-1015), untimely
#: at the gate (-1021) or at the matching engine (-5028).
_NOT_EXECUTED = frozenset({-1003, -1008, -1015, -1021, -5028})

_CODES: dict[Refusal, tuple[int, ...]] = {
    # "ReduceOnly Order is rejected." -4509 is the wording since December 2025 of -4129, which an
    # open entry order satisfied.
    Refusal.NO_POSITION: (-2022, -4129, -4509),
    # "Order would immediately trigger."
    Refusal.PRICE_PASSED: (-2021, -4142),
    Refusal.ACTIVATION_PASSED: (-4135,),
    Refusal.BAD_CALLBACK: (-2007,),
    # Too many decimals (-1111); quantity not above zero (-4003), too small (-4004), too large
    # (-4005) or off its step (-4023); trigger not above zero (-4006) or out of bounds (-4007);
    # price too low (-4013) or off its tick (-4014).
    Refusal.MALFORMED: (-1111, -4003, -4004, -4005, -4006, -4007, -4013, -4014, -4023),
    # A parameter that is missing (-1102), not wanted (-1106) or invalid (-1130), the wrong service
    # (-4120), a trailing stop with closePosition (-4136).
    Refusal.NOT_OFFERED: (-1102, -1106, -1130, -4120, -4136),
    Refusal.NAME_TAKEN: (-4116,),
    # Reduce-only against the orders that stand on the same side.
    Refusal.OTHER_ORDERS: (-4118,),
    # "Unknown order sent." to a cancel, "Order does not exist." to a question.
    Refusal.UNKNOWN_ORDER: (-2011, -2013),
    Refusal.UNTIMELY: (-1021, -5028),
    Refusal.TOO_MANY_REQUESTS: (-1003,),
    Refusal.TOO_MANY_ORDERS: (-1015,),
}
_MEANINGS = {code: refusal for refusal, codes in _CODES.items() for code in codes}


def meaning(code: int | None) -> Refusal:
    """Return what a code says; `OTHER` for one that is not known, or asks for nothing special.

    Nothing special follows a bad signature (-1022: a close would fail as well), missing margin
    (-2019) or too small a notional (-4164: a reduce-only order needs neither, so the position is
    not seen yet), and what passes: too many open orders (-2025), 200 stops (-4045), somebody's
    closePosition stop (-4130), an empty side of the book (-4131).
    """
    return Refusal.OTHER if code is None else _MEANINGS.get(code, Refusal.OTHER)


def outcome(code: int | None) -> Outcome | None:
    """Return what a code says of the request's execution; None if it does not tell."""
    if code in _UNKNOWN:
        return Outcome.UNKNOWN
    return Outcome.NOT_EXECUTED if code in _NOT_EXECUTED else None
