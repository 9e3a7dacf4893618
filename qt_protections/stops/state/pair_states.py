"""Every pair the guard has something to do with."""

import threading
from collections.abc import Callable, Iterator
from math import inf

from qt_protections.stops.state.pair import PairState


class PairStates:
    """Every pair the guard has something to do with.

    Attributes:
        conditional_orders: How many live ones the account had when last asked, whoever sent them.
    """

    def __init__(self, largest: Callable[[str], float] = lambda _pair: inf) -> None:
        """Begin empty.

        Args:
            largest: Tells the most one order at market may be, base currency, by pair.
        """
        self.conditional_orders = 0
        self._largest = largest
        self._pairs: dict[str, PairState] = {}
        self._lock = threading.Lock()

    def of(self, pair: str) -> PairState:
        """Return what is known of a pair; nothing at first."""
        with self._lock:
            held = self._pairs.setdefault(pair, PairState(pair))
            held.largest = self._largest(pair)  # the exchange changes it now and then
            return held

    def __iter__(self) -> Iterator[PairState]:
        with self._lock:
            return iter(list(self._pairs.values()))
