"""Which connections to the exchange are used when nothing is to be sent, so that they stay open."""

from time import monotonic

#: Connections that are kept open while a stop has to follow the fill of an entry. To open one takes
#: two round trips more, and with several pairs at work at once it would be the stop that has to.
CONNECTIONS = ("open line 1", "open line 2", "open line 3")
#: Seconds between two uses of a connection: servers close what is idle for 5 s and more.
_USED_EVERY_S = 4.0
#: The same where nothing is held and nothing waits: the clock is read that way now and then.
_IDLE_S = 300.0


class KeepAlive:
    """Says which connections are due: several, one, or none, as what is sent next may be urgent."""

    def __init__(self) -> None:
        self._at = 0.0

    def due(self, *, is_waiting: bool, is_protecting: bool) -> tuple[tuple[str, ...], float]:
        """Return the connections to use now, and the seconds one must have been idle for that.

        Args:
            is_waiting: Whether a stop has to follow the fill of an entry.
            is_protecting: Whether something is held. What is asked for that keeps a connection open
                as well.
        """
        if not is_waiting:
            return CONNECTIONS[:1], _USED_EVERY_S if is_protecting else _IDLE_S
        now = monotonic()
        if now < self._at:
            return (), 0.0
        self._at = now + _USED_EVERY_S
        return CONNECTIONS, 0.0  # all at once, or one connection would do for them
