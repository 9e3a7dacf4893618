"""How often the bot's loop comes round, and whether it still does."""

from time import monotonic

from qt_protections.rules.look_interval import LONGEST_S
from qt_protections.stops.threads.supervised import Trouble

#: Seconds without a loop of the bot's after which that is said. Candles of many pairs take a while.
LOOP_S = 60.0


class BotLoop:
    """What is known of the bot's loop. Any thread may read it."""

    def __init__(self, missing_after_s: float = LOOP_S) -> None:
        """Begin as if a loop had just come.

        Args:
            missing_after_s: Seconds without a loop after which that is said.
        """
        self._missing_after_s = missing_after_s
        self._at = monotonic()
        self._every_s = LONGEST_S
        self._trouble = Trouble("The bot's loop")

    def came(self) -> None:
        """Note that the loop has come round."""
        now = monotonic()
        self._every_s, self._at = now - self._at, now

    @property
    def missing_s(self) -> float:
        """Seconds since the loop came round."""
        return monotonic() - self._at

    @property
    def every_s(self) -> float:
        """Seconds from one loop to the next, as of the last ones; more while the next is late."""
        return max(self._every_s, self.missing_s)

    def check(self, *, is_needed: bool) -> None:
        """Say once that the loop is missing, if there is something to protect."""
        missing_s = self.missing_s
        self._trouble.note(
            f"has not come round for {missing_s:.0f} s: the bot is stopped, or it hangs. Stops are "
            "looked after meanwhile, exits are not"
            if missing_s > self._missing_after_s and is_needed
            else None
        )
