"""What of a pair tells whether the bot's loop, or who shows the pair, has something to do.

Threads that only want to know that read without the lock: each field is read once, since the
thread that holds the lock may change it in between.
"""

from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.stop import Stop


def outline(held: PairState) -> tuple[object, ...]:
    """Return what is shown of a pair, to tell whether that has changed."""
    return (
        held.pair,
        held.is_short,
        held.base,
        held.trigger,
        [stop.order_id for stop in held.all_stops],
        [(each.order_id, each.filled, each.phase) for each in list(held.pending_entries)],
        held.external.position,
        held.is_in_doubt,
    )


def is_let_go(held: PairState) -> bool:
    """Whether nothing is left of a trade: there is nothing to let go of."""
    left = (
        held.ledger.unbooked_fills,
        held.ledger.known_to_freqtrade,
        held.released,
        held.trade_deleted,
        held.trigger,
        held.opened_ms,
    )
    return held.is_empty and not any(left)


def is_under_way(held: PairState) -> bool:
    """Whether each of the bot's loops has something to go on with."""
    some = (
        held.pending_entries,
        held.exits,
        held.ledger.unbooked_fills,
        held.released,
        held.trade_deleted,
    )
    return any(some)


def page(held: PairState) -> tuple[object, ...]:
    """Return what the bot's loop goes by beside the trades, and writes, while nothing happens."""
    return (
        held.pair,
        held.is_short,
        held.base,
        held.trade_id,
        held.trigger,
        held.leverage,
        [_line(stop) for stop in held.all_stops],
        held.ledger.known_to_freqtrade,
        held.ledger.on_record,
        held.trigger_inferred,
        held.opened_ms,
        held.trouble.denied,
        held.trailing_unsupported,
        held.external.position,
        held.steps.copy(),
        held.latency_ms,
        held.changed,
    )


def _line(stop: Stop) -> tuple[object, ...]:
    """Return what the bot's loop goes by of a stop."""
    track = stop.track
    return stop.order_id, stop.is_short, stop.amount, stop.trigger, track.phase, track.is_inherited
