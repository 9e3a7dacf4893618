"""An entry the guard let out, until a trade of Freqtrade's has booked how the entry ended."""

import threading
from dataclasses import dataclass, field
from time import monotonic

from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.rules.entries import EntryRequest
from qt_protections.stops.venue.protocol import CcxtOrder


@dataclass(slots=True)
class PendingEntry:
    """An entry the guard let out, until a trade of Freqtrade's has booked its end.

    Attributes:
        entry: What was asked for.
        client_id: Its name on the exchange.
        stop_first: Whether its stop stands before it fills.
        order_id: The exchange's id; empty until its answer is known.
        filled: Base currency, as far as known.
        closed: What a stop or a close took off that again, before a trade booked it.
        final: Whether it can fill no further.
        lost: Whether its answer was lost, and asking has not settled it yet.
        at_ms: When the exchange took it, epoch milliseconds by its clock; 0 while unknown.
        thread: Who sent it.
        sent: When, on this process's monotonic clock.
    """

    entry: EntryRequest
    client_id: str
    stop_first: bool
    order_id: str = ""
    filled: float = 0.0
    closed: float = 0.0
    final: bool = False
    lost: bool = False
    at_ms: int = 0
    thread: int = field(default_factory=threading.get_ident)
    sent: float = field(default_factory=monotonic)

    @property
    def age_s(self) -> float:
        """Seconds since it was sent."""
        return monotonic() - self.sent

    @property
    def required_cover(self) -> float:
        """What the entry adds to the size its pair's stop has to cover.

        From its first contract on that is all it may still become: stops that followed it fill by
        fill would always be late, and a reduce-only stop takes no more than there is.
        """
        if self.final or not (self.stop_first or self.unbooked > 0):
            return self.unbooked
        return subtract_exact(self.entry.amount, self.closed)

    @property
    def is_void(self) -> bool:
        """Whether it ended without a fill, by the exchange's own word."""
        return self.final and not self.filled

    @property
    def unbooked(self) -> float:
        """What it filled and nothing has closed yet."""
        return subtract_exact(self.filled, self.closed)

    def learn(self, order: CcxtOrder) -> bool:
        """Take in what the exchange says of it, and return whether it filled more, or ended."""
        before = self.filled, self.final
        self.order_id = str(order["id"])
        self.filled = max(self.filled, float(order.get("filled") or 0.0))
        self.final = self.final or order.get("status") not in (None, "open")
        self.lost = False
        self.at_ms = self.at_ms or int(order.get("timestamp") or 0)
        return (self.filled, self.final) != before

    def close(self, amount: float) -> float:
        """Take a close off what is left, and return how much of it there was.

        What is told of the fill later must not bring back what was closed.
        """
        taken = min(amount, self.unbooked)
        if taken > 0:
            self.closed = sum_exact(self.closed, taken)
            self.stop_first = False
        return taken
