"""What an exchange pushes of orders, as the monitor sees it."""

from collections.abc import Callable
from typing import Protocol

from qt_protections.stops.threads.supervised import Supervised
from qt_protections.stops.venue.binance.order_events import OrderEvent


class EventStream(Protocol):
    """A user data stream, on a thread of its own.

    Attributes:
        thread: The thread, which calls back.
    """

    thread: Supervised

    @property
    def up(self) -> bool:
        """Whether a connection is open, and the thread moves."""

    def start(self) -> None:
        """Begin to listen."""

    def stop(self) -> None:
        """End, after what is being done."""

    def renew(self, why: str) -> None:
        """Open another connection, and say why."""


#: Makes a stream that hands over each event, and True or False as a connection opens or is lost.
MakeStream = Callable[[Callable[[OrderEvent], None], Callable[[bool], None]], EventStream]
