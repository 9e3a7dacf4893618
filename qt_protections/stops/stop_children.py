"""What stops became: the orders that they sent when they triggered, as the exchange tells."""

from collections.abc import Collection

from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.stop import StopStatus, child_id, stop_status
from qt_protections.stops.venue.protocol import CcxtOrder, Venue


class StopChildren:
    """Asks the exchange after stops that stand no more. Each stop costs one request.

    Every method raises `RequestError` if the exchange does not answer.
    """

    def __init__(self, venue: Venue) -> None:
        """Take the exchange."""
        self._venue = venue

    def children(self, pair: str, order_ids: Collection[str]) -> dict[str, str]:
        """Return the orders that stops of a pair became, and which stop each order was.

        Args:
            pair: Freqtrade's pair.
            order_ids: The stops.
        """
        found = {name: self._venue.find_stop(pair, order_id=name) for name in order_ids}
        told = [(name, stop) for name, stop in found.items() if stop is not None]
        return {child: name for name, stop in told if (child := child_id(stop))}

    def unknown_until_ms(self, held: PairState) -> int:
        """Return until when an order may be what a booked stop became, epoch milliseconds.

        A stop is on record by its own id. A stop that the exchange has forgotten hides which order
        the stop became, so nothing that filled before can be told apart.
        """
        unknown = [name for name, at_ms in held.ledger.booked_stops.items() if at_ms]
        for child, order_id in self.children(held.pair, unknown).items():
            held.ledger.became(order_id, child)
        return max(held.ledger.booked_stops.values(), default=0)

    def is_any_untold(self, pair: str, order_ids: Collection[str]) -> bool:
        """Whether nobody tells what one of these stops became."""
        return any(
            _is_untold(self._venue.find_stop(pair, order_id=order_id)) for order_id in order_ids
        )


def _is_untold(stop: CcxtOrder | None) -> bool:
    return stop is None or (stop_status(stop) is StopStatus.TRIGGERED and not child_id(stop))
