"""How a listed position differs from what a trade and its entries account for: pure comparisons."""

from freqtrade.persistence import Trade

from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import Position

#: Sizes closer than this ratio are one and the same.
SAME = 1e-6


def lacking(held: PairState, position: Position | None, trade: Trade | None) -> float:
    """Return how much the exchange shows too little, base currency.

    What an exit that rests has filled is on its order's record, and not yet on its trade's.
    """
    is_short = held.is_short if trade is None else trade.is_short
    shown = position.amount if position is not None and position.is_short == is_short else 0.0
    rows = [] if trade is None else trade.orders
    left = [o.safe_filled for o in rows if o.ft_is_open and o.ft_order_side == o.trade.exit_side]
    return subtract_exact(held.own or held.base, shown, *left)


def is_missing(held: PairState, position: Position | None, trade: Trade | None) -> bool:
    """Whether a trade's position is not there, or has been turned to the other side."""
    is_short = held.is_short if trade is None else trade.is_short
    is_shown = position is not None and position.is_short == is_short
    return not is_shown and lacking(held, position, trade) > 0


def is_short_of(held: PairState, position: Position | None, trade: Trade) -> bool:
    """Whether the exchange holds a part only of what the trade accounts for."""
    if position is None or position.is_short != trade.is_short:
        return False
    return lacking(held, position, trade) > held.own * SAME


def is_more(position: Position, own: float, held: PairState) -> bool:
    """Whether a position is larger than what a trade and the fills of entries account for.

    An entry whose answer was lost counts whole: it is being asked for.
    """
    parts = [i.entry.amount if i.is_lost else i.unbooked for i in held.pending_entries]
    return position.amount > sum_exact(own, *parts) * (1 + SAME)
