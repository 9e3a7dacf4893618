"""What a failed request says of its execution, by what really comes over the wire."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import ccxt
import pytest
from freqtrade.exceptions import (
    FreqtradeException,
    InvalidOrderException,
    OperationalException,
    TemporaryError,
)

from qt_protections.rehearsal.errors import MESSAGES, VenueError
from qt_protections.rehearsal.faults.answers import UNKNOWN_OUTCOME, GatewayError, NoAnswerError
from qt_protections.stops.venue.binance.orders import BinanceVenue
from qt_protections.stops.venue.failures import classify
from qt_protections.stops.venue.protocol import Outcome, RequestError, StopOrder
from tests.integration.rig import BTC
from tests.patience import PATIENCE_S, until
from tests.stops.venues import Scene

PATIENCE_MS = round(PATIENCE_S * 1000)
UNKNOWN, NOT_EXECUTED, REFUSED = Outcome.UNKNOWN, Outcome.NOT_EXECUTED, Outcome.REFUSED
#: Codes that say something else than no, and how they come.
TOLD = {
    -1000: (VenueError(-1000, UNKNOWN_OUTCOME, 503), UNKNOWN),
    -1001: (VenueError(-1001, "Internal error; unable to process your request.", 503), UNKNOWN),
    -1003: (VenueError(-1003, http_status=429), NOT_EXECUTED),
    -1006: (VenueError(-1006, "An unexpected response was received.", 400), UNKNOWN),
    -1007: (VenueError(-1007, http_status=408), UNKNOWN),
    -1008: (VenueError(-1008, http_status=503), NOT_EXECUTED),
    -1015: (VenueError(-1015, "Too many new orders.", 429), NOT_EXECUTED),
    -1021: (VenueError(-1021), NOT_EXECUTED),
    -5028: (VenueError(-5028, "Timestamp is outside of the ME recvWindow."), NOT_EXECUTED),
}
#: A plain no, also in the words ccxt has a class for, whose errors do not hold the number.
NO = {code: VenueError(code) for code in MESSAGES if code not in TOLD} | {
    -2010: VenueError(-2010, "Account has insufficient balance for requested action."),
    -2021: VenueError(-2021, "Order would trigger immediately."),
    -4129: VenueError(-4129, "Time in Force (TIF) GTE can only be used with open positions."),
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One exchange for the whole table."""
    with Scene(tmp_path_factory.mktemp("failures")) as opened:
        yield opened


@pytest.fixture
def line(scene: Scene) -> BinanceVenue:
    """A line that waits as long as a test may; each its own, as one that was told to is quiet."""
    return BinanceVenue(scene.exchange, {}, timeout_ms=PATIENCE_MS)


def failed(line: BinanceVenue, name: str = "qt-S") -> RequestError:
    """Send a stop that fails, and return how."""
    with pytest.raises(RequestError) as failure:
        line.place_stop(StopOrder(BTC, False, 0.01, 80_000, 1), name)
    return failure.value


@pytest.mark.parametrize(
    ("code", "refusal", "outcome"),
    [(code, refusal, outcome) for code, (refusal, outcome) in TOLD.items()]
    + [(code, refusal, REFUSED) for code, refusal in NO.items()],
    ids=[str(code) for code in [*TOLD, *NO]],
)
def test_a_code_is_read_by_its_number(
    scene: Scene, line: BinanceVenue, code: int, refusal: VenueError, outcome: Outcome
) -> None:
    """Whether ccxt knows it or not, and whichever class it makes of it."""
    scene.venue.before.append(refusal)
    error = failed(line)
    assert (error.code, error.outcome) == (code, outcome)
    assert str(error) == f"{code}: {refusal.msg}"
    # By another line: after -1003 this one is quiet for a while.
    other = BinanceVenue(scene.exchange, {}, timeout_ms=PATIENCE_MS)
    assert other.find_stop(BTC, client_id="qt-S") is None


@pytest.mark.parametrize("code", NO)
def test_freqtrades_errors_tell_the_same(scene: Scene, code: int) -> None:
    """Freqtrade wraps what ccxt raised; the number is found inside."""
    scene.venue.before.append(NO[code])
    with pytest.raises(FreqtradeException) as wrapped:
        scene.exchange.create_order(
            pair=BTC, ordertype="market", side="buy", amount=0.01, rate=1.0, leverage=1.0
        )
    error = classify(wrapped.value)
    assert (error.code, error.outcome, str(error)) == (code, REFUSED, f"{code}: {NO[code].msg}")


@pytest.mark.parametrize(
    ("name", "mood", "said"),
    [
        ("502", GatewayError(502), "HTTP 502 Bad Gateway"),
        ("504", GatewayError(504), "HTTP 504 Gateway Timeout"),
        ("drop", NoAnswerError(0), "connection lost (ConnectionError)"),
    ],
    ids=["502", "504", "drop"],
)
def test_a_lost_answer_is_unknown_and_settled_by_name(
    scene: Scene, line: BinanceVenue, name: str, mood: Exception, said: str
) -> None:
    """The order is asked for by the name it was given, whether it was executed or not."""
    scene.venue.before.append(mood)
    error = failed(line, name)
    assert (str(error), error.outcome, error.code) == (said, UNKNOWN, None)
    assert line.find_stop(BTC, client_id=name) is None
    scene.venue.after.append(mood)
    assert failed(line, name).outcome is UNKNOWN
    found = line.find_stop(BTC, client_id=name)
    assert found is not None
    assert found["status"] == "open"
    assert failed(line, name).code == -4116


