"""What of a pair no trade of Freqtrade's accounts for, as the rules of size and risk see it."""

from collections.abc import Sequence

from qt_protections.rules.amounts import subtract_exact
from qt_protections.rules.exposure import Exposure
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.venue.protocol import Position


def unaccounted(held: PairState, unbooked: Sequence[PendingEntry]) -> list[Exposure]:
    """Return what no trade accounts for: entries none has booked, and a stranger's part."""
    found = [_exposure(held, pending.entry.amount, pending.entry.rate) for pending in unbooked]
    stranger = held.external.position
    if stranger is not None:
        own = held.base if stranger.is_short == held.is_short else 0.0
        if amount := subtract_exact(stranger.amount, own):
            found.append(_strange_exposure(held, amount, stranger))
    return found


def _exposure(held: PairState, amount: float, price: float) -> Exposure:
    return Exposure(held.pair, held.is_short, amount, price, held.trigger or price)


def _strange_exposure(held: PairState, amount: float, stranger: Position) -> Exposure:
    stop = held.trigger or stranger.entry_price
    if guards := [guard.trigger for guard in held.external.cover]:
        stop = max(guards) if stranger.is_short else min(guards)
    return Exposure(held.pair, held.is_short, amount, stranger.entry_price, stop, is_foreign=True)
