"""How many stops a position takes, and whether the account has room for them."""

import math

from qt_protections.rules.denial import Denial, DenyCode, deny

#: Open conditional orders of one account over all symbols (Binance, USD-M futures).
MOST_STOPS = 200
#: Kept for what nobody can foresee: trailing stops, somebody's own, a stop that is being replaced.
RESERVE = 10


def stops_needed(amount: float, largest: float) -> int:
    """Return how many stops cover an amount, when one order at market may be so large.

    Args:
        amount: Base currency, >= 0.
        largest: Base currency, > 0; infinity without a limit.

    Raises:
        ValueError: If one of them is NaN.
    """
    # What lacks a last binary digit only is whole: 0.3 is three times 0.1.
    parts = math.ceil(amount / largest * (1 - 1e-9))
    return max(parts, 1) if amount else 0


def free_stops(live: int) -> int:
    """Return how many more stops the account takes, the reserve kept; below 0 if into it.

    Args:
        live: Its conditional orders that are open, whoever placed them.
    """
    return MOST_STOPS - RESERVE - live


def check_stop_count(amount: float, largest: float, free: float) -> Denial | None:
    """Refuse an entry whose position would need more stops than the account takes.

    The stops that cover it now count as live: they stand until new ones cover the whole.

    Args:
        amount: The whole position with the entry in it, base currency.
        largest: What one order at market may be, base currency; infinity without a limit.
        free: Stops the account still takes; infinity where nobody counts them.
    """
    needed = stops_needed(amount, largest)
    if needed <= free:
        return None
    free = max(free, 0.0)
    text = (
        f"a position of {amount:.8g} needs {needed} stops of at most {largest:.8g} each, and of "
        f"the account's conditional orders {free:g} are free: enter with less, or cancel some of "
        "them"
    )
    return deny(
        DenyCode.TOO_MANY_STOPS, text, amount=amount, needed=needed, largest=largest, free=free
    )
