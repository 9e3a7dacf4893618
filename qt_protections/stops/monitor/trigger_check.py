"""Whether stops trigger where they should: a stop that does not protects nothing."""

from time import monotonic

from qt_protections.rules.quote import Quote
from qt_protections.stops.manager import StopManager
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.stop import Stop

#: How far beyond a trigger the order book must be, as a ratio of the trigger, for the stop to count
#: as one that does not trigger. The price that triggers it is another one than the best prices.
_BEYOND_RATIO = 0.001


class TriggerCheck:
    """Compares prices with the triggers of stops."""

    def __init__(self, manager: StopManager) -> None:
        """Take who closes what its stop does not."""
        self._manager = manager

    def ask(self, held: PairState) -> None:
        """Ask for the price of a pair with a stop, and see whether that should have triggered.

        Raises:
            RequestError: If the exchange does not answer.
        """
        if held.active_stop is not None:
            price = self._manager.venue.price(held.pair)
            self.check(held, Quote(price, price))

    def check(self, held: PairState, quote: Quote) -> None:
        """Close a position whose stop is listed, and does not trigger though the price is beyond.

        Args:
            held: The pair.
            quote: The best prices of its order book, or its price twice.

        Raises:
            RequestError: If the exchange does not answer.
        """
        with held.lock:
            stop, held.trouble.priced = held.active_stop, monotonic()
            if stop is None or held.own_required_stop is None or not _is_beyond(stop, quote):
                held.trouble.passed_since = None
                return
            now = monotonic()
            since = now if held.trouble.passed_since is None else held.trouble.passed_since
            held.trouble.passed_since = since
            if now - since < self._manager.naked_deadline_s:
                return
            price = self._manager.venue.price(held.pair)  # of the kind that triggers stops
            told = self._manager.outcomes.ask_after(held, stop)
            if told and held.active_stop is stop and _is_beyond(stop, Quote(price, price)):
                self._manager.does_not_fire(held)


def _is_beyond(stop: Stop, quote: Quote) -> bool:
    """Whether the whole order book is so far beyond a stop that the stop should have triggered."""
    if stop.is_short:
        return quote.bid > stop.trigger * (1 + _BEYOND_RATIO)
    return quote.ask < stop.trigger * (1 - _BEYOND_RATIO)
