"""An order that reduced a position, until the trade of the position has booked that order."""

from dataclasses import dataclass

from freqtrade.enums import ExitType

from qt_protections.stops.state.stop import Stop
from qt_protections.stops.venue.protocol import CcxtOrder

#: Exit reasons of what the guard closed, or had the exchange close.
EMERGENCY = "emergency_exit"
TRAILED = "trailing_stop_on_exchange"
EXCHANGE_STOP = ExitType.STOPLOSS_ON_EXCHANGE.value
#: Ends the name of the part of an order that closed entries which no trade had booked.
OF_ENTRIES = "-entries"


@dataclass(frozen=True, slots=True)
class UnbookedFill:
    """An order that reduced a position and that its trade has yet to book.

    Attributes:
        order: As the exchange executed it.
        reason: Exit reason for the trade; empty for a stop, which Freqtrade names itself.
        stop: The stop it was the child of; None for a close at market.
        is_of_entries: Whether it closed nothing but what entries filled that no trade has booked.
    """

    order: CcxtOrder
    reason: str
    stop: Stop | None = None
    is_of_entries: bool = False

    @property
    def amount(self) -> float:
        """What it filled, base currency."""
        return float(self.order.get("filled") or 0.0)
