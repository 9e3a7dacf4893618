"""The guard's own connection: whose clock it signs by, and which of its roads is silent."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest
import time_machine
from freqtrade.resolvers import ExchangeResolver

from qt_protections.stops.venue.binance.connection import Connection
from qt_protections.stops.venue.protocol import RequestError, Road
from tests.stops.answers import TIME, Answer, Answers
from tests.stops.offline import offline_config

PAGE = "<html>Request blocked</html>"
TOO_MANY = '{"code":-1003,"msg":"Too many requests."}'
UNTIMELY = '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}'
STOP, ORDER, ACCOUNT = "/fapi/v1/algoOrder", "/fapi/v1/order", "/fapi/v1/ping"
ASK: dict[Road, Callable[[ccxt.Exchange], Any]] = {
    Road.STOPS: lambda api: api.fapiPrivatePostAlgoOrder(),
    Road.ORDERS: lambda api: api.fapiPrivatePostOrder(),
    Road.ACCOUNT: lambda api: api.fapiPublicGetPing(),
}


@pytest.fixture
def answers() -> Iterator[Answers]:
    """An exchange whose clock is right."""
    with Answers() as opened:
        yield opened


def ask(connection: Connection, road: Road = Road.STOPS) -> RequestError | None:
    """Ask a service; return how that failed."""
    try:
        connection.ask(road, ASK[road])
    except RequestError as error:
        return error
    return None


#: A reading of the clock may be off by half of what it took, at most half the time-out.
def about(seconds: float) -> Any:
    """Return what equals so many seconds, however busy the machine is."""
    return pytest.approx(seconds, abs=0.8)


class HandClock:
    """A monotonic clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> HandClock:
    """A clock for silences."""
    return HandClock()


def told_s(connection: Connection) -> float:
    """Return the time requests are signed with, epoch seconds."""
    return float(connection.api().nonce() / 1000)


# -- one window ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sent", "within_s"),
    [
        ({}, 10_000, 11.0),
        ({"recvWindow": 60_000}, 60_000, 61.0),
        ({"recvWindow": "20000"}, "20000", 21.0),
        ({"recvWindow": None}, None, 6.0),
    ],
)
def test_the_window_is_freqtrades(
    answers: Answers, options: dict[str, Any], sent: object, within_s: float
) -> None:
    """So the guard is taken whenever Freqtrade is; without one, Binance's own 5 s count."""
    theirs = answers.exchange(**options)
    connection = Connection(theirs)
    assert connection.api().options["recvWindow"] == sent
    assert connection.arrives_within_s == within_s


def window(ms: int | str | None, *path: str) -> dict[str, Any]:
    """Return settings with a window at a place below `exchange`."""
    found: dict[str, Any] = {"recvWindow": ms}
    for key in reversed(path):
        found = {key: found}
    return found


@pytest.mark.parametrize(
    ("settings", "within_s"),
    [
        ({}, 11.0),
        (window(60_000, "ccxt_config", "options"), 61.0),
        (window("30000", "ccxt_config", "options"), 31.0),
        (window(3_000, "ccxt_config", "options"), 4.0),
        (window(None, "ccxt_config", "options"), 6.0),
        (window(60_000, "ccxt_sync_config", "options"), 61.0),
        (window(60_000, "ccxt_config"), 61.0),
        (window(60_000, "ccxt_sync_config"), 61.0),
        # ccxt sends 10 s all the same.
        (window(3_000, "ccxt_config"), 11.0),
        # Orders go out by the other client.
        (window(60_000, "ccxt_async_config", "options"), 11.0),
        (window(60_000, "ccxt_async_config"), 11.0),
    ],
    ids=str,
)
def test_a_lost_entry_is_waited_for_as_long_as_the_users_settings_let_it_arrive(
    tmp_path: Path, answers: Answers, settings: dict[str, Any], within_s: float
) -> None:
    """Wherever in Freqtrade's configuration they state the window, for either client."""
    config = offline_config(tmp_path, "binance", "futures")
    config["exchange"] |= settings
    theirs = ExchangeResolver.load_exchange(config, validate=False)._api
    theirs.urls = answers.exchange().urls
    assert Connection(theirs).arrives_within_s == within_s


