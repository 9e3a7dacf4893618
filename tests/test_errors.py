"""What whoever forces an entry is told, and what a log makes of it."""

import logging
from pathlib import Path

import ccxt
import pytest
import requests
from freqtrade.exceptions import TemporaryError
from freqtrade.loggers.json_formatter import JsonFormatter

import qt_protections
from qt_protections.errors import (
    EntryFailed,
    EntryRefused,
    gate_failed,
    withhold_secrets,
    without_secrets,
)
from qt_protections.rules.denial import DenyCode, deny


def test_an_error_can_be_printed() -> None:
    """Freqtrade's RPCException holds itself among its arguments, and its repr never ends."""
    failed = EntryFailed("the answer was <html> & lost")
    assert str(failed) == "the answer was \u2039html\u203a + lost"
    assert repr(failed) == f"EntryFailed({str(failed)!r})"
    refused = EntryRefused("BTC/USDT:USDT", deny(DenyCode.TRADE_CLOSED, ""))
    assert "trade_closed" in repr(refused)


KEY, SECRET, SIGNATURE, LISTEN_KEY = (mark * 32 for mark in ("Kk", "5s", "f0", "Lk"))
ASKED = f"symbol=BTCUSDT&timestamp=1&recvWindow=10000&signature={SIGNATURE}"
TEXTS = [
    f"binance POST https://fapi.example.com/fapi/v1/leverage?{ASKED}",
    f"HTTPSConnectionPool(host='fapi.example.com', port=443): Max retries exceeded with url: "
    f"/fapi/v1/order?{ASKED} (Caused by ReadTimeoutError('read timeout=1.5'))",
    f"Cannot connect to wss://fstream.example.com/private/ws/{LISTEN_KEY}",
    f"{{'X-MBX-APIKEY': '{KEY}', 'User-Agent': 'x'}} {{\"listenKey\": \"{LISTEN_KEY}\"}}",
    f"body: {ASKED}",
    f"apiKey={KEY} secret={SECRET}",
    f"could not connect to http://{KEY}:{SECRET}@proxy.example.com:3128/",
    f"OK-ACCESS-SIGN: {SECRET[:20]}, passphrase='{SECRET[:12]}'",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_keeps_what_it_says_and_no_secret(text: str) -> None:
    """Hosts, paths and reasons stay."""
    shown = without_secrets(text)
    for secret in (KEY, SECRET, SIGNATURE, LISTEN_KEY, SECRET[:12]):
        assert secret not in shown
    words = ("fapi.example.com", "order", "leverage", "ReadTimeoutError", "proxy.example.com")
    assert all(word in shown for word in words if word in text)
    assert without_secrets(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "-2021: Order would immediately trigger.",
        "[SHIELD] stop of position of BTCUSDT: -1003: again",
        "What is the key? The design: none. qt0000-SBTCUSDT-abcdefghijklmnopqr-1",
        "binance GET https://fapi.example.com/fapi/v1/time",
    ],
)
def test_an_innocent_text_stays_as_it_is(text: str) -> None:
    """Nobody should have to guess."""
    assert without_secrets(text) == text


def signed_request() -> None:
    """Fail as ccxt and Freqtrade do, one wrapping the other."""
    lost = ccxt.RequestTimeout(TEXTS[0])
    lost.__cause__ = requests.ConnectTimeout(TEXTS[1])
    raise TemporaryError(f"Could not set leverage. Message: {lost}") from lost


@pytest.mark.parametrize("formatter", [logging.Formatter(), JsonFormatter({"said": "message"})])
def test_a_log_holds_no_secret(
    caplog: pytest.LogCaptureFixture, formatter: logging.Formatter
) -> None:
    """Neither in a line nor in the traceback, which still says where and what."""
    logger = withhold_secrets(logging.getLogger("qt_protections.of_a_test"))
    try:
        signed_request()
    except TemporaryError as error:
        logger.exception("100 %% of %s failed: %s", "it", error)  # noqa: TRY401  as some may
    (record,) = caplog.records
    assert record.exc_info
    for shown in (caplog.text, formatter.format(record)):
        assert SIGNATURE not in shown
        assert "100 % of it failed: Could not set leverage" in shown
        assert "in signed_request" in shown
        assert "The above exception was the direct cause" in shown
        assert "/fapi/v1/order?(withheld)" in shown


def test_a_line_whose_arguments_do_not_fit_ends_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with any other logger."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    unfit: list[logging.LogRecord] = []
    caplog.handler.handleError = unfit.append  # type: ignore[method-assign]
    withhold_secrets(logging.getLogger("qt_protections.of_a_test")).warning("%d of it", "none")
    assert [record.msg for record in unfit] == ["%d of it"]


#: What logs no error of others: its own words, or an `OSError` of the file it writes.
OWN_WORDS = {
    "budget.py",
    "connection.py",
    "operator_log.py",
    "server_clock.py",
    "status_file.py",
    "trends.py",
}


def test_whatever_logs_errors_of_others_withholds_secrets() -> None:
    """Nobody has to think of it line by line."""
    package = Path(qt_protections.__file__).parent
    # The rehearsal exchange has no secrets of anybody's.
    paths = [path for path in package.rglob("*.py") if "rehearsal" not in path.parts]
    bare = {path.name for path in paths if "\nlogger = logging.getLogger" in path.read_text()}
    assert bare == OWN_WORDS


def test_what_could_not_be_judged_names_no_secret() -> None:
    """It may go to a chat."""
    denial = gate_failed("the sizing", requests.ConnectTimeout(TEXTS[0]))
    assert denial.text == (
        "the sizing failed, so the entry is refused (ConnectTimeout('binance POST "
        "https://fapi.example.com/fapi/v1/leverage?(withheld)'))"
    )
