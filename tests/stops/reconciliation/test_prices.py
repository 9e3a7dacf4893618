"""Best prices: asked for when an entry wants to know, and when Freqtrade did not ask for long."""

from math import isnan

import pytest

from qt_protections.stops.venue.protocol import Rank
from tests.stops.minutes import Minutes
from tests.stops.paper import BTC, ETH, LOST
from tests.stops.reconciliation.scenes import held


def in_a_trade(minutes: Minutes) -> None:
    """Enter, and let a trade book that."""
    minutes.bot.enter(BTC, 1.0)
    minutes.live(10.0, 5.0)


def quote(minutes: Minutes, pair: str = BTC) -> float:
    """Return a pair's bid."""
    told = minutes.bot.stops.quote(pair)
    assert told is not None
    return told.bid


def test_one_answer_serves_all_entries_of_a_moment(minutes: Minutes) -> None:
    """For 5 s; older prices are none to enter by."""
    minutes.paper.prices[BTC] = minutes.paper.prices[ETH] = 100.0
    minutes._clock.sleep(6.0)
    minutes.paper.asked.clear()
    assert (quote(minutes), quote(minutes, ETH)) == (100.0, 100.0)
    minutes.paper.prices[BTC] = 101.0
    minutes._clock.sleep(4.9)
    assert quote(minutes) == 100.0
    minutes._clock.sleep(0.2)
    assert quote(minutes) == 101.0
    assert minutes.paper.asked == ["quotes", "quotes"]


def test_a_pair_without_prices_has_none(minutes: Minutes) -> None:
    """Nothing enters there."""
    assert isnan(quote(minutes, "NEW/USDT:USDT"))


@pytest.mark.parametrize("error", [LOST, KeyError("bidPrice")], ids=["no answer", "nonsense"])
def test_prices_that_cannot_be_read_leave_the_last_ones(minutes: Minutes, error: Exception) -> None:
    """Marked as old: they tell how wide a spread is, and nothing else."""
    minutes.paper.prices[BTC] = 100.0
    minutes._clock.sleep(6.0)
    assert quote(minutes) == 100.0
    minutes._clock.sleep(6.0)
    minutes.paper.failing["quotes"] = error  # type: ignore[assignment]
    told = minutes.bot.stops.quote(BTC)
    assert told is not None
    assert (told.bid, told.is_old) == (100.0, True)


def test_a_stop_that_does_not_trigger_is_noticed(minutes: Minutes) -> None:
    """Freqtrade asks for no price in /stop: the loop does, and closes what its stop does not."""
    in_a_trade(minutes)
    minutes.paper.prices[BTC] = 94.0
    for _ in range(3):
        held(minutes).trouble.priced = -1e9
        minutes.bot.stops._books._comparison.ask_for_the_rest()
        minutes._clock.sleep(31.0)
    assert minutes.paper.size[BTC] == 0.0


def test_a_pair_that_the_prices_lack_keeps_its_stop(minutes: Minutes) -> None:
    """No price is no price beyond the stop."""
    in_a_trade(minutes)
    del minutes.paper.prices[BTC]
    minutes._clock.sleep(31.0)
    minutes.bot.stops._books._comparison.ask_for_the_rest()
    assert minutes.paper.sent("quotes") > 0
    assert len(minutes.paper.live(BTC)) == 1
    assert held(minutes).trouble.passed_since is None


def test_no_price_is_asked_for_without_a_stop(minutes: Minutes) -> None:
    """It would be compared with nothing."""
    assert minutes.live(90.0, 5.0)["quotes"] == 0


def test_no_price_is_asked_for_without_room(minutes: Minutes) -> None:
    """What the exchange allows in this minute is left to what protects."""
    in_a_trade(minutes)
    minutes.paper.has_room = lambda rank: rank < Rank.COMPARE  # type: ignore[method-assign]
    minutes._clock.sleep(60.0)
    minutes.paper.asked.clear()
    minutes.bot.stops._books._comparison.ask_for_the_rest()
    assert minutes.paper.asked == []
