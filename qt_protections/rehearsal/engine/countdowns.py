"""Countdowns after which the resting orders of a symbol are cancelled, unless set again."""

from qt_protections.rehearsal.engine.desk import Desk


class Countdowns:
    """A dead man's switch for each symbol (Binance: `countdownCancelAll`)."""

    def __init__(self, desk: Desk) -> None:
        """Cancel the orders of `desk`."""
        self._desk = desk
        self._ends_ms: dict[str, int] = {}

    def set(self, symbol: str, countdown_ms: int) -> None:
        """Cancel the orders of `symbol` in so many milliseconds; 0 stops the countdown."""
        if countdown_ms:
            self._ends_ms[symbol] = self._desk.journal.now_ms + countdown_ms
        else:
            self._ends_ms.pop(symbol, None)

    def run_due(self) -> None:
        """Cancel the orders whose countdown is over."""
        now_ms = self._desk.journal.now_ms
        for symbol in [name for name, ms in self._ends_ms.items() if ms <= now_ms]:
            del self._ends_ms[symbol]
            self._desk.cancel_all(symbol)
