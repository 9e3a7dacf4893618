"""What whoever forces an entry is told, and what a log makes of it."""

import requests

from qt_protections.errors import EntryFailed, EntryRefused, gate_failed
from qt_protections.rules.verdict import DenyCode, deny


def test_an_error_can_be_printed() -> None:
    """Freqtrade's RPCException holds itself among its arguments, and its repr never ends."""
    failed = EntryFailed("the answer was <html> & lost")
    assert str(failed) == "the answer was \u2039html\u203a + lost"
    assert repr(failed) == f"EntryFailed({str(failed)!r})"
    refused = EntryRefused("BTC/USDT:USDT", deny(DenyCode.TRADE_CLOSED))
    assert "trade_closed" in repr(refused)


def test_what_could_not_be_judged_names_no_address() -> None:
    """It may go to a chat, and a signed request has the account's signature in its address."""
    url = "https://fapi.example.com/fapi/v1/leverage?timestamp=1&signature=abcdef"
    denial = gate_failed("the sizing", requests.ConnectTimeout(f"binance POST {url}"))
    assert denial.text == (
        "the sizing failed, so the entry is refused (ConnectTimeout('binance POST (address)'))"
    )
