"""A stop that has fired, as Freqtrade books one: the fill of its order under the stop's own id."""

from qt_protections.stops.manager import StopManager
from qt_protections.stops.state.booking import own_part
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.records import is_on_record
from qt_protections.stops.state.stop import as_booked, child_id
from qt_protections.stops.venue.protocol import CcxtOrder


class FiredStops:
    """Has the book and Freqtrade take in the same of what a stop became."""

    def __init__(self, manager: StopManager) -> None:
        """Take who keeps the book, and asks the exchange."""
        self._manager = manager

    @staticmethod
    def is_booked_by_child(held: PairState, stop: CcxtOrder) -> bool:
        """Whether what a stop became is booked as an order of its own: the stop adds nothing."""
        return str(stop["id"]) in held.ledger.written_off or is_on_record(child_id(stop), held.pair)

    def take_in(self, held: PairState, stop: CcxtOrder) -> None:
        """Have the book know of a fill before the trade does.

        Else the fill is taken off twice. The position would look smaller than it is, and the cover
        of its rest would go.
        """
        if held.stop_of(str(stop["id"])) is not None:
            self._manager.outcomes.fired(held, str(stop["id"]), child_id(stop))

    def executed(self, held: PairState, stop: CcxtOrder) -> CcxtOrder:
        """Return a triggered stop as Freqtrade books it.

        Raises:
            RequestError: If the exchange does not answer.
        """
        child = child_id(stop)
        order = self._manager.venue.find_order(held.pair, order_id=child) if child else None
        # A trigger alone is no fill.
        return {**stop, "status": "open"} if order is None else self.booked(held, stop, order)

    @staticmethod
    def booked(held: PairState, stop: CcxtOrder, child: CcxtOrder) -> CcxtOrder:
        """Return what a stop became, as the book took it in: a part may have been a stranger's."""
        known = held.ended_orders.get(str(stop["id"]))
        if known is not None and known.get("status_stop") == "triggered":
            return known
        return as_booked(stop, own_part(held, child))