# -- the clock -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead_s", [-3600.0, -20.0, -7.0, 0.0, 7.0, 20.0])
def test_requests_are_signed_by_the_exchanges_clock(ahead_s: float) -> None:
    """Freqtrade's as well, from half a second on."""
    with Answers(ahead_s) as answers:
        theirs = answers.exchange()
        connection = Connection(theirs)
        assert told_s(connection) == about(answers.now_s())
        assert connection.skew_s == about(-ahead_s)
        corrected = ahead_s if abs(ahead_s) > 0.5 else 0.0
        assert theirs.nonce() / 1000 - time.time() == about(corrected)


def test_a_user_who_has_ccxt_adjust_keeps_that() -> None:
    """The guard's own requests go by its own measurement all the same."""
    with Answers(7.0) as answers:
        theirs = answers.exchange(adjustForTimeDifference=True, timeDifference=123)
        connection = Connection(theirs)
        assert theirs.options["timeDifference"] == 123
        assert told_s(connection) == about(answers.now_s())


def test_a_difference_that_freqtrade_makes_up_for_already_is_left_alone() -> None:
    """The user may have stated one."""
    with Answers(7.0) as answers:
        theirs = answers.exchange(timeDifference=-6900)
        Connection(theirs)
        assert theirs.options["timeDifference"] == -6900


def test_the_correction_survives_reloaded_markets() -> None:
    """With them come Freqtrade's options, as a new window, but not another clock."""
    with Answers(7.0) as answers:
        theirs = answers.exchange()
        connection = Connection(theirs)
        theirs.options = {**theirs.options, "timeDifference": 0, "recvWindow": 30_000}
        for name in ("markets", "markets_by_id", "currencies", "currencies_by_id"):
            setattr(theirs, name, {})
        assert told_s(connection) == about(answers.now_s())
        assert connection.api().markets is theirs.markets
        assert connection.arrives_within_s == 31.0
        assert theirs.options["timeDifference"] / 1000 == about(-7)


@pytest.mark.parametrize(
    "code",
    ["-1021", "-5028"],
)
def test_a_refusal_for_the_clock_has_it_read_at_once(answers: Answers, code: str) -> None:
    """So the next request is taken."""
    connection = Connection(answers.exchange())
    connection._clock._tried -= 1  # the start is a while ago
    answers.ahead_s = 20.0
    answers.by_path[STOP] = Answer(400, UNTIMELY.replace("-1021", code))
    assert ask(connection) is not None
    assert told_s(connection) == about(answers.now_s())


@pytest.mark.parametrize("step_s", [-3600.0, -20.0, 20.0, 3600.0])
def test_a_clock_that_is_set_is_noticed_before_the_next_request(
    answers: Answers, step_s: float
) -> None:
    """No request has to be refused first; and set back, Freqtrade's is as well."""
    theirs = answers.exchange()
    connection = Connection(theirs)
    with time_machine.travel(time.time() + step_s, tick=True):
        assert ask(connection) is None
        assert told_s(connection) == about(answers.now_s())
        assert theirs.nonce() / 1000 == about(answers.now_s())
        assert connection.skew_s == about(step_s)
    assert ask(connection) is None
    assert told_s(connection) == about(answers.now_s())
    assert theirs.options["timeDifference"] / 1000 == about(0)


