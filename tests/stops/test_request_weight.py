"""What the guard asks of the exchange in a minute, what for, and what that weighs.

Whole minutes of a real bot's functions on a clock moved by hand, over an exchange on paper.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from freqtrade.persistence import Trade

from tests.stops.hand_clock import HandClock
from tests.stops.lives import quiet
from tests.stops.minutes import Minutes

pytestmark = pytest.mark.long

#: By request: what it weighs, and what it is for. Binance USD-M futures; orders weigh nothing, they
#: have limits of their own.
WEIGHT_AND_REASON = {
    "place_stop": (0, "covers a position"),
    "place_trailing": (0, "trails a position"),
    "close": (0, "closes what cannot be covered"),
    "cancel": (1, "takes away what protects nothing"),
    "cancel_order": (1, "calls an entry off"),
    "create_order": (0, "Freqtrade's own order"),
    "open_stops": (40, "the whole account: at a start, after each gap of the stream, each 5 min"),
    "open_stops of a pair": (
        1,
        "a pair with something to protect: as often as Freqtrade would ask",
    ),
    "open_orders": (40, "entries that no trade has: at a start"),
    "open_orders of a pair": (1, "whether an entry rests whose answer was lost"),
    "positions": (5, "what is held: each 30 s, after each fill, and while something differs"),
    "account_positions": (5, "a second witness that something is not held"),
    "orders_since": (5, "which order closed a position that is not shown"),
    "find_stop": (1, "what became of a stop"),
    "find_order": (1, "what became of an entry, or what a stop became"),
    "quotes": (5, "whether stops fire where they should: Freqtrade did not ask; an entry's spread"),
    "price": (1, "where a stop may stand, whether one should have fired"),
    "ping": (1, "an open connection for what is about to be sent"),
}


def weight_of(asked: Counter[str]) -> int:
    """Return what requests weigh together."""
    return sum(WEIGHT_AND_REASON[what][0] * count for what, count in asked.items())


def saved(pairs: int, throttle_s: float) -> float:
    """Return what Freqtrade's own questions after stops would weigh a minute."""
    return pairs * 60.0 / throttle_s


@pytest.fixture
def minutes(tmp_path: Path, clock: HandClock) -> Iterator[Minutes]:
    """A bot that hears everything."""
    with quiet(tmp_path):
        yield Minutes(tmp_path, clock)


@pytest.mark.parametrize(("throttle_s", "lasts"), [(5.0, 5), (2.0, 3), (1.0, 2)])
def test_while_all_is_heard(minutes: Minutes, throttle_s: float, lasts: int) -> None:
    """Five positions: little more than Freqtrade's own questions, which the guard answers."""
    minutes.hold(5)
    asked = minutes.live(60.0 * lasts, throttle_s)
    assert weight_of(asked) / lasts <= saved(5, throttle_s) + 60, asked
    assert asked.keys() <= {"open_stops", "open_stops of a pair", "positions", "ping"}
    assert asked.total() / lasts <= saved(5, throttle_s) + 10


def test_one_position_while_all_is_heard(minutes: Minutes) -> None:
    """It is looked at each second, and that weighs as much as five positions do."""
    minutes.hold(1)
    asked = minutes.live(300.0, 5.0)
    assert weight_of(asked) / 5 <= 100, asked


def test_prices_that_freqtrade_does_not_ask_for(minutes: Minutes) -> None:
    """It asks for those of positions in each loop, and for none while an entry waits."""
    minutes.hold(1, at_market=False, settle_s=60.0)
    assert minutes.live(120.0, 5.0)["quotes"] == 4


def test_while_nothing_is_held(minutes: Minutes) -> None:
    """An idle bot is hardly there."""
    minutes.live(300.0, 5.0)
    asked = minutes.live(600.0, 5.0)
    assert weight_of(asked) / 10 <= 20, asked
    assert asked.keys() <= {"open_stops", "positions", "ping"}


@pytest.mark.parametrize(("throttle_s", "lasts"), [(5.0, 5), (1.0, 2)])
def test_while_the_stream_is_down(minutes: Minutes, throttle_s: float, lasts: int) -> None:
    """What is held is polled; the rest is not asked for."""
    minutes.hold(5)
    minutes.bot.monitor.connect(False)
    asked = minutes.live(60.0 * lasts, throttle_s)
    assert 60 <= weight_of(asked) / lasts <= saved(5, throttle_s) + 250, asked


@pytest.mark.parametrize("is_heard", [True, False])
def test_many_positions_share_what_is_asked(minutes: Minutes, is_heard: bool) -> None:
    """Fifty pairs cost less than Freqtrade's own questions: the whole account is asked for."""
    minutes.hold(50, settle_s=60.0)
    minutes.bot.monitor.connect(is_heard)
    asked = minutes.live(60.0, 5.0)
    assert weight_of(asked) <= saved(50, 5.0), asked


def test_an_entry_that_rests_is_asked_for_now_and_then(tmp_path: Path, clock: HandClock) -> None:
    """Its stop follows its fill: connections are open, and the order is looked for."""
    with quiet(tmp_path):
        minutes = Minutes(tmp_path, clock, "on_fill")
        minutes.hold(1, at_market=False, settle_s=60.0)
        asked = minutes.live(60.0, 5.0)
    assert 30 <= asked["ping"] <= 60
    assert asked["find_order"] <= 12 + 30  # Freqtrade's, in each loop, and the guard's
    assert weight_of(asked) <= 180, asked


def test_each_request_has_a_reason(minutes: Minutes) -> None:
    """A life with everything in it asks for nothing that the table does not know."""
    minutes.hold(2)
    seen = minutes.live(60.0, 5.0)
    paper, pair = minutes.paper, "C0/USDT:USDT"
    paper.end(paper.live(pair)[0]["id"], "canceled")
    seen += minutes.live(30.0, 5.0)
    minutes.bot.tighten(pair, 0.01)
    seen += minutes.live(30.0, 5.0)
    paper.by_hand("C1/USDT:USDT", -1.0)
    seen += minutes.live(30.0, 5.0)
    minutes.bot.exit(pair)
    seen += minutes.live(60.0, 5.0)
    minutes.bot.end()
    seen += Counter(paper.asked)
    assert seen.keys() <= WEIGHT_AND_REASON.keys()
    assert Trade.get_open_trades() == []
    assert paper.live() == []
