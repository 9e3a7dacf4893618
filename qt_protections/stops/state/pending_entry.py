"""An entry the guard let out, until a trade of Freqtrade's has booked how the entry ended."""

import threading
from dataclasses import dataclass, field
from time import monotonic

from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.rules.entries import EntryRequest
from qt_protections.stops.state.phases import EntryEvent, EntryPhase, advance_entry
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
        phase: How far it has come.
        at_ms: When the exchange took it, epoch milliseconds by its clock; 0 while unknown.
        thread: The thread that will put it on record; None once its answer was lost.
        sent: When, on this process's monotonic clock.
    """

    entry: EntryRequest
    client_id: str
    stop_first: bool
    order_id: str = ""
    filled: float = 0.0
    closed: float = 0.0
    phase: EntryPhase = EntryPhase.SENT
    at_ms: int = 0
    thread: int | None = field(default_factory=threading.get_ident)
    sent: float = field(default_factory=monotonic)

    @property
    def age_s(self) -> float:
        """Seconds since it was sent."""
        return monotonic() - self.sent

    @property
    def is_lost(self) -> bool:
        """Whether its answer was lost, and nothing has been heard of it since."""
        return self.phase is EntryPhase.LOST

    @property
    def is_final(self) -> bool:
        """Whether it can fill no further."""
        return self.phase is EntryPhase.FINAL

    @property
    def required_cover(self) -> float:
        """What the entry adds to the size its pair's stop has to cover.

        From its first contract on that is all it may still become: stops that followed it fill by
        fill would always be late, and a reduce-only stop takes no more than there is.
        """
        if self.is_final or not (self.stop_first or self.unbooked > 0):
            return self.unbooked
        return subtract_exact(self.entry.amount, self.closed)

    @property
    def is_void(self) -> bool:
        """Whether it ended without a fill, by the exchange's own word."""
        return self.is_final and not self.filled

    @property
    def unbooked(self) -> float:
        """What it filled and nothing has closed yet."""
        return subtract_exact(self.filled, self.closed)

    def learn(self, order: CcxtOrder) -> bool:
        """Take in what the exchange says of it, and return whether it filled more, or ended."""
        self.at_ms = self.at_ms or int(order.get("timestamp") or 0)
        is_over = order.get("status") not in (None, "open")
        return self.hear(str(order["id"]), float(order.get("filled") or 0.0), is_over=is_over)

    def hear(self, order_id: str, filled: float, *, is_over: bool) -> bool:
        """Take in what was told of the entry, and return whether it filled more, or ended.

        Args:
            order_id: The exchange's.
            filled: Base currency. What is told late may tell of less than is known.
            is_over: Whether the exchange told that it can fill no further.
        """
        before = self.filled, self.is_final
        self.order_id = order_id
        self.filled = max(self.filled, filled)
        event = EntryEvent.ENDED if is_over else EntryEvent.OPEN
        self.phase = advance_entry(self.phase, event)
        return (self.filled, self.is_final) != before

    def lose_answer(self) -> None:
        """Note that whoever sent the entry waits for its answer no longer.

        Freqtrade forgets the entry, so the bot's loop has to find out what became of it.
        """
        self.phase = advance_entry(self.phase, EntryEvent.NO_ANSWER)
        self.thread, self.sent = None, monotonic()

    def close(self, amount: float) -> float:
        """Take a close off what is left, and return how much of it there was.

        What is told of the fill later must not bring back what was closed.
        """
        taken = min(amount, self.unbooked)
        if taken > 0:
            self.closed = sum_exact(self.closed, taken)
            self.stop_first = False
        return taken