def test_a_request_that_hangs_is_given_up(scene: Scene, line: BinanceVenue) -> None:
    """At the line's own time-out, not at the server's end of patience."""
    hasty = BinanceVenue(scene.exchange, {}, timeout_ms=PATIENCE_MS)
    hasty.price(BTC)  # opens the connection, which may take its time
    hasty._connection._own.timeout = 300
    scene.venue.after.append(NoAnswerError(60.0))
    error = failed(hasty, "qt-H")
    assert (str(error), error.outcome) == ("no answer in time (ReadTimeout)", UNKNOWN)
    until(lambda: line.find_stop(BTC, client_id="qt-H"))


@pytest.mark.parametrize(
    ("status", "body", "said", "outcome"),
    [
        (503, '{"msg":"Service Unavailable."}', "Service Unavailable.", NOT_EXECUTED),
        (503, "<h1>Service Temporarily Unavailable</h1>", "HTTP 503 Service Unavailable", UNKNOWN),
        (401, "", "HTTP 401 Unauthorized", REFUSED),
        (403, "<h1>no</h1>", "HTTP 403 Forbidden", NOT_EXECUTED),
        (408, "", "HTTP 408 Request Timeout", UNKNOWN),
        (418, "", "HTTP 418 I'm a Teapot", NOT_EXECUTED),
        (429, "<h1>no</h1>", "HTTP 429 Too Many Requests", NOT_EXECUTED),
        (500, "", "HTTP 500 Internal Server Error", UNKNOWN),
    ],
)
def test_a_page_is_judged_by_its_status(
    status: int, body: str, said: str, outcome: Outcome
) -> None:
    """What the firewall turns away was not executed; what a server failed at may have been."""
    with answering(status, body) as address:
        error = classify(raised_by(lambda: ccxt.binance().fetch(f"{address}?signature=s3", "POST")))
    assert (str(error), error.outcome, error.code) == (said, outcome, None)


def test_a_refused_connection_sent_nothing(tmp_path: Path) -> None:
    """So the order may go out again."""
    with Scene(tmp_path) as scene:
        line = BinanceVenue(scene.exchange, {})
    error = failed(line)
    assert (str(error), error.outcome) == ("no connection to the exchange", NOT_EXECUTED)


def test_a_connection_that_cannot_be_made_in_time_sent_nothing() -> None:
    """A listener that is full lets nobody in."""
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        api = ccxt.binance({"timeout": 200})
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        error = classify(raised_by(lambda: api.fetch(address, "POST")))
    assert (str(error), error.outcome) == ("no connection to the exchange", NOT_EXECUTED)


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (ccxt.InvalidOrder("amount must be greater than minimum"), REFUSED),
        (ccxt.ExchangeError('okx {"code":"51000","msg":"Parameter error"}'), REFUSED),
        (ccxt.RateLimitExceeded("bybit 10006"), NOT_EXECUTED),
        (ccxt.InvalidNonce("kraken"), NOT_EXECUTED),
        (ccxt.NullResponse("binance parseOrder() returned empty response"), UNKNOWN),
        (ccxt.ExchangeNotAvailable("okx 50001"), UNKNOWN),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_ccxt_says_by_itself_is_judged_by_its_class(
    raised: ccxt.BaseError, outcome: Outcome
) -> None:
    """Before it sends, and on exchanges that refuse with HTTP 200."""
    wrapped = TemporaryError("Could not place")
    wrapped.__cause__ = raised
    for error in (classify(raised), classify(wrapped)):
        assert (str(error), error.outcome, error.code) == (str(raised), outcome, None)


def test_an_error_in_a_good_answer_keeps_its_number() -> None:
    """Binance may refuse with HTTP 200 as well."""
    error = classify(ccxt.ExchangeError('binance {"code":-2013,"msg":"Order does not exist."}'))
    assert (error.code, error.outcome) == (-2013, REFUSED)


@pytest.mark.parametrize("kind", [InvalidOrderException, OperationalException])
def test_freqtrade_alone_refuses(kind: type[FreqtradeException]) -> None:
    """It raised before it sent anything."""
    error = classify(kind("no such dry-run order"))
    assert (str(error), error.outcome) == ("no such dry-run order", REFUSED)


def test_any_other_error_may_come_after_the_sending() -> None:
    """As when an answer cannot be read."""
    error = classify(KeyError("orderId"))
    assert (str(error), error.outcome) == ("KeyError: 'orderId'", UNKNOWN)
    assert classify(error) is error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(f"POST https://fapi.example.com/fapi/v1/order?x=1&signature={'f0' * 32}"),
        ccxt.ExchangeError(f"binance url: /fapi/v1/order?x=1&signature={'f0' * 32}"),
        OperationalException(f"Could not send /fapi/v1/order?x=1&signature={'f0' * 32}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_text_holds_a_signature(error: Exception) -> None:
    """Whoever raised the error: the text may go to a chat."""
    text = str(classify(error))
    assert text.endswith("/fapi/v1/order?(withheld)")
    assert "f0" not in text


def raised_by(call: Callable[[], object]) -> ccxt.BaseError:
    """Return what a call raises."""
    with pytest.raises(ccxt.BaseError) as raised:
        call()
    return raised.value


@contextlib.contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """Serve one answer to everything, and yield the address."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/fapi/v1/order"
        server.shutdown()
        thread.join()
