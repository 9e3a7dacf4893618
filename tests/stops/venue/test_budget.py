"""What the exchange allows an address, and who may still send when little is left."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.retry_policy import Outcome, Refusal
from qt_protections.stops.venue.budget import WEIGHT_PER_MINUTE, Budget
from qt_protections.stops.venue.protocol import Rank, RequestError

WEIGHT, ORDERS_10_S, ORDERS_1_M = (
    "X-MBX-USED-WEIGHT-1M",
    "X-MBX-ORDER-COUNT-10S",
    "X-MBX-ORDER-COUNT-1M",
)
#: The exchange's clock at the begin of a minute, epoch seconds.
MINUTE = 1_800_000_000.0


class Clock:
    """The exchange's clock, moved by hand."""

    def __init__(self, now: float = MINUTE) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def spent(used: int, clock: Clock | None = None) -> Budget:
    """Return a budget of which so much weight was used in this minute."""
    budget = Budget(clock or Clock())
    budget.note({WEIGHT: str(used)})
    return budget


@pytest.mark.parametrize(
    ("used", "lowest"),
    [
        (0, Rank.COURTESY),
        (1199, Rank.COURTESY),
        (1200, Rank.COMPARE),
        (1599, Rank.COMPARE),
        (1600, Rank.ASK),
        (2159, Rank.ASK),
        (2160, Rank.MOVE),
        (2279, Rank.MOVE),
        (2280, Rank.PROTECT),
        (9999, Rank.PROTECT),
    ],
)
def test_each_rank_is_served_up_to_its_share(used: int, lowest: Rank) -> None:
    """Looking never touches the last third; what protects is never turned away."""
    budget = spent(used)
    assert [rank for rank in Rank if budget.has_room(rank)] == list(range(lowest + 1))


def test_a_new_minute_begins_with_nothing_used() -> None:
    """By the exchange's clock, not this machine's."""
    clock = Clock(MINUTE + 59.9)
    budget = spent(2390, clock)
    assert not budget.has_room(Rank.COMPARE)
    clock.now = MINUTE + 60.0
    assert budget.has_room(Rank.COURTESY)


def test_the_last_answer_counts() -> None:
    """The answer of a minute's end may be read in the next minute: the one after puts it right."""
    clock = Clock(MINUTE + 60.0)
    budget = spent(2390, clock)
    budget.note({WEIGHT: "12"})
    assert budget.has_room(Rank.COURTESY)


@pytest.mark.parametrize("headers", [None, {}, {"Date": "today"}, {WEIGHT: ""}, {WEIGHT: "much"}])
def test_answers_that_say_nothing_change_nothing(headers: dict[str, str] | None) -> None:
    """Those of other services, and of firewalls."""
    budget = spent(1700)
    budget.note(headers)
    assert not budget.has_room(Rank.COMPARE)


@pytest.mark.parametrize(("header", "count"), [(ORDERS_10_S, 285), (ORDERS_1_M, 1140)])
def test_moves_leave_the_last_orders_to_what_protects(header: str, count: int) -> None:
    """Questions are no orders."""
    budget = Budget(Clock())
    budget.note({header.lower(): str(count - 1)})
    assert budget.has_room(Rank.MOVE)
    budget.note({header.lower(): str(count)})
    assert not budget.has_room(Rank.MOVE)
    assert budget.has_room(Rank.PROTECT)
    assert budget.has_room(Rank.COURTESY)


def test_a_limit_that_is_near_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """With what to do about it."""
    clock = Clock()
    budget = Budget(clock)
    for minute in range(5):
        clock.now = MINUTE + 60 * minute
        budget.note({WEIGHT: "1700"})
        budget.has_room(Rank.COMPARE)
    (said,) = caplog.messages
    assert "1700 of 2400" in said
    assert "process_throttle_secs" in said


# The bot's own


def test_far_from_the_limit_the_bot_waits_for_nothing() -> None:
    """However much of it goes out at once."""
    assert Budget(Clock()).begin(40.0) == 0.0
    assert spent(1400).begin(5.0) == 0.0


def test_what_is_under_way_counts() -> None:
    """Candles of many pairs are asked for at once: no answer has told of them yet."""
    budget = Budget(Clock())
    pauses = [budget.begin(10.0) for _ in range(200)]
    assert pauses[0] == 0.0
    assert pauses[-1] > 0.0
    for _ in range(200):
        budget.end(10.0, None)
    assert budget.begin(10.0) == 0.0


@given(used=st.integers(0, 3000), passed=st.floats(0, 59.9), weight=st.floats(1, 50))
def test_a_pause_never_outlasts_the_minute(used: int, passed: float, weight: float) -> None:
    """After that there is nothing to wait for."""
    pause = spent(used, Clock(MINUTE + passed)).begin(weight)
    assert 0.0 <= pause <= 60.0 - passed + 1e-6


@given(st.lists(st.integers(1, 40), min_size=1, max_size=400), st.integers(0, 1400))
def test_whoever_waits_is_never_refused(weights: list[int], guards: int) -> None:
    """One request after the other, with what the guard used meanwhile."""
    clock, used, minute = Clock(), guards, 0
    budget = spent(used, clock)
    for weight in weights:
        clock.now += budget.begin(float(weight))
        if (now := int((clock.now - MINUTE + 1e-6) // 60)) != minute:
            minute, used = now, 0
        used += weight
        assert used <= WEIGHT_PER_MINUTE
        budget.end(float(weight), {WEIGHT: str(used)})


def too_many(text: str) -> RequestError:
    """Return a refusal for too many requests."""
    refusal = Refusal.TOO_MANY_REQUESTS
    return RequestError(f"-1003: {text}", Outcome.NOT_EXECUTED, -1003, refusal=refusal)


@pytest.mark.parametrize(
    ("failure", "least", "most"),
    [
        (
            too_many("banned until 1800000090000"),
            89.0,
            90.0,
        ),
        (RequestError("HTTP 429", Outcome.NOT_EXECUTED, None, 17.0), 16.0, 17.0),
        (too_many("too many requests"), 59.0, 60.0),
        (RequestError("HTTP 403 Forbidden", Outcome.NOT_EXECUTED), 0.5, 1.0),
    ],
)
def test_after_a_refusal_nothing_is_asked(failure: RequestError, least: float, most: float) -> None:
    """For as long as the exchange says, or until it counts anew."""
    budget = Budget(Clock())
    assert budget.silent_s == 0.0
    budget.refused(failure)
    assert least <= budget.silent_s <= most
    assert [rank for rank in Rank if budget.has_room(rank)] == [Rank.PROTECT, Rank.MOVE]


def test_a_log_that_is_off_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing depends on what is said."""
    caplog.set_level(logging.CRITICAL)
    assert not spent(2399).has_room(Rank.MOVE)
