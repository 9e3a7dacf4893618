"""What an event of the user data stream means for the pair that it tells of."""

from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.phases import StopEvent
from qt_protections.stops.venue.binance.order_events import OrderEvent

_GONE = frozenset({"CANCELED", "EXPIRED", "REJECTED"})
_AT_TRIGGER = frozenset({"TRIGGERING", "TRIGGERED"})
_FINAL = frozenset({"FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"})


class EventHandler:
    """Acts on events of orders, as they come; the lock of the pair is held."""

    def __init__(self, cover: EntryCover) -> None:
        """Take who keeps entries covered, and positions by its manager."""
        self._cover = cover
        self._manager = cover.manager
        self._outcomes = cover.manager.outcomes

    def heard_of_stop(self, held: PairState, event: OrderEvent) -> None:
        """Act on the event of a conditional order."""
        stop = held.stop_of(event.order_id)
        if stop is None:
            self._heard_of_guard(held, event)
        elif event.status in _GONE:
            held.touch()
            self._outcomes.lost(held, event.order_id, f"{event.status} {event.reason}".strip())
        elif event.status == "FINISHED":
            held.touch()
            self._outcomes.fired(held, event.order_id, event.child_id)
        elif event.status in _AT_TRIGGER:
            # Asked after with the next tick, if nothing follows.
            stop.track.hear(StopEvent.TRIGGERED)

    def _heard_of_guard(self, held: PairState, event: OrderEvent) -> None:
        """Cover a position without a trade once somebody's own stop does so no more."""
        others = [guard for guard in held.external.stops if guard.order_id != event.order_id]
        if len(others) < len(held.external.stops) and event.status in (_GONE | {"FINISHED"}):
            held.external.stops = others
            held.touch()
            self._manager.reconcile_stops(held)

    def heard_of_order(self, held: PairState, event: OrderEvent) -> None:
        """Cover what an entry just filled; let go of what a dead entry needed."""
        pending = held.pending_of(event.order_id, event.client_id)
        if pending is None:
            self._cover.heard_of_exit(held, event.client_id)
            self._heard_of_close(held, event)
            return
        held.touch()
        pending.hear(event.order_id, event.filled, is_over=event.status in _FINAL)
        self._manager.reconcile_stops(held)

    def _heard_of_close(self, held: PairState, event: OrderEvent) -> None:
        """Find out what an order took of a position that nobody here sent.

        It may be what a stop became, another hand's, or the exchange's own: a liquidation, or
        deleveraging. Exits of this bot are booked by Freqtrade.
        """
        closes = event.side == ("BUY" if held.is_short else "SELL")
        is_over = event.status in _FINAL and event.filled > 0
        is_mine = self._manager.namer.mine(event.client_id) is not None
        if not (closes and is_over and held.own) or is_mine:
            return
        held.touch()
        for stop in held.all_stops:
            self._outcomes.try_to_ask_after(held, stop)
        if event.order_id not in held.ledger.booked:
            self._manager.closes.heard(held, event.order_id, event.filled)
        self._manager.reconcile_stops(held)
