"""What whoever forces an entry is told, and what a log makes of it."""

from qt_protections.errors import EntryFailed, EntryRefused
from qt_protections.rules.verdict import DenyCode, deny


def test_an_error_can_be_printed() -> None:
    """Freqtrade's RPCException holds itself among its arguments, and its repr never ends."""
    failed = EntryFailed("the answer was <html> & lost")
    assert str(failed) == "the answer was \u2039html\u203a + lost"
    assert repr(failed) == f"EntryFailed({str(failed)!r})"
    refused = EntryRefused("BTC/USDT:USDT", deny(DenyCode.TRADE_CLOSED))
    assert "trade_closed" in repr(refused)