def test_an_exchange_that_does_not_tell_the_time_holds_up_nothing(
    answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    """The difference is unknown, which is said once; the next ping asks again."""
    answers.by_path[TIME] = Answer(500, PAGE)
    connection = Connection(answers.exchange(timeDifference=5))
    assert ask(connection) is None
    assert (connection.skew_s, connection.api().options["timeDifference"]) == (0.0, 5)
    assert connection.is_clock_due
    connection._clock._tried -= 1
    connection.tend_clock()
    assert caplog.text.count("Could not read the exchange's clock") == 1
    del answers.by_path[TIME]
    connection._clock._tried -= 1
    connection.tend_clock()
    assert not connection.is_clock_due


# -- roads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("road", Road)
@pytest.mark.parametrize(
    "answer",
    [
        Answer(403, PAGE),
        Answer(418, PAGE),
        Answer(429, PAGE),
        Answer(429, TOO_MANY),
        Answer(400, TOO_MANY),
        Answer(429, PAGE, {"Retry-After": "17"}),
        Answer(418, TOO_MANY, {"Retry-After": "17"}),
        Answer(403, PAGE, {"Retry-After": "17"}),
    ],
    ids=lambda answer: f"{answer.status}-{answer.body[:5]}-{answer.headers.get('Retry-After')}",
)
def test_a_silence_is_of_one_service(
    answers: Answers, hand: HandClock, road: Road, answer: Answer
) -> None:
    """With the body of an exchange or the page of a firewall, for as long as is asked for."""
    connection = Connection(answers.exchange(), monotonic=hand)
    path = {Road.STOPS: STOP, Road.ORDERS: ORDER, Road.ACCOUNT: ACCOUNT}[road]
    answers.by_path[path] = answer
    failed = ask(connection, road)
    assert failed is not None
    assert failed.wants_silence
    assert connection.shut_s(road) == float(answer.headers.get("Retry-After", 1))
    again = ask(connection, road)
    assert again is not None
    assert "nothing is sent for" in str(again)
    assert answers.asked[path] == 1
    for other in set(Road) - {road}:
        assert connection.shut_s(other) == 0
        assert ask(connection, other) is None
    hand.now += connection.shut_s(road)
    assert ask(connection, road) is not None
    assert answers.asked[path] == 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, '{"code":-1015,"msg":"Too many new orders; current limit is 300 orders per"}'),
        Answer(503, '{"code":-1008,"msg":"Server is currently overloaded."}'),
        Answer(400, '{"code":-2022,"msg":"ReduceOnly Order is rejected."}'),
        Answer(403, '{"code":-4192,"msg":"Trade forbidden due to Cooling-off Period."}'),
        Answer(500, PAGE),
    ],
    ids=["too-many-orders", "throttled", "refused", "forbidden", "error"],
)
def test_no_other_answer_holds_up_the_next_request(answers: Answers, answer: Answer) -> None:
    """Least of all a close: too many new orders are a matter of orders, not of the address."""
    connection = Connection(answers.exchange())
    answers.by_path[ORDER] = answer
    failed = ask(connection, Road.ORDERS)
    assert failed is not None
    assert not failed.wants_silence
    assert connection.shut_s(Road.ORDERS) == 0


def test_answers_that_name_no_time_are_waited_out_ever_longer(
    answers: Answers, hand: HandClock
) -> None:
    """A firewall that goes on gets few requests; one good answer, and it begins anew."""
    connection = Connection(answers.exchange(), monotonic=hand)
    answers.by_path[STOP] = Answer(403, PAGE)
    waits = []
    for _ in range(7):
        ask(connection)
        waits.append(connection.shut_s(Road.STOPS))
        hand.now += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    del answers.by_path[STOP]
    assert ask(connection) is None
    answers.by_path[STOP] = Answer(403, PAGE)
    ask(connection)
    assert connection.shut_s(Road.STOPS) == 1


@pytest.mark.parametrize("ahead_s", [-20.0, 0.0, 20.0])
def test_the_end_of_a_ban_is_by_the_exchanges_clock(ahead_s: float) -> None:
    """Which another than this machine's may be."""
    with Answers(ahead_s) as answers:
        connection = Connection(answers.exchange())
        until_ms = round((answers.now_s() + 90) * 1000)
        banned = f'{{"code":-1003,"msg":"Way too many requests; IP banned until {until_ms}."}}'
        answers.by_path[ORDER] = Answer(418, banned)
        ask(connection, Road.ORDERS)
        assert connection.shut_s(Road.ORDERS) == about(90)


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_clock_that_is_set_changes_no_silence(
    answers: Answers, hand: HandClock, step_s: float
) -> None:
    """Neither an hour more nor none at all."""
    connection = Connection(answers.exchange(), monotonic=hand)
    answers.by_path[STOP] = Answer(429, TOO_MANY, {"Retry-After": "17"})
    ask(connection)
    with time_machine.travel(time.time() + step_s, tick=True):
        assert connection.shut_s(Road.STOPS) == 17


def test_a_ban_of_the_address_costs_each_road_one_request(answers: Answers) -> None:
    """Each learns by its own answer."""
    connection = Connection(answers.exchange())
    for path in (STOP, ORDER, ACCOUNT):
        answers.by_path[path] = Answer(418, TOO_MANY, {"Retry-After": "120"})
    for _ in range(5):
        for road in Road:
            ask(connection, road)
    assert [answers.asked[path] for path in (STOP, ORDER, ACCOUNT)] == [1, 1, 1]
